"""A contact sheet of the pairs that changed sides between two models, group by group."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from facebench.base.errors import UserError
from facebench.base.vocabulary import SYNTHETIC_LABEL
from facebench.comparison.groups.damage import Flipped, GroupDamage
from facebench.figures.faces import PairFaces, draw_pair
from facebench.figures.files import plot_style, save_figure
from facebench.figures.labels import drawn_name
from facebench.figures.worst import RIGHT, SHEET, WRONG
from facebench.records.comparability import names_of

if TYPE_CHECKING:
    from matplotlib.figure import SubFigure

EACH = 6  # pairs of a group
_MOST_GROUPS = 16
_CELL, _COLUMNS = (4.4, 2.75), 3  # inches of one pair; pairs side by side
_ABOVE, _HEADING = 0.95, 0.4


def save_flipped_by_group(found: GroupDamage, faces: PairFaces, path: Path) -> None:
    """Write, for every group, at most `EACH` pairs: those that became wrong first, by how far their
    scores moved; PNG, SVG or PDF by the ending. The groups are those of the record, at most 16,
    those with most pairs that became wrong where there are more.

    UserError: no pair of a group changed, or an image cannot be read; OSError: the file cannot be
    written.
    """
    from matplotlib.figure import Figure

    parts = _parts(found)
    if not parts:
        base, candidate = names_of([found.base, found.candidate])
        raise UserError(f"{SHEET}: no pair of a group changed between {base} and {candidate}")
    rows = [-(-len(shown) // _COLUMNS) for _, shown in parts]
    heights = [lines * _CELL[1] + _HEADING for lines in rows]
    with plot_style():
        size = (_COLUMNS * _CELL[0], sum(heights) + _ABOVE)
        figure = Figure(figsize=size, layout="constrained")
        figure.suptitle(_title(found), x=0.01, ha="left", fontsize=12)
        areas = figure.subfigures(len(parts), 1, squeeze=False, height_ratios=heights).ravel()
        for area, (name, shown), lines in zip(areas, parts, rows, strict=True):
            heading = _heading(found, name, len(shown))
            area.suptitle(heading, x=0.01, ha="left", fontsize=12, fontweight="bold")
            cells = area.subfigures(lines, _COLUMNS, squeeze=False).ravel()
            for cell, flip in zip(cells, shown, strict=False):
                _draw(cell, flip, found, faces)
        save_figure(figure, path, dpi=110)


def _parts(found: GroupDamage) -> list[tuple[str, Sequence[Flipped]]]:
    """Every group that has any, in the order of their names, and what is shown of it."""
    own = {name: [one for one in found.flipped if one.group == name] for name in found.groups.names}
    ranked = sorted((name for name in own if own[name]), key=lambda name: -_worse(own[name]))
    kept = set(ranked[:_MOST_GROUPS])
    return [
        (name, sorted(flips, key=lambda one: not one.worse)[:EACH])
        for name, flips in own.items()
        if name in kept
    ]


def _worse(flips: Sequence[Flipped]) -> int:
    return sum(one.worse for one in flips)


def _title(found: GroupDamage) -> str:
    base, candidate = map(drawn_name, names_of([found.base, found.candidate]))
    label = f"{SYNTHETIC_LABEL}\n" if found.base.data.kind == "synthetic" else ""
    return (
        f"{label}{base} → {candidate} on {found.base.protocol.name}: pairs that changed sides by "
        f"{drawn_name(found.groups.column)}\nscores before → after, each beside its model's "
        f"threshold for FMR {100 * found.target:g}%"
    )


def _heading(found: GroupDamage, name: str, shown: int) -> str:
    flips = [one for one in found.flipped if one.group == name]
    worse = _worse(flips)
    told = "" if shown == len(flips) else f"; {shown} of {len(flips):,} shown"
    return f"{drawn_name(name)}: {worse:,} became wrong, {len(flips) - worse:,} became right{told}"


def _draw(cell: SubFigure, flip: Flipped, found: GroupDamage, faces: PairFaces) -> None:
    colour = WRONG if flip.worse else RIGHT
    word = "▼ became wrong" if flip.worse else "▲ became right"
    sides = []
    for record, accepts in zip((found.base, found.candidate), found.found.accepts, strict=True):
        assert record.table is not None  # `group_damage` asks for it
        score = float(record.table.scores[flip.position])
        side = "≥" if score >= accepts.threshold else "<"
        sides.append(f"{score:.3f} ({side} {accepts.threshold:.3f})")
    kind = "same person" if flip.mated else "two people"
    text = f"{word}: {kind} (no. {flip.position + 1})\n{' → '.join(sides)}"
    cell.suptitle(text, fontsize=9.5, color=colour, fontweight="bold")
    keys = (faces.left[flip.position], faces.right[flip.position])
    draw_pair(cell, keys, faces, colour, SHEET)
