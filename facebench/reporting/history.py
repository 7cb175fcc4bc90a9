"""Accuracy against compression over a sequence of runs, and the first run that fell."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from facebench.errors import UserError, nearest
from facebench.reporting.cells import (
    Cell,
    count_text,
    interval_text,
    percent,
    ratio_text,
    size_text,
)
from facebench.reporting.comparability import measure_of, method_of, require_comparable
from facebench.reporting.compare import data_of
from facebench.reporting.comparison_view import difference_cell, p_text
from facebench.reporting.exports import safe
from facebench.reporting.gate_settings import told_apart
from facebench.reporting.history_falls import fell_significantly
from facebench.reporting.named_records import records_in
from facebench.reporting.paired_statistics import PairedStatistic, paired_with_first
from facebench.reporting.record import Record, similarity_kind
from facebench.reporting.record_sections import IntervalSection
from facebench.reporting.recounted import require_recounted
from facebench.reporting.report_statistics import require_statistic, statistics_in
from facebench.reporting.sheet import Sheet
from facebench.reporting.view import SYNTHETIC_LABEL
from facebench.statistics.holm import holm

_DIGITS = 4  # of a digest, at least, that name a run


@dataclass(frozen=True)
class Run:
    """One record. value: a share, and its interval; against: paired with the reference, of which
    it is None; adjusted: its p-value, by Holm's correction for all runs tested, None: not tested;
    size: what the run is drawn at, None: not known.
    """

    record: Record
    value: float
    interval: IntervalSection | None
    against: PairedStatistic | None
    adjusted: float | None
    size: int | None

    @property
    def fell(self) -> bool:
        """Whether it is significantly worse than the reference, at 5% over all runs."""
        return self.against is not None and fell_significantly(self.against.verdict, self.adjusted)


@dataclass(frozen=True)
class History:
    """The runs of one protocol on one data set, oldest first.

    measure: what sizes are, ``kept parameters`` or ``bytes``; reference: the position of the run
    that the others are held against.
    """

    statistic: str
    measure: str
    runs: tuple[Run, ...]
    reference: int = 0

    @property
    def versus(self) -> str:
        """What the others are held against, in words: ``first``, or the run's name."""
        return self.runs[self.reference].record.model.id if self.reference else "first"

    @property
    def first(self) -> Record:
        return self.runs[0].record

    @property
    def first_fall(self) -> int | None:
        """The position of the first run that fell significantly, None: none did."""
        return next((number for number, run in enumerate(self.runs) if run.fell), None)


def histories(
    folder: Path,
    statistic: str | None = None,
    *,
    reference: str | None = None,
) -> list[History]:
    """The runs in a folder, by protocol, data, similarity and pooling; each against the reference.

    reference: a model, or the beginning of a record's digest; None: the first run.

    statistic: as records name it; None: the headline. Runs are in the order in which they were
    first made; of those of the same moment the one that kept more comes first. A model that went
    back to an earlier state is a run again. UserError: no records, a wrong one, runs that cannot be
    compared, no such reference.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: is not a folder of records")
    records = [record for _, record in records_in(str(folder))]
    made = {(record.digest(), record.run.created): record for record in reversed(records)}
    for record in made.values():
        require_recounted(record)
    ordered = sorted([*made.values(), *_back_again(list(made.values()))], key=_age)
    return [_history(group, statistic, reference) for group in _by_setting(ordered)]


def _back_again(records: Sequence[Record]) -> Iterator[Record]:
    """Records that were made again after another one of the same model, at that later moment."""
    for record in records:
        again = record.run.again
        between = (
            other
            for other in records
            if (other.model.id, measure_of(other), method_of(other))
            == (record.model.id, measure_of(record), method_of(record))
            and other != record
            and record.run.created < other.run.latest < (again or "")
        )
        if again is not None and any(between):
            run = record.run.model_copy(update={"created": again, "again": None})
            yield record.model_copy(update={"run": run})


def _age(record: Record) -> tuple[str, int, str, str]:
    """Oldest first; a pruning run goes from dense to sparse."""
    kept = record.model.kept_parameters or 0
    return record.run.created, -kept, record.model.id, record.digest()


def _by_setting(records: Sequence[Record]) -> list[list[Record]]:
    """Records by protocol and data; other similarities or poolings are histories of their own."""
    groups: dict[tuple[str, ...], dict[tuple[str, str], list[Record]]] = {}
    for record in records:
        groups.setdefault(data_of(record), {}).setdefault(method_of(record), []).append(record)
    return [group for of_data in groups.values() for group in of_data.values()]


def _history(records: Sequence[Record], statistic: str | None, reference: str | None) -> History:
    at = _reference(records, reference)
    first = records[at]
    name = statistic or statistics_in(first)[0]
    others = [record for number, record in enumerate(records) if number != at]
    for record in others:
        require_comparable(first, record)
        require_statistic(record, name)
    tested = paired_with_first(first, others, name)
    against: list[PairedStatistic | None] = [*tested[:at], None, *tested[at:]]
    adjusted = holm([one.p_value if one else None for one in against])
    measure, size_of = _measure(records)
    runs = []
    for record, one, p_value in zip(records, against, adjusted, strict=True):
        found = require_statistic(record, name)
        interval = None
        if found.interval is not None:
            low, high = found.interval
            interval = IntervalSection(
                low=low, high=high, level=0.95, kind=found.interval_kind or ""
            )
        runs.append(Run(record, found.value, interval, one, p_value, size_of(record)))
    return History(name, measure, tuple(runs), at)


def _reference(records: Sequence[Record], named: str | None) -> int:
    """The position of the run that is named, the first of its name; UserError: there is none."""
    if named is None:
        return 0
    for at, record in enumerate(records):
        if record.model.id == named:
            return at
    for at, record in enumerate(records):
        if len(named) >= _DIGITS and record.digest().startswith(named):
            return at
    first = records[0]
    known = list(dict.fromkeys(record.model.id for record in records))
    raise UserError(
        f"--reference {named}: no run on {first.protocol.name} ({first.data.fingerprint}) has that "
        f"name{nearest(named, known)} (runs: {', '.join(known)}; or the first digits of a digest)"
    )


def _measure(records: Sequence[Record]) -> tuple[str, Callable[[Record], int | None]]:
    """Kept parameters where all runs tell them, else bytes."""
    if all(record.model.kept_parameters for record in records):
        return "kept parameters", lambda record: record.model.kept_parameters
    return "bytes", lambda record: record.model.bytes


def history_sheet(history: History) -> Sheet:
    """A history as a table."""
    first = history.first
    label = f"{SYNTHETIC_LABEL} · " if first.data.kind == "synthetic" else ""
    protocol = f"{first.protocol.name} v{first.protocol.version}{first.protocol.edition}"
    return Sheet(
        title=f"{label}history of {history.statistic} · {protocol} · {first.data.name}",
        headings=(
            "run",
            "created",
            f"{history.statistic} %",
            f"vs {history.versus}",
            "p",
            "kept",
            "ratio",
            "size",
            "",
        ),
        rows=tuple(_row(history, number) for number in range(len(history.runs))),
        caption=tuple(_caption(history)),
        notice=first.data.notice,
    )


def _row(history: History, number: int) -> tuple[Cell, ...]:
    run = history.runs[number]
    record = run.record
    against = run.against
    fall = "▼ first significant fall" if number == history.first_fall else ""
    adjusted = "" if run.adjusted is None else f"Holm {p_text(run.adjusted)}"
    return (
        Cell(record.model.id, told_apart([one.record for one in history.runs])[number]),
        Cell(record.run.created[:16].replace("T", " ")),
        Cell(percent(run.value), interval_text(run.interval)),
        Cell("reference") if against is None else difference_cell(against),
        Cell("" if against is None else p_text(against.p_value), adjusted),
        Cell(count_text(record.model.kept_parameters)),
        Cell(ratio_text(record.model.compression_ratio)),
        Cell(size_text(record.model.bytes)),
        Cell(fall or ("▼ fell" if run.fell else "")),
    )


def _caption(history: History) -> Iterator[str]:
    first = history.first
    yield f"data: {first.data.fingerprint} ({first.data.kind}); alignment: {first.alignment}"
    yield f"similarity: {similarity_kind(first.similarity)}; pooling: {first.pooling}"
    tested = [run.against for run in history.runs if run.against and run.against.interval]
    if tested:
        over = "people" if any(one.over_subjects for one in tested) else "comparisons"
        yield (
            f"vs {history.versus}: difference in points, [95% interval over {over}], paired; p: of "
            "the same, two-sided; Holm: corrected for the number of runs tested; fell: worse, and "
            "that p below 5%"
        )
    untested = [run for run in history.runs if run.against and run.against.p_value is None]
    for run in untested:
        assert run.against is not None
        yield f"not tested: {run.record.model.id}, {run.against.why}"
    number = history.first_fall
    if number is None:
        none = "no run" if not untested else "none of the runs tested" if tested else ""
        yield f"{none} fell significantly" if none else "no run could be tested for a fall"
    else:
        yield f"first significant fall: run {number + 1}, {history.runs[number].record.model.id}"


def histories_csv(found: Sequence[History]) -> str:
    """One line per run; shares in full precision."""
    text = io.StringIO()
    lines = [_line(history, number) for history in found for number in range(len(history.runs))]
    writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: safe(value) for name, value in line.items()} for line in lines)
    return text.getvalue()


def _line(history: History, number: int) -> dict[str, str | int | float | bool | None]:
    run = history.runs[number]
    record, against = run.record, run.against
    paired = against.interval if against else None
    return {
        "data_kind": record.data.kind,
        "protocol": record.protocol.name,
        "data": record.data.fingerprint,
        "run": number + 1,
        "model": record.model.id,
        "created": record.run.created,
        "statistic": history.statistic,
        "value": run.value,
        "low": run.interval.low if run.interval else None,
        "high": run.interval.high if run.interval else None,
        "difference": against.difference if against else None,
        "difference_low": paired.low if paired else None,
        "difference_high": paired.high if paired else None,
        "p_value": against.p_value if against else None,
        "p_holm": run.adjusted,
        "fell": run.fell,
        "first_fall": number == history.first_fall,
        "kept_parameters": record.model.kept_parameters,
        "compression_ratio": record.model.compression_ratio,
        "bytes": record.model.bytes,
        "digest": record.digest(),
    }
