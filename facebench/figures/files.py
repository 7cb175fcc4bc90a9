"""Figures as files: PNG, SVG or PDF by the ending, the same bytes for the same figure."""

from __future__ import annotations

import io
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facebench.base.errors import UserError
from facebench.base.storage import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLOT_FORMATS = ("png", "svg", "pdf")
INK = "#57606A"  # of axes and notes
_UNDATED: dict[str, dict[str, Any]] = {
    "png": {},
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
}


def plot_format(path: Path, option: str = "--plot") -> str:
    """The format that a file's ending asks for; UserError of an option where it is none of them."""
    ending = path.suffix.lower().lstrip(".")
    if ending not in PLOT_FORMATS:
        raise UserError(f"{option} {path}: the ending must be one of .{', .'.join(PLOT_FORMATS)}")
    return ending


PLOT_WIDTHS = {"column": 3.25, "page": 6.75}  # inches, of the usual papers in two columns
_NARROWEST, _WIDEST = 2.0, 20.0


def plot_width(text: str | None, option: str = "--plot-width") -> float | None:
    """Inches of ``column``, ``page`` or a number; UserError of an option where it is neither."""
    if text is None:
        return None
    try:
        width = PLOT_WIDTHS[text] if text in PLOT_WIDTHS else float(text)
    except ValueError:
        width = float("nan")
    if not _NARROWEST <= width <= _WIDEST:
        raise UserError(
            f"{option} {text}: column ({PLOT_WIDTHS['column']} inches), page "
            f"({PLOT_WIDTHS['page']}), or {_NARROWEST:g} to {_WIDEST:g} inches"
        )
    return width


def plot_style(width: float | None = None) -> AbstractContextManager[None]:
    """What a figure must be made and saved within. width: inches in which it is printed; letters
    are then as large as a paper's captions, and in every format part of the file.
    """
    from matplotlib import rc_context

    size = 10.0 if width is None else 7.0 if width < 4.5 else 8.0
    return rc_context(
        {
            "svg.hashsalt": "facebench",
            "svg.fonttype": "path",
            "pdf.fonttype": 42,
            "font.size": size,
            "axes.titlesize": size,
            "axes.labelsize": size,
            "legend.fontsize": size,
            "xtick.labelsize": size,
            "ytick.labelsize": size,
        }
    )


def font_size() -> float:
    """Points of print, within `plot_style`."""
    from matplotlib import rcParams

    return float(rcParams["font.size"])


def save_figure(figure: Figure, path: Path, dpi: int = 200) -> None:
    """Write a figure complete or not at all; OSError where the file cannot be written."""
    kind, data = plot_format(path), io.BytesIO()
    figure.savefig(data, format=kind, dpi=dpi, metadata=_UNDATED[kind])
    write_atomically(path, data.getvalue())
