"""What a record alone comes to, and what must be said before any number of it."""

from __future__ import annotations

from facebench.base.text import percent, plural
from facebench.comparison.verdict.words import comparisons_text, unit_of
from facebench.records.record import Record
from facebench.records.statistics import find_statistic, statistic_text, statistics_in


def single_verdict(record: Record) -> tuple[str, ...]:
    """A record's headline with its interval, and that nothing is compared yet."""
    name = statistics_in(record)[0]
    found = find_statistic(record, name)
    assert found is not None  # it is the record's own
    what = statistic_text(name)
    sure = "without an interval"
    if found.interval is not None:
        level = f"{100 * found.interval.level:g}%"
        sure = f"{level} from {percent(found.interval.low)} to {percent(found.interval.high)}"
    return (
        f"{record.model.id}: {what} {percent(found.value)}% on {record.protocol.name} "
        f"({comparisons_text(record)}), {sure}.",
        "Nothing is compared: name its reference as the first model to learn what it lost.",
    )


def warning_of(record: Record) -> str | None:
    """What stands above all numbers of a record: synthetic faces, or another list than published;
    None: neither. The notice of synthetic faces says it already of a twin's list.
    """
    protocol, total = record.protocol, record.comparisons.total
    if record.data.notice:
        return record.data.notice
    if protocol.published_comparisons not in (0, total):
        what = f"{comparisons_text(record)}, the protocol has {protocol.published_comparisons:,}"
    elif protocol.published_list is False:
        parts = "folds" if record.statistics.kind == "verification" else record.statistics.parts
        what = f"other {plural(unit_of(record))} or {parts} than the protocol's"
    else:
        return None
    return f"NOT THE PUBLISHED LIST: {what}; not comparable with published numbers"
