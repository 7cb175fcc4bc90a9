"""What the runs of a history are drawn along."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import get_args

from facebench.base.errors import UserError
from facebench.base.options import require
from facebench.base.vocabulary import Along
from facebench.records.record import Record


@dataclass(frozen=True)
class Axis:
    """name: in words; place: of a record and its position; None: the record does not tell."""

    along: Along
    name: str
    place: Callable[[Record, int], float | None]

    @property
    def of_models(self) -> bool:
        """Whether it is what a model takes, of which less is better."""
        return self.along not in ("date", "run")


_AXES = {
    axis.along: axis
    for axis in (
        Axis("kept", "kept parameters", lambda record, _: record.model.kept_parameters),
        Axis("bytes", "bytes", lambda record, _: record.model.bytes),
        Axis("multiply-adds", "multiply-adds", lambda record, _: _products(record)),
        Axis("date", "date", lambda record, _: moment_of(record.run.created)),
        Axis("run", "run", lambda _, position: position + 1),
    )
}


def axis_of(records: Sequence[Record], along: Along | None) -> Axis:
    """The axis that is named; None: kept parameters where all runs tell them, else bytes.

    UserError: no such axis, or no record tells its datum.
    """
    if along is None:
        every = all(record.model.kept_parameters for record in records)
        return _AXES["kept" if every else "bytes"]
    axis = _AXES[along]
    if not any(axis.place(record, number) for number, record in enumerate(records)):
        first = records[0]
        raise UserError(
            f"--x {along}: no record on {first.protocol.name} ({first.data.fingerprint}) tells its "
            f"{axis.name}; evaluate the models again, or take --x run"
        )
    return axis


def require_along(along: object) -> None:
    """UserError where it is no name of an axis."""
    if along is not None and along not in _AXES:
        require("x", along, (str,), "'bytes'")
        raise UserError(f"--x {along!r}: is none of {', '.join(get_args(Along))}")


def moment_of(created: str) -> float | None:
    """Seconds since 1970 of an ISO 8601 moment; one without a zone is UTC. None: it is none."""
    try:
        found = datetime.fromisoformat(created)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _products(record: Record) -> int | None:
    kept = record.model.kept_multiply_adds
    return record.model.multiply_adds if kept is None else kept
