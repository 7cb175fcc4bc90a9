"""Accuracy over a sequence of runs, and the first run that fell significantly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, get_args

from facebench.base.errors import UserError, nearest
from facebench.base.options import listed, require
from facebench.base.vocabulary import Along
from facebench.comparison.paired import Paired, corrected, paired_with_first
from facebench.records.agreement import require_recounted
from facebench.records.comparability import (
    measure_of,
    method_of,
    require_comparable,
    told_apart,
)
from facebench.records.find import records_in
from facebench.records.frames import Results, Scalar, Shown, frame_of
from facebench.records.groups.named import group_statistic
from facebench.records.record import Record, template_kind
from facebench.records.sections import COUNTED_LATER, IntervalSection, ModelSection
from facebench.records.statistics import (
    OF_MODELS,
    OF_PROTOCOLS,
    find_statistic,
    require_statistic,
    statistic_name,
    statistics_in,
)

if TYPE_CHECKING:
    from pandas import DataFrame

_SHOWN = 12  # names of runs in an error
_DIGITS = 4  # of a digest, at least, that name a run


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
        Axis("date", "date", lambda record, _: _moment_of(record)),
        Axis("run", "run", lambda _, position: position + 1),
    )
}


@dataclass(frozen=True)
class HistoryRun:
    """One record. value: a share, and its interval; against: paired with the reference, as one of
    all runs tested, None: it is the reference; place: on the axis, None: not known.
    """

    record: Record
    value: float
    interval: IntervalSection | None
    against: Paired | None
    place: float | None

    @property
    def fell(self) -> bool:
        """Whether it is significantly worse than the reference, at 5% over all runs."""
        return self.against is not None and self.against.verdict == "worse"


@dataclass(frozen=True)
class History(Shown):
    """The runs of one protocol on one data set, oldest first.

    axis: what runs are drawn along; reference: the position of the run that the others are held
    against; x: the axis that was asked for.
    """

    statistic: str
    axis: Axis
    runs: tuple[HistoryRun, ...]
    reference: int = 0
    x: Along | None = None

    @property
    def versus(self) -> str:
        """What the others are held against, in words: ``first``, or the run's name."""
        return self.names[self.reference] if self.reference else "first"

    @cached_property
    def names(self) -> list[str]:
        """What the runs are called: a model, what else tells it from its likes, or its number."""
        records = [run.record for run in self.runs]
        told = [(r.model.id, own) for r, own in zip(records, told_apart(records), strict=True)]
        names = []
        for number, (model, own) in enumerate(told, start=1):
            again = [f"run {number}"] if told.count((model, own)) > 1 else []
            aside = "; ".join([own] * bool(own) + again)
            names.append(f"{model} ({aside})" if aside else model)
        return names

    @property
    def models(self) -> list[ModelSection]:
        """The models of the runs."""
        return [run.record.model for run in self.runs]

    @property
    def first(self) -> Record:
        return self.runs[0].record

    @property
    def first_fall(self) -> int | None:
        """The position of the first run that fell significantly, None: none did."""
        return next((number for number, run in enumerate(self.runs) if run.fell), None)

    def rows(self) -> list[dict[str, Scalar]]:
        """One for every run; shares in full precision."""
        return [self._row(number, run) for number, run in enumerate(self.runs)]

    def _row(self, number: int, run: HistoryRun) -> dict[str, Scalar]:
        record, against = run.record, run.against
        paired = against.interval if against else None
        return {
            "data_kind": record.data.kind,
            "protocol": record.protocol.name,
            "data": record.data.fingerprint,
            "run": number + 1,
            "model": record.model.id,
            "created": record.run.created,
            "statistic": self.statistic,
            "value": run.value,
            "low": run.interval.low if run.interval else None,
            "high": run.interval.high if run.interval else None,
            "difference": against.difference if against else None,
            "difference_low": paired.low if paired else None,
            "difference_high": paired.high if paired else None,
            "p_value": against.p_value if against else None,
            "p_holm": against.adjusted if against else None,
            "fell": run.fell,
            "first_fall": number == self.first_fall,
            "parameters": record.model.parameters,
            "kept_parameters": record.model.kept_parameters,
            "compression_ratio": record.model.compression_ratio,
            "bytes": record.model.bytes,
            **{name: getattr(record.model, name) for name in COUNTED_LATER},
            "template": template_kind(record.model),
            "bytes_per_face": record.model.bytes_per_face,
            "digest": record.digest(),
        }

    def to_frame(self) -> DataFrame:
        """One row for every run; shares."""
        signatures = [run.record.signature for run in self.runs]
        rows = zip(self.rows(), signatures, strict=True)
        return frame_of(row | {"signature": signature} for row, signature in rows)


def history(
    records: str | PathLike[str] | Sequence[Record],
    statistic: str | None = None,
    *,
    reference: str | None = None,
    x: Along | None = None,
) -> Results[History]:
    """Runs in the order in which they were made, and which was the first to fall significantly.

    Parameters
    ----------
    records : str, path, or sequence of Record
        A folder of records, e.g. of a pruning run, or records.
    statistic : str, optional
        Such as ``accuracy`` or ``tar@0.001``; by default the protocol's first.
    reference : str, optional
        The run that the others are held against: a model, or the beginning of a record's digest; by
        default the first run.
    x : {'kept', 'bytes', 'multiply-adds', 'date', 'run'}, optional
        What runs are drawn along, and the first column of their table; by default kept parameters
        where all runs tell them, else bytes.

    Returns
    -------
    Results of History
        One for every protocol, data, similarity, pooling and template. Runs are in the order in
        which they were first made; of those of one moment the one that kept more comes first. A
        model that went back to an earlier state is a run again. p-values are corrected for the
        number of runs (Holm); ``first_fall`` is the position of the first run that is significantly
        worse, or None.

    Raises
    ------
    UserError
        No records, a wrong one, runs that cannot be compared, no such statistic, reference or x, or
        an x that no record tells.

    Examples
    --------
    >>> import facebench
    >>> base, *_ = facebench.compare("baseline", "sparse_074", protocol="lfw")
    >>> (found,) = facebench.history([base.base, base.candidate], reference="baseline")
    >>> sorted(run.record.model.id for run in found.runs), found.first_fall
    (['baseline', 'sparse_074'], None)
    """
    require("statistic", statistic, (str, NoneType), "'accuracy'")
    require("reference", reference, (str, NoneType), "'baseline'")
    _require_along(x)
    name = _name(statistic)
    if not isinstance(records, (str, PathLike)):
        records = listed("records", records, "'records', a folder of them")
        for record in records:
            require("records", record, (Record,), "a folder, or a list of Record")
    else:
        if not Path(records).is_dir():
            raise UserError(f"{records}: is not a folder of records")
        records = [record for _, record in records_in(str(records))]
    made = {(record.digest(), record.run.created): record for record in reversed(records)}
    for record in made.values():
        require_recounted(record)
    kept = list(made.values())
    if name is not None and group_statistic(name):
        kept = [one for one in kept if find_statistic(one, name)] or kept  # of which it is refused
    ordered = sorted([*kept, *_back_again(kept)], key=_age)
    return Results(_history(group, name, reference, x) for group in _by_setting(ordered))


def in_order(records: Sequence[Record]) -> list[History]:
    """Histories of records as they stand, each against the first: what one evaluation made."""
    return [_history(group, None, None) for group in _by_setting(records)]


def _name(statistic: str | None) -> str | None:
    """As records name it; UserError: there is none, or it is of models."""
    if statistic is None:
        return None
    if statistic.lower() in OF_MODELS:
        raise UserError(
            f"--statistic {statistic}: is of the model and stands in every table; name one of a "
            f"protocol ({', '.join(OF_PROTOCOLS)})"
        )
    try:
        of_groups = group_statistic(statistic)
        if of_groups is not None and not of_groups.percent:
            raise ValueError(f"{of_groups.name} is no rate; name one, e.g. worst_group_fnmr@0.001")
        return of_groups.text if of_groups else statistic_name(statistic, OF_PROTOCOLS)
    except ValueError as error:
        raise UserError(f"--statistic: {error}") from None


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
    """Records by protocol and data; other methods are histories of their own."""
    groups: dict[tuple[str, ...], dict[tuple[str, ...], list[Record]]] = {}
    for record in records:
        groups.setdefault(_data_of(record), {}).setdefault(method_of(record), []).append(record)
    return [group for of_data in groups.values() for group in of_data.values()]


def _history(
    records: Sequence[Record],
    statistic: str | None,
    reference: str | None,
    x: Along | None = None,
) -> History:
    at = _reference(records, reference)
    first = records[at]
    name = statistic or statistics_in(first)[0]
    others = [record for number, record in enumerate(records) if number != at]
    for record in others:
        require_comparable(first, record)
        require_statistic(record, name)
    tested = corrected(paired_with_first(first, others, name))
    against = [*tested[:at], None, *tested[at:]]
    axis = _axis_of(records, x)
    runs = []
    for number, (record, one) in enumerate(zip(records, against, strict=True)):
        found, place = require_statistic(record, name), axis.place(record, number)
        runs.append(HistoryRun(record, found.value, found.interval, one, place))
    return History(name, axis, tuple(runs), at, x)


def _data_of(record: Record) -> tuple[str, str, str]:
    """The protocol, faces and comparisons of a record."""
    protocol = record.protocol
    name = f"{protocol.name} v{protocol.version}{protocol.edition}"
    return name, record.data.fingerprint, record.comparisons.fingerprint


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
    more = [f"{len(known) - _SHOWN} more"] if len(known) > _SHOWN else []
    raise UserError(
        f"--reference {named}: no run on {first.protocol.name} ({first.data.fingerprint}) has that "
        f"name{nearest(named, known)} (runs: {', '.join(known[:_SHOWN] + more)}; or the first "
        "digits of a digest)"
    )


def _axis_of(records: Sequence[Record], along: Along | None) -> Axis:
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


def _require_along(along: object) -> None:
    """UserError where it is no name of an axis."""
    require("x", along, (str, NoneType), "'bytes'")
    if along is not None and along not in _AXES:
        raise UserError(f"--x {along!r}: is none of {', '.join(get_args(Along))}")


def _moment_of(record: Record) -> float | None:
    try:
        return record.run.moment
    except ValueError:
        return None


def _products(record: Record) -> int | None:
    kept = record.model.kept_multiply_adds
    return record.model.multiply_adds if kept is None else kept
