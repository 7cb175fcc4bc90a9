"""What a table shows, as text and before any format: title, columns, cells, caption, notice.

Every format renders the same `TableView`, so none can forget the label of synthetic faces.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from facebench.protocols.cards import SPREAD_SHORT
from facebench.reporting.compare import Paired, compare_paired, group_records, require_same_data
from facebench.reporting.record import Estimate, IntervalSection, OperatingPointSection, Record

SYNTHETIC_LABEL = "SYNTHETIC FACES (rendered, not photographs)"


@dataclass(frozen=True)
class Cell:
    """A value and, beside or below it, its interval or remark."""

    text: str
    detail: str = ""


@dataclass(frozen=True)
class Column:
    """A heading, and the cell of each record of the table."""

    heading: str
    cell: Callable[[Record], Cell]


@dataclass(frozen=True)
class Row:
    """One model: a cell per column, and the record behind them."""

    cells: tuple[Cell, ...]
    record: Record


@dataclass(frozen=True)
class TableView:
    """One table of one protocol on one data set; notice: what must not be overlooked, or None."""

    title: str
    notice: str | None
    headings: tuple[str, ...]
    rows: tuple[Row, ...]
    caption: tuple[str, ...]

    @property
    def records(self) -> list[Record]:
        """The records behind the rows."""
        return [row.record for row in self.rows]


def views_of(records: Sequence[Record]) -> list[TableView]:
    """One table per protocol and data set, in the records' order."""
    return [view_of(group) for group in group_records(records)]


def view_of(records: Sequence[Record]) -> TableView:
    """The table of records of the same data; UserError where they are not."""
    require_same_data(records)
    columns = _columns(records)
    rows = tuple(
        Row(tuple(column.cell(record) for column in columns), record) for record in records
    )
    first = records[0]
    return TableView(
        title=_title(first),
        notice=first.data.notice,
        headings=tuple(column.heading for column in columns),
        rows=rows,
        caption=tuple(_caption(records)),
    )


def _title(record: Record) -> str:
    label = f"{SYNTHETIC_LABEL} · " if record.data.kind == "synthetic" else ""
    protocol = record.protocol
    name = f"{protocol.name} v{protocol.version}{protocol.edition}"
    return f"{label}{name} · {protocol.title} · {record.data.name}"


def _columns(records: Sequence[Record]) -> list[Column]:
    first = records[0]
    spread = SPREAD_SHORT[first.statistics.accuracy.spread_kind]
    columns = [Column("model", lambda r: Cell(r.model.id))]
    columns.append(Column(f"accuracy % ± {spread}", _accuracy))
    paired = {r.digest(): compare_paired(first, r) for r in records[1:]}
    if any(paired.values()):
        columns.append(
            Column(
                "vs first",
                lambda r: Cell("reference") if r is first else _versus(paired[r.digest()]),
            )
        )
    columns.append(Column("AUC %", lambda r: _estimate(r.statistics.auc)))
    columns.append(Column("EER %", lambda r: _estimate(r.statistics.eer)))
    for index, point in enumerate(first.statistics.tar_at_far):
        columns.append(_tar_column(index, point.target))
    columns += [
        Column("FTA %", _failures),
        Column("kept", lambda r: Cell(_count(r.model.kept_parameters))),
        Column("ratio", lambda r: Cell(_ratio(r.model.compression_ratio))),
        Column("size", lambda r: Cell(_size(r.model.bytes))),
    ]
    return columns


def _tar_column(index: int, target: float) -> Column:
    return Column(f"TAR % @ FAR {target:g}", lambda r: _tar(r.statistics.tar_at_far[index]))


def _accuracy(record: Record) -> Cell:
    accuracy = record.statistics.accuracy
    text = f"{_percent(accuracy.value)} ± {_percent(accuracy.spread)}"
    return Cell(text, _interval(accuracy.interval))


def _versus(paired: Paired | None) -> Cell:
    if paired is None:
        return Cell("–", "no scores")
    mark = ("▼" if paired.difference < 0 else "▲") if paired.significant else "≈"
    p = "p < 0.001" if paired.p_value < 0.001 else f"p = {paired.p_value:.3f}"
    text = f"{_points(paired.difference)} {mark} {p}"
    if paired.interval is None:
        return Cell(text)
    low, high = _points(paired.interval.low), _points(paired.interval.high)
    return Cell(text, f"[{low}, {high}]")


def _points(share: float) -> str:
    """A difference in points of percent, with its sign."""
    points = round(100 * share, 2) + 0.0  # no negative zero
    return f"{points:+.2f}".replace("-", "−")


def _estimate(estimate: Estimate) -> Cell:
    return Cell(_percent(estimate.value), _interval(estimate.interval))


def _tar(point: OperatingPointSection) -> Cell:
    interval = _interval(point.interval)
    if not point.resolvable:
        return Cell(f"({_percent(point.value)}) ‡", f"at FAR {point.far:.3g}")
    if f"{point.far:.3g}" != f"{point.target:.3g}":
        interval = f"{interval} at FAR {point.far:.3g}".strip()
    return Cell(_percent(point.value), interval)


def _failures(record: Record) -> Cell:
    failures = record.failures_to_acquire
    detail = f"{failures.faces:,} faces" if failures.faces else ""
    return Cell(_percent(failures.share), detail)


def _caption(records: Sequence[Record]) -> list[str]:
    first = records[0]
    comparisons, statistics = first.comparisons, first.statistics
    subjects = "unknown" if comparisons.subjects is None else f"{comparisons.subjects:,}"
    lines = [
        f"data: {first.data.fingerprint} ({first.data.kind}), {first.data.faces:,} faces; "
        f"{comparisons.total:,} comparisons ({comparisons.mated:,} mated) in {comparisons.folds} "
        f"folds, subjects: {subjects}",
    ]
    lines += _not_published(first)
    lines += [
        f"alignment: {_values(records, lambda r: r.alignment)}",
        f"similarity: {_values(records, lambda r: r.similarity)}; pooling: "
        f"{_values(records, lambda r: r.pooling)}; threshold rule: "
        f"{_values(records, lambda r: r.rule)}",
        f"± is the {statistics.accuracy.spread_kind} over the folds; [ ] are 95% intervals: "
        f"accuracy {_kind(statistics.accuracy.interval)}, others {_kind(statistics.auc.interval)} "
        f"({first.bootstrap.draws:,} draws)",
        "FTA: share of comparisons with a face that was not acquired; they stay in every number. "
        "kept, ratio: weights kept, and their share of the baseline's",
    ]
    if any(not point.resolvable for r in records for point in r.statistics.tar_at_far):
        lines.append(
            f"‡ unresolvable: {comparisons.nonmated:,} non-mated comparisons cannot tell this FAR "
            "from zero; the TAR is the one without any false accept"
        )
    if len(records) > 1:
        lines.append(
            f"vs first: difference in points of accuracy{_bootstrap(first)}; p, and ▲ ▼ "
            "(significant at 5%) or ≈ (not): exact McNemar test on the paired decisions, not "
            "corrected for the number of models"
        )
    return lines


def _not_published(record: Record) -> list[str]:
    """The line for comparisons that are not the protocol's; the notice of synthetic faces says it
    already for a twin's list of the right length.
    """
    protocol, total = record.protocol, record.comparisons.total
    if total != protocol.published_comparisons:
        what = f"{total:,} comparisons, the protocol has {protocol.published_comparisons:,}"
    elif protocol.published_list is False and record.data.kind == "real":
        what = f"other {total:,} comparisons or folds than the protocol's"
    else:
        return []
    return [f"NOT THE PUBLISHED LIST: {what}; not comparable with published numbers"]


def _bootstrap(first: Record) -> str:
    """What the intervals of the differences are."""
    draws = first.bootstrap.draws
    units = "comparisons" if first.comparisons.subjects is None else "subjects"
    return f" [95% interval: paired bootstrap over {units}, {draws:,} draws]" if draws else ""


def _values(records: Sequence[Record], what: Callable[[Record], str]) -> str:
    """The value that all records share, or all values."""
    found = list(dict.fromkeys(what(record) for record in records))
    return found[0] if len(found) == 1 else f"{'; '.join(found)} (which: see the signatures)"


def _kind(interval: IntervalSection | None) -> str:
    return interval.kind if interval else "none"


def _interval(interval: IntervalSection | None) -> str:
    return f"[{_percent(interval.low)}, {_percent(interval.high)}]" if interval else ""


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"


def _count(number: int | None) -> str:
    if number is None:
        return "–"
    return f"{number / 1e6:.2f} M" if number >= 1e6 else f"{number:,}"


def _ratio(ratio: float | None) -> str:
    return "–" if ratio is None else f"{ratio:.3f}"


def _size(size: int | None) -> str:
    if size is None:
        return "–"
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"
