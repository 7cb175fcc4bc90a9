"""Tables of folders of faces: what is wrong with one, and whom two share."""

from __future__ import annotations

from collections.abc import Iterator

from facebench.base.text import decimal, json_text, percent
from facebench.comparison.shared import SharedPeople
from facebench.faces.faults import KINDS, NOTED, FaultKind, FolderFaults
from facebench.statistics.intervals.exact import Interval
from facebench.tables.csv import to_csv
from facebench.tables.table import Cell, Column, Table, rows_of

_SHOWN = 3  # examples of a kind
_FIELDS = ("kind", "fault", "person", "image", "other", "value", "what")


def faults_table(found: FolderFaults) -> Table:
    """How many there are of every kind, with the first few, and by which rules."""
    rows = [_cells(found, kind) for kind in KINDS if found.count(kind)]
    notes = [f"data: {found.fingerprint}", *found.rules]
    notes += [f"not looked for: {line}" for line in found.unseen]
    if not rows:
        rows = [(Cell("nothing wrong was found"), Cell("0", value=0), Cell(), Cell())]
    return Table(
        title=f"{found.name}: {found.images:,} images of {found.people:,} people",
        columns=(Column("found", left=True), Column("images"), Column("", left=True),
                 Column("the first", left=True)),
        rows=rows_of(*rows),
        notes=tuple(notes),
    )  # fmt: skip


def _cells(found: FolderFaults, kind: FaultKind) -> tuple[Cell, ...]:
    faults = [fault for fault in found.faults if fault.kind == kind]
    count = found.count(kind)
    examples = [
        fault.person if kind == "one image" else f"{fault.image}: {fault.what}"
        for fault in faults[:_SHOWN]
    ]
    text = "; ".join(examples) + ("; …" if count > _SHOWN else "")
    said = "noted" if kind in NOTED else "wrong"
    return Cell(kind), Cell(f"{count:,}", value=count), Cell(said), Cell(text)


def faults_csv(found: FolderFaults) -> str:
    """A line for every finding."""
    return to_csv(found.rows(), _FIELDS)


def faults_json(found: FolderFaults) -> str:
    """Everything that was found."""
    return json_text(
        {
            "data": found.name,
            "fingerprint": found.fingerprint,
            "images": found.images,
            "people": found.people,
            "counts": {kind: found.count(kind) for kind in KINDS if found.count(kind)},
            "rules": list(found.rules),
            "not looked for": list(found.unseen),
            "found": found.rows(),
        }
    )


def shared_table(found: SharedPeople) -> Table:
    """How many people of the test are in the other set, and the numbers with and without them."""
    train, test = found.people
    by_name = sum(one.by_name for one in found.shared)
    by_face = sum(one.by_face for one in found.shared)
    counts = [
        ("people in the training set", f"{train:,}"),
        ("people in the test", f"{test:,}"),
        ("in both, by name", f"{by_name:,}"),
        ("in both, by face", f"{by_face:,}"),
        ("in both", f"{len(found.shared):,} ({len(found.shared) / max(test, 1):.1%})"),
    ]
    rows = [(Cell(name), Cell(text)) for name, text in (*counts, *_numbers(found))]
    return Table(
        title=f"people of {found.test} who are in {found.train}",
        columns=(Column("of both", left=True), Column("found", left=True)),
        rows=rows_of(*rows),
        notes=tuple(_shared_notes(found)),
    )


def _numbers(found: SharedPeople) -> Iterator[tuple[str, str]]:
    if found.why:
        yield f"{found.protocol} without them", f"cannot be computed: {found.why}"
    if (numbers := found.numbers) is None:
        return
    yield f"{found.protocol} accuracy %", _with_ends(numbers.whole, numbers.whole_interval)
    yield "without them %", _with_ends(numbers.without, numbers.interval)
    ends = numbers.difference.interval
    yield (
        "difference, points",
        f"{decimal(100 * numbers.difference.estimate)} [{decimal(100 * ends.low)}, "
        f"{decimal(100 * ends.high)}], p {numbers.difference.p_value:.3g}",
    )


def _with_ends(value: float, interval: Interval | None) -> str:
    told = f" [{percent(interval.low)}, {percent(interval.high)}]" if interval else ""
    return f"{percent(value)}{told}"


def _shared_notes(found: SharedPeople) -> Iterator[str]:
    chance = f"{found.expected:.2g}" if found.expected >= 0.01 else "fewer than 0.01"
    yield (
        f"by face: the cosine of two people's mean embeddings by {found.model} is "
        f"{found.limit:.3f} or more; by how alike different people of {found.test} are, {chance} "
        "of such pairs are expected by chance"
    )
    if found.halved:
        yield (
            f"two halves of one person's images reach it in {found.found:.0%} of {found.halved:,} "
            "people of the test with two images or more: about so many of those who are in both "
            "are found by face"
        )
    if found.numbers is not None:
        yield (
            f"without them {found.numbers.comparisons:,} comparisons count, as many mated ones by "
            "lot as keep every fold's shares, with thresholds learned of these; [ ] are 95% "
            "intervals over people, and the difference is paired"
        )
    yield from found.remarks


def shared_csv(found: SharedPeople) -> str:
    """A line for every shared person."""
    return to_csv(found.rows(), ("person", "same as", "by name", "by face", "similarity"))


def shared_json(found: SharedPeople) -> str:
    """Everything that was found."""
    numbers = found.numbers
    return json_text(
        {
            "train": found.train,
            "test": found.test,
            "people": list(found.people),
            "model": found.model,
            "limit": found.limit,
            "expected by chance": found.expected,
            "found of halves": found.found if found.halved else None,
            "protocol": found.protocol,
            "why": found.why,
            "accuracy": None
            if numbers is None
            else _of_share(numbers.whole, numbers.whole_interval),
            "without": None if numbers is None else _of_share(numbers.without, numbers.interval),
            "difference": None
            if numbers is None
            else {
                "value": numbers.difference.estimate,
                "low": numbers.difference.interval.low,
                "high": numbers.difference.interval.high,
                "p": numbers.difference.p_value,
            },
            "shared": found.rows(),
        }
    )


def _of_share(value: float, interval: Interval | None) -> dict[str, float | None]:
    return {
        "value": value,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
    }
