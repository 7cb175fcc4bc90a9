"""Which of a folder's records are of models as they are now: the newest of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facebench.records.comparability import labelling_of, measure_of, method_of
from facebench.records.find import records_in, version_of
from facebench.records.record import Record
from facebench.records.sections import UNKNOWN, UNSEEN


@dataclass(frozen=True)
class Newest:
    """records: those that count, in their order; older: those that do not."""

    records: tuple[Record, ...]
    older: tuple[Record, ...] = ()

    @property
    def passed_over(self) -> tuple[str, ...]:
        """A line for each record that does not count."""
        return tuple(map(passed_over_line, self.older))


def newest_in(name: str) -> Newest:
    """A record's file, or what counts of a folder of them; UserError: as `records_in`."""
    records = [record for _, record in records_in(name)]
    return newest(records) if Path(name).is_dir() else Newest(tuple(records))


def newest(records: Sequence[Record]) -> Newest:
    """The newest record of each model, measure, method and labelling of groups, of the weights that
    it had last.

    A model is known by its name. Where it was evaluated again with other weights, what the earlier
    ones had on other protocols does not count either: an evaluation that was cut short is no result
    of the new weights.
    """
    unique = {record.digest(): record for record in records}
    aged = sorted(unique.items(), key=_age)
    now: dict[str, str] = {}
    for _, record in aged:
        if _pinned(record):
            now[record.model.id] = record.model.weights_hash
    counting: dict[tuple[object, ...], str] = {}
    for digest, record in aged:
        if not _pinned(record) or record.model.weights_hash == now[record.model.id]:
            counting[_key(record)] = digest
    kept = set(counting.values())
    return Newest(
        tuple(record for digest, record in unique.items() if digest in kept),
        tuple(record for digest, record in unique.items() if digest not in kept),
    )


def _age(one: tuple[str, Record]) -> tuple[tuple[int, ...], str, str]:
    """Of a digest and its record; ascending, the newest last."""
    digest, record = one
    return version_of(record.facebench), record.run.latest, digest


def _pinned(record: Record) -> bool:
    """Whether its hash is of weights: that of embeddings which were given is of their file, and
    another one on every protocol.
    """
    return record.model.preprocessing not in (UNKNOWN, UNSEEN)


def _key(record: Record) -> tuple[object, ...]:
    model = record.model
    own = (model.id, model.flip, model.precision, model.variant)
    return own, measure_of(record), method_of(record), labelling_of(record)


def passed_over_line(record: Record) -> str:
    """What is said of a record that does not count."""
    model = record.model
    return (
        f"passed over: {model.id} on {record.protocol.name} (weights {model.weights_hash[:8]}, "
        f"made {record.run.latest[:19]}): older than what was judged"
    )
