"""One model's worst errors, and whom a second one hurts most, as tables, JSON and CSV."""

from __future__ import annotations

from collections.abc import Iterator

from facebench.base.text import decimal, json_text
from facebench.comparison.worst import LABELS, Hit, MostHit, WorstErrors, WorstPair
from facebench.records.comparability import names_of
from facebench.tables.csv import to_csv
from facebench.tables.table import Cell, Column, Table, rows_of
from facebench.tables.text import labelled, protocol_text

Found = WorstErrors | MostHit
_WORDS = ("pair", "decided", "lost most")  # columns of words


def worst_table(found: Found) -> Table:
    """A row per comparison, or per person or image."""
    return _errors_table(found) if isinstance(found, WorstErrors) else _hits_table(found)


def worst_json(found: Found) -> str:
    """Everything, as a JSON list; positions from 0."""
    return json_text(found.rows())


def worst_csv(found: Found) -> str:
    """One line per comparison, or per person or image; positions from 0."""
    return to_csv(found.rows())


def _errors_table(found: WorstErrors) -> Table:
    record = found.record
    title = f"worst errors of {record.model.id} · {protocol_text(record)} · {record.data.name}"
    return Table(
        title=labelled(title, record.data.kind),
        columns=_columns("no.", "pair", "score", "threshold", "margin", "decided"),
        rows=rows_of(*map(_error_cells, (*found.nonmated, *found.mated))),
        notes=tuple(_error_notes(found)),
        notice=record.data.notice,
        signatures=(record.signature,),
    )


def _error_cells(one: WorstPair) -> tuple[Cell, ...]:
    return (
        Cell(f"{one.position + 1}", f"fold {one.fold}"),
        Cell(_kind(one), _faces(one)),
        Cell(f"{one.score:.3f}"),
        Cell(f"{one.threshold:.3f}"),
        Cell(decimal(one.margin)),
        Cell("✓ right" if one.right else "✗ wrong"),
    )


def _error_notes(found: WorstErrors) -> Iterator[str]:
    record = found.record
    yield f"data: {record.data.fingerprint} ({record.data.kind}); alignment: {record.alignment}"
    nonmated, mated = found.wrong
    yield (
        f"{nonmated:,} comparisons of two people are accepted, {mated:,} of one person rejected; "
        "shown are the highest scores of two people and the lowest of one"
    )
    yield f"{LABELS[0].lower()}{LABELS[1:-1]}"
    yield (
        "margin: how far the score is on the right side of its fold's threshold, in standard "
        "deviations of the scores of a kind"
    )
    yield from _unnamed((*found.nonmated, *found.mated)[0])
    if found.failed:
        yield _failed(found.failed)


def _hits_table(found: MostHit) -> Table:
    base, (one, other) = found.base, names_of([found.base, found.candidate])
    title = f"whom {other} hits most, against {one} · {protocol_text(base)} · {base.data.name}"
    return Table(
        title=labelled(title, base.data.kind),
        columns=_columns(
            found.by,
            "comparisons",
            "change",
            "expected",
            "became wrong",
            "became right",
            "lost most",
        ),
        rows=rows_of(*map(_hit_cells, found.hits)),
        notes=tuple(_hit_notes(found)),
        notice=base.data.notice,
        signatures=(f"{one}: {base.signature}", f"{other}: {found.candidate.signature}"),
    )


def _hit_cells(hit: Hit) -> tuple[Cell, ...]:
    before, after = hit.before, hit.after
    return (
        Cell(hit.name),
        Cell(f"{hit.comparisons:,}", "few" * hit.few),
        Cell(decimal(hit.change)),
        Cell(decimal(hit.expected)),
        Cell(f"{hit.worse:,}"),
        Cell(f"{hit.better:,}"),
        Cell(
            f"no. {before.position + 1} ({_kind(before)}) {before.score:.3f} → {after.score:.3f}",
            _faces(before),
        ),
    )


def _hit_notes(found: MostHit) -> Iterator[str]:
    base = found.base
    yield f"data: {base.data.fingerprint} ({base.data.kind}); alignment: {base.alignment}"
    mated, nonmated = map(decimal, found.means)
    yield (
        "margin: how far a score is on the right side of its fold's threshold, in standard "
        "deviations of the model's scores of a kind; it changed by "
        f"{mated} in comparisons of one person and by {nonmated} in those of two, in the mean"
    )
    all_of = "people" if found.by == "person" else "images"
    yield (
        f"change: beyond that mean, over all comparisons of the {found.by}; expected: of further "
        f"comparisons, by which the {found.total:,} {all_of} are ordered"
    )
    if found.between is None:
        yield f"no {found.by} is in two comparisons: nothing tells what is chance"
    elif found.between == 0:
        yield f"the changes of {all_of} differ no more than chance brings: nobody is hit most"
    else:
        yield (
            f"true changes have a standard deviation of {found.between:.2f} from {found.by} to "
            f"{found.by}; few: of the change so far more than half is chance"
        )
    yield "lost most: the comparison to look at, and at its label first"
    yield from _unnamed(found.hits[0].before)
    if found.failed:
        yield _failed(found.failed)


def _kind(one: WorstPair) -> str:
    return "one person" if one.mated else "two people"


def _faces(one: WorstPair) -> str:
    return " and ".join(one.faces) if one.faces else ""


def _unnamed(one: WorstPair) -> Iterator[str]:
    if one.faces is None:
        yield "--data FOLDER names the faces, and --sheet draws them"


def _failed(number: int) -> str:
    return f"left out: {number:,} comparisons with a failure to acquire, which have no score"


def _columns(*headings: str) -> tuple[Column, ...]:
    return tuple(Column(h, left=not at or h in _WORDS) for at, h in enumerate(headings))
