"""Contact sheets of one model's worst errors, and of the people whom a second model hurts most."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING

from facebench.base.errors import UserError
from facebench.base.options import require
from facebench.base.text import decimal
from facebench.base.vocabulary import SYNTHETIC_LABEL
from facebench.comparison.worst import (
    LABELS,
    MOST,
    By,
    Hit,
    MostHit,
    WorstErrors,
    WorstPair,
    most_hit,
    require_errors,
    worst_errors,
)
from facebench.figures.faces import PairFaces, draw_pair, pair_faces
from facebench.figures.files import plot_format, plot_style, save_figure
from facebench.figures.labels import drawn_name
from facebench.records.comparability import names_of
from facebench.records.find import Named, named_in, require_words, several

if TYPE_CHECKING:
    from matplotlib.figure import SubFigure

    from facebench.records.record import Record

SHEET = "--sheet"
WRONG, RIGHT = "#D55E00", "#0072B2"  # Okabe and Ito: told apart with any colour vision
_CELL = (4.4, 2.85)  # inches, of one pair
_INCHES_ABOVE, _INCHES_HEADING = 0.95, 0.4
_MOST_COLUMNS = 3


def worst(
    model: Named,
    candidate: Named | None = None,
    *,
    number: int = 12,
    by: By | None = None,
    data: str | Path | None = None,
    pairs: str | Path | None = None,
    sheet: str | Path | None = None,
    protocol: str | None = None,
    similarity: str | None = None,
    found_in: Sequence[Path] = (),
) -> WorstErrors | MostHit:
    """One model's worst errors; with a candidate, the people whom it hurts most against the model.

    Parameters
    ----------
    model : Record, str or path
        A record, its file, or the name of a model that was evaluated, on pairs of faces in folds.
    candidate : Record, str or path, optional
        A smaller model, of the same protocol and data.
    number : int, optional
        How many comparisons, or people, 1 to 120.
    by : str, optional
        ``person`` or ``image``: whose comparisons are counted together. Default: person, where the
        record says who is in its images.
    data : str or path, optional
        The faces' folder, which names images and people.
    pairs : str or path, optional
        The list of pairs, if not the folder's.
    sheet : str or path, optional
        Draw the faces, cut as the model saw them, into this file: .png, .svg or .pdf.
    protocol : str, optional
        Of models that are named by name; needed where they have records of several.
    similarity : str, optional
        Of models that are named by name: ``cosine``, ``joint-bayesian`` or ``projection``.
    found_in : sequence of paths, optional
        Folders in which records of models are looked for, first.

    Returns
    -------
    WorstErrors or MostHit
        The non-mated pairs with the highest scores and the mated ones with the lowest; or people
        with the change of their margin, those first who are to be expected to lose most.

    Raises
    ------
    UserError
        A record that is not found, keeps no scores or is of no pairs in folds; records that cannot
        be compared; faces that are not there, or not those of the record.

    Examples
    --------
    >>> import facebench
    >>> found = facebench.worst("baseline", "sparse_012", number=3, protocol="lfw")
    >>> found.to_frame()["comparisons"].tolist()
    [3, 3, 4]
    """
    found, faces = worst_with_faces(
        model,
        candidate,
        number=number,
        by=by,
        data=data,
        pairs=pairs,
        sheet=sheet,
        protocol=protocol,
        similarity=similarity,
        found_in=found_in,
    )
    if sheet is not None and faces is not None:
        save_sheet(found, faces, Path(sheet))
    return found


def worst_with_faces(
    model: Named,
    candidate: Named | None,
    *,
    number: int,
    by: By | None,
    data: str | Path | None,
    pairs: str | Path | None,
    sheet: str | Path | None,
    protocol: str | None,
    similarity: str | None,
    found_in: Sequence[Path],
) -> tuple[WorstErrors | MostHit, PairFaces | None]:
    """As `worst`, which says what its arguments are, with the faces; no sheet is drawn."""
    require_words(protocol, similarity)
    require("number", number, (int,), "12")
    for name, path in (("data", data), ("pairs", pairs), ("sheet", sheet)):
        require(name, path, (str, PathLike, NoneType), "a path")
    if by not in (None, "person", "image"):
        raise UserError(f"--by {by}: person or image")
    if by is not None and candidate is None:
        raise UserError("--by is of what changed between two models; name a second one")
    if not 1 <= number <= MOST:
        raise UserError(f"--number {number}: show 1 to {MOST}")
    if sheet is not None:
        plot_format(Path(sheet), SHEET)
    if pairs is not None and data is None and sheet is None:
        raise UserError("--pairs is the list of --data; name the faces' folder, too")
    named = several([model, *([] if candidate is None else [candidate])])
    records = named_in(found_in, named, protocol, similarity)
    for record in records:
        require_errors(record)
    faces = keys = None
    if data is not None or sheet is not None:
        folder, listed = None if data is None else str(data), None if pairs is None else Path(pairs)
        faces = pair_faces(records[0], folder, listed, sheet=SHEET, cut=sheet is not None)
        keys = tuple(zip(faces.left, faces.right, strict=True))
    if len(records) == 1:
        return worst_errors(records[0], number, keys), faces
    return most_hit(records[0], records[1], number, by, keys, faces.people if faces else {}), faces


def save_sheet(found: WorstErrors | MostHit, faces: PairFaces, path: Path) -> None:
    """Write the contact sheet; PNG, SVG or PDF by the ending.

    UserError: an image cannot be read; OSError: the file cannot be written.
    """
    if isinstance(found, WorstErrors):
        parts: list[tuple[str, Sequence[WorstPair | Hit]]] = [
            (f"Two people, highest scores: {found.wrong[0]:,} are accepted", found.nonmated),
            (f"One person, lowest scores: {found.wrong[1]:,} are rejected", found.mated),
        ]
        title = _title_of_errors(found, faces)
    else:
        parts, title = [("", found.hits)], _title_of_hits(found, faces)
    _save([part for part in parts if part[1]], title, faces, path)


def _save(
    parts: Sequence[tuple[str, Sequence[WorstPair | Hit]]],
    title: str,
    faces: PairFaces,
    path: Path,
) -> None:
    from matplotlib.figure import Figure

    columns = min(_MOST_COLUMNS, max(len(cells) for _, cells in parts))
    rows = [-(-len(cells) // columns) for _, cells in parts]
    heights = [
        n * _CELL[1] + _INCHES_HEADING * bool(h) for n, (h, _) in zip(rows, parts, strict=True)
    ]
    size = (max(columns, 2) * _CELL[0], sum(heights) + _INCHES_ABOVE)
    with plot_style():
        figure = Figure(figsize=size, layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", fontsize=11)
        areas = figure.subfigures(len(parts), 1, squeeze=False, height_ratios=heights).ravel()
        for area, (heading, cells), lines in zip(areas, parts, rows, strict=True):
            if heading:
                area.suptitle(heading, x=0.01, ha="left", fontsize=12, fontweight="bold")
            drawn = area.subfigures(lines, columns, squeeze=False).ravel()
            for place, cell in zip(drawn, cells, strict=False):
                _draw(place, cell, faces)
        save_figure(figure, path, dpi=110)


def _draw(place: SubFigure, cell: WorstPair | Hit, faces: PairFaces) -> None:
    if isinstance(cell, Hit):
        pair, wrong = cell.before, cell.after.right < cell.before.right
        text = f"{drawn_name(_cut(cell.name))}\n{_hit_text(cell)}\n{_moved_text(cell)}"
    else:
        pair, wrong = cell, not cell.right
        side = "≥" if cell.score >= cell.threshold else "<"
        text = (
            f"{'✗ wrong' if wrong else '✓ right'}: {cell.score:.3f} {side} {cell.threshold:.3f}\n"
            f"no. {cell.position + 1}, fold {cell.fold}"
        )
    colour = WRONG if wrong else RIGHT
    place.suptitle(text, fontsize=9.5, color=colour, fontweight="bold")
    keys = (faces.left[pair.position], faces.right[pair.position])
    draw_pair(place, keys, faces, colour, SHEET)


def _hit_text(hit: Hit) -> str:
    number = f"{hit.comparisons} comparison{'s' * (hit.comparisons > 1)}{' (few)' * hit.few}"
    wrong = f", {hit.worse} became wrong" if hit.worse else ""
    return f"{decimal(hit.change)} in {number}{wrong}"


def _moved_text(hit: Hit) -> str:
    """Of the comparison that lost most."""
    sides = ["≥" if pair.score >= pair.threshold else "<" for pair in (hit.before, hit.after)]
    kind = "same person" if hit.before.mated else "two people"
    return (
        f"{kind}: {hit.before.score:.3f} ({sides[0]} {hit.before.threshold:.3f}) → "
        f"{hit.after.score:.3f} ({sides[1]} {hit.after.threshold:.3f})"
    )


def _cut(name: str) -> str:
    return name if len(name) <= 32 else f"{name[:31]}…"


def _title_of_errors(found: WorstErrors, faces: PairFaces) -> str:
    record = found.record
    lines = [
        f"{drawn_name(record.model.id)} on {record.protocol.name}: worst errors; scores, with the "
        "fold's threshold",
        LABELS,
    ]
    return _titled(record, lines, faces)


def _title_of_hits(found: MostHit, faces: PairFaces) -> str:
    base, candidate = map(drawn_name, names_of([found.base, found.candidate]))
    kind = "people" if found.by == "person" else "images"
    lines = [
        f"{base} → {candidate} on {found.base.protocol.name}: {kind} hit most, "
        f"{len(found.hits):,} of {found.total:,}",
        "Change of the margin beyond that of all such comparisons, in standard deviations of "
        "scores; few: over half may be chance.",
        "Below: the comparison that lost most. Look at its label first.",
    ]
    return _titled(found.base, lines, faces)


def _titled(record: Record, lines: Sequence[str], faces: PairFaces) -> str:
    label = [SYNTHETIC_LABEL] if record.data.kind == "synthetic" else []
    whole = (
        []
        if faces.aligner
        else [f"Whole images: --data does not tell how {record.alignment} cut them."]
    )
    return "\n".join([*label, *lines, *whole])
