"""A contact sheet of the pairs of faces that two models decide differently."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from facebench.base.errors import UserError
from facebench.base.vocabulary import SYNTHETIC_LABEL
from facebench.comparison.compare import Comparison
from facebench.figures.faces import FLIPS, PairFaces, draw_pair
from facebench.figures.files import plot_format, plot_style, save_figure
from facebench.records.comparability import names_of
from facebench.records.record import Record, folds_of

if TYPE_CHECKING:
    from matplotlib.figure import SubFigure

WORSE, BETTER = "#D55E00", "#0072B2"  # Okabe and Ito: told apart with any colour vision
_CELL = (4.4, 2.75)  # inches, of one pair
_INCHES_ABOVE = 0.75
_MOST_COLUMNS = 3
_MOST = 120


@dataclass(frozen=True)
class Flip:
    """One pair. right: whether the candidate is; scores, thresholds: (base's, candidate's)."""

    position: int
    fold: int
    mated: bool
    right: bool
    scores: tuple[float, float]
    thresholds: tuple[float, float]
    left: str
    other: str


def require_flips(path: Path, number: int) -> None:
    """UserError, before any work, for an ending or a number that cannot be."""
    plot_format(path, "--flips-out")
    if not 1 <= number <= _MOST:
        raise UserError(f"--show-flips {number}: show 1 to {_MOST} pairs")


def flips_of(comparison: Comparison, faces: PairFaces, number: int) -> list[Flip]:
    """At most ``number`` pairs, those that became wrong and those that became right by turns, of
    each the ones whose scores moved most; then all that became wrong before the others.
    """
    turns = max(len(comparison.worse), len(comparison.better))
    both = [rows[i] for i in range(turns) for rows in _kinds(comparison) if i < len(rows)]
    chosen = set(both[:number])
    return [
        _flip(comparison, faces, row)
        for rows in _kinds(comparison)
        for row in rows
        if row in chosen
    ]


def save_flips(comparison: Comparison, flips: Sequence[Flip], faces: PairFaces, path: Path) -> None:
    """Write the contact sheet; PNG, SVG or PDF by the ending.

    UserError: no pair changed, or an image cannot be read; OSError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    if not flips:
        base, candidate = names_of([comparison.base, comparison.candidate])
        raise UserError(
            f"--show-flips: no comparison changed between {base} and {candidate}, or their scores "
            "are not there"
        )
    columns = min(_MOST_COLUMNS, len(flips))
    rows = -(-len(flips) // columns)
    size = (max(columns, 2) * _CELL[0], rows * _CELL[1] + _INCHES_ABOVE)
    with plot_style():
        figure = Figure(figsize=size, layout="constrained")
        figure.suptitle(_title(comparison, len(flips)), x=0.01, ha="left", fontsize=12)
        cells = figure.subfigures(rows, columns, squeeze=False).ravel()
        for cell, flip in zip(cells, flips, strict=False):
            _draw(cell, flip, faces)
        save_figure(figure, path, dpi=110)


def _kinds(comparison: Comparison) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return comparison.worse, comparison.better


def _flip(comparison: Comparison, faces: PairFaces, row: int) -> Flip:
    one, other = comparison.base.table, comparison.candidate.table
    assert one is not None and other is not None
    fold = int(one.folds[row])
    return Flip(
        position=row,
        fold=fold,
        mated=bool(one.mated[row]),
        right=bool(other.correct[row]),
        scores=(float(one.scores[row]), float(other.scores[row])),
        thresholds=(_threshold(comparison.base, fold), _threshold(comparison.candidate, fold)),
        left=faces.left[row],
        other=faces.right[row],
    )


def _threshold(record: Record, fold: int) -> float:
    return folds_of(record).accuracy.threshold_of(fold)


def _title(comparison: Comparison, number: int) -> str:
    changed = len(comparison.worse) + len(comparison.better)
    base, candidate = names_of([comparison.base, comparison.candidate])
    label = f"{SYNTHETIC_LABEL}\n" if comparison.base.data.kind == "synthetic" else ""
    title = (
        f"{label}{base} → {candidate} on {comparison.base.protocol.name}: {number} of the "
        f"{changed:,} pairs that changed\n"
        f"{len(comparison.worse):,} became wrong, {len(comparison.better):,} became right; "
        "scores before → after, with the fold's threshold"
    )
    return title.replace("$", r"\$")


def _draw(cell: SubFigure, flip: Flip, faces: PairFaces) -> None:
    colour = BETTER if flip.right else WORSE
    word = "▲ became right" if flip.right else "▼ became wrong"
    kind = "same person" if flip.mated else "two people"
    before, after = flip.scores
    text = (
        f"{word}: {kind} (no. {flip.position + 1}, fold {flip.fold})\n"
        f"{before:.3f} ({_side(flip, 0)} {flip.thresholds[0]:.3f}) → "
        f"{after:.3f} ({_side(flip, 1)} {flip.thresholds[1]:.3f})"
    )
    cell.suptitle(text, fontsize=9.5, color=colour, fontweight="bold")
    draw_pair(cell, (flip.left, flip.other), faces, colour, FLIPS)


def _side(flip: Flip, model: int) -> str:
    return "≥" if flip.scores[model] >= flip.thresholds[model] else "<"
