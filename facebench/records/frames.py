"""Statistics as pandas frames: one row a statistic, in the words of the records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from facebench.base.errors import UserError
from facebench.records.sections import (
    AccuracySection,
    Estimate,
    IntervalSection,
    OperatingPointSection,
    RateSection,
    RatesSection,
    VerificationSection,
)

if TYPE_CHECKING:
    from pandas import DataFrame

Scalar = str | int | float | bool | None


class Framed(Protocol):
    """What has a frame of its own: records, comparisons, histories, statistics of scores."""

    def to_frame(self) -> DataFrame:
        """One row for every statistic."""


One = TypeVar("One", bound=Framed, covariant=True)


class Shown:
    """A result that shows itself in a notebook, as the command line's pages do."""

    # Tables stand above results, so the public layer says what writes them.
    writer: ClassVar[Callable[[Any], str] | None] = None

    def _repr_html_(self) -> str | None:
        return None if Shown.writer is None else Shown.writer(self)


class Results(Shown, tuple[One, ...]):
    """Several results as one: records, or one comparison for every candidate."""

    def to_frame(self) -> DataFrame:
        """One row for every statistic of each."""
        return frame(self)


def frame(results: Framed | Iterable[Framed]) -> DataFrame:
    """Several results in one pandas frame, one row for every statistic of each.

    Parameters
    ----------
    results : Record, Comparison or whatever else has ``to_frame()``, or an iterable of them
        Kinds may be mixed; a column that a kind does not have is empty there.

    Returns
    -------
    pandas.DataFrame
        The rows of all, in their order, with the columns that the results have themselves: of
        records ``model``, ``protocol``, ``statistic``, ``value``, the interval as ``low``,
        ``high``, ``level`` and ``interval`` (its kind), ``spread``, ``signature`` and so on. Values
        are shares from 0 to 1. No results, no rows.

    Raises
    ------
    UserError
        Something among the results has no frame.

    Examples
    --------
    >>> import facebench
    >>> (one,) = facebench.compare("baseline", "sparse_074", protocol="lfw")
    >>> found = facebench.frame([one.base, one.candidate])
    >>> found[found["statistic"] == "accuracy"]["model"].tolist()
    ['baseline', 'sparse_074']
    """
    from pandas import DataFrame, concat

    parts = [_own(result) for result in _each(results)]
    return concat(parts, ignore_index=True) if parts else DataFrame()


def _each(results: Any) -> Iterable[Any]:
    """One result is one: a record, which would give its fields, or what is refused."""
    several = isinstance(results, Results) or not hasattr(results, "to_frame")
    return results if several and isinstance(results, Iterable) else [results]


def _own(result: Framed) -> DataFrame:
    if not hasattr(result, "to_frame"):
        raise UserError(f"a {type(result).__name__} has no frame; pass records or comparisons")
    return result.to_frame()


def frame_of(rows: Iterable[Mapping[str, Scalar]]) -> DataFrame:
    """A frame of rows that have the same columns."""
    from pandas import DataFrame

    return DataFrame(list(rows))


def named_estimates(section: VerificationSection | RatesSection) -> dict[str, Estimate]:
    """The statistics of a section by the names that rules and cards use, the headline first."""
    if isinstance(section, RatesSection):
        return {rate.label: rate for rate in section.rates}
    return {
        "accuracy": section.accuracy,
        "auc": section.auc,
        "eer": section.eer,
        **{point.label: point for point in section.tar_at_far},
    }


def estimate_row(name: str, estimate: Estimate) -> dict[str, Scalar]:
    """One statistic as a row: shares, None where a statistic has no such thing."""
    return {
        "statistic": name,
        "value": estimate.value,
        **interval_columns(shown_interval(estimate)),
        **spread_columns(estimate),
        "reached": _reached(estimate),
        "resolvable": getattr(estimate, "resolvable", True),
    }


def interval_columns(interval: IntervalSection | None) -> dict[str, Scalar]:
    """``low``, ``high``, ``level`` and ``interval``, its kind."""
    if interval is None:
        return {"low": None, "high": None, "level": None, "interval": None}
    low, high, level, kind = interval.low, interval.high, interval.level, interval.kind
    return {"low": low, "high": high, "level": level, "interval": kind}


def shown_interval(estimate: Estimate) -> IntervalSection | None:
    """The interval of tables, frames and exports: over people wherever they are known."""
    return estimate.shown if isinstance(estimate, AccuracySection) else estimate.interval


def spread_columns(estimate: Estimate) -> dict[str, Scalar]:
    """The number behind ±, where the statistic has one, and its kind."""
    spread = estimate.spread if isinstance(estimate, (AccuracySection, RateSection)) else None
    kind = None if spread is None else str(getattr(estimate, "spread_kind"))  # noqa: B009
    return {"spread": spread, "spread_kind": kind}


def _reached(estimate: Estimate) -> float | None:
    """The FAR or FPIR that was reached, the mean over parts."""
    if isinstance(estimate, OperatingPointSection):
        return estimate.far
    if isinstance(estimate, RateSection) and estimate.reached:
        return sum(estimate.reached) / len(estimate.reached)
    return None
