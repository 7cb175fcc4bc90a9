"""What drawings of groups share: their names, their margins and their headings."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from facebench.base.vocabulary import SYNTHETIC_LABEL
from facebench.figures.labels import drawn_name
from facebench.figures.styles import COLOURS
from facebench.records.record import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LONGEST = 24  # letters of a group's name
_LETTER, _LEAST = 0.085, 0.7  # inches
_LETTERS = 12.5  # of a title, to an inch


def cut(name: str, most: int = _LONGEST) -> str:
    """A name of so many letters at most."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def labels_of_groups(names: Sequence[str]) -> list[str]:
    """As they stand beside an axis."""
    return [drawn_name(cut(name)) for name in names]


def left_margin(names: Sequence[str]) -> float:
    """Inches that the longest of them takes."""
    return max(_LEAST, _LETTER * max(len(cut(name)) for name in names))


def mark_few(axes: Axes, x: float, y: float) -> None:
    """‡ beside a rate of too few pairs."""
    axes.annotate(
        "‡",
        (x, y),
        xytext=(8, 0),
        textcoords="offset points",
        ha="center",
        va="center",
        fontsize=9,
        color="#555555",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
    )


def headed(figure: Figure, record: Record, title: str, names: Sequence[str] = ()) -> None:
    """Title, the mark of rendered faces above it, and a key of models below where there are any."""
    from matplotlib.lines import Line2D

    lines = [SYNTHETIC_LABEL] if record.data.kind == "synthetic" else []
    lines += names if len(names) == 1 else []
    lines += [
        title,
        f"{record.protocol.name} v{record.protocol.version}, {record.data.fingerprint}",
    ]
    room = int(figure.get_figwidth() * _LETTERS)
    whole = [part for line in lines for part in wrap(line, room)]
    figure.suptitle("\n".join(map(drawn_name, whole)), x=0.01, ha="left", fontsize=10)
    if len(names) > 1:
        keys = [
            Line2D([], [], color=COLOURS[at % len(COLOURS)], marker="o", linewidth=1.6)
            for at in range(len(names))
        ]
        figure.legend(
            keys,
            [drawn_name(name) for name in names],
            loc="outside lower left",
            frameon=False,
            ncols=min(3, len(names)),
        )
