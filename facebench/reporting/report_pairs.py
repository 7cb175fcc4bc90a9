"""The paired tests behind a report's marks: each pair of records is tested once in a run."""

from __future__ import annotations

from collections.abc import Sequence

from facebench.errors import UserError
from facebench.reporting.compare import compare_each
from facebench.reporting.paired_statistics import PairedStatistic
from facebench.reporting.record import Record

_PAIRED: dict[tuple[str, str], PairedStatistic | None] = {}


def pair_all(base: Record, records: Sequence[Record]) -> None:
    """Test records against one, from the same resamples: one at a time is slow."""
    named = {(base.digest(), record.digest()): record for record in records}
    new = {key: record for key, record in named.items() if key not in _PAIRED}
    try:
        _PAIRED.update(zip(new, compare_each(base, list(new.values())), strict=True))
    except UserError:  # one is of other settings or faces: no pairs to compare
        if len(new) == 1:
            _PAIRED.update(dict.fromkeys(new))
        else:
            for record in new.values():
                pair_all(base, [record])


def paired(base: Record, record: Record) -> PairedStatistic | None:
    """A record against another; None: they have no pairs to compare."""
    pair_all(base, [record])
    return _PAIRED[base.digest(), record.digest()]
