"""From statistics to the sections of a record."""

from __future__ import annotations

import math
from collections.abc import Mapping

from facebench.protocols.cards import SpreadKind
from facebench.protocols.outcome import Outcome, Rate
from facebench.reporting.record_sections import (
    AccuracySection,
    CurveSection,
    Estimate,
    IntervalSection,
    OperatingPointSection,
    RateSection,
    RatesSection,
    SeparationSection,
    SeriesSection,
    VerificationSection,
    drawn_text,
)
from facebench.statistics.intervals import Interval, tar_key
from facebench.statistics.roc import OperatingPoint
from facebench.statistics.verification import VerificationStatistics


def verification_section(
    spread: SpreadKind, statistics: VerificationStatistics
) -> VerificationSection:
    """The statistics of a verification; spread: what ± is."""
    intervals = statistics.intervals
    separation = statistics.separation
    return VerificationSection(
        accuracy=_accuracy(spread, statistics),
        auc=Estimate(value=statistics.auc, interval=_interval(intervals, "auc")),
        eer=Estimate(value=statistics.eer, interval=_interval(intervals, "eer")),
        tar_at_far=tuple(_point(point, intervals) for point in statistics.tar_at_far),
        separation=SeparationSection(
            mated_mean=separation.mated_mean,
            mated_std=separation.mated_std,
            nonmated_mean=separation.nonmated_mean,
            nonmated_std=separation.nonmated_std,
            d_prime=separation.d_prime,
        ),
    )


def rates_section(outcome: Outcome) -> RatesSection:
    """The rates of identification, template and all-pairs protocols."""
    return RatesSection(
        parts=outcome.parts,
        number_of_parts=outcome.number_of_parts,
        rates=tuple(_rate(rate) for rate in outcome.rates),
        counts=outcome.counts,
    )


def series_sections(outcome: Outcome) -> tuple[SeriesSection, ...]:
    """The curves of an outcome."""
    return tuple(
        SeriesSection(
            name=series.name,
            x_label=series.x_label,
            y_label=series.y_label,
            x=tuple(series.x.tolist()),
            y=tuple(series.y.tolist()),
            log=series.log,
        )
        for series in outcome.series
    )


def _rate(rate: Rate) -> RateSection:
    return RateSection(
        value=rate.value,
        interval=_section(rate.interval),
        name=rate.name,
        target=rate.target,
        spread=rate.spread if len(rate.per_part) > 1 else None,
        spread_kind=rate.spread_kind,
        per_part=rate.per_part,
        reached=rate.reached,
        thresholds=rate.thresholds,
        resolvable=rate.resolvable,
        over_people=rate.over_people,
        drawn=None if rate.drawn is None else drawn_text(rate.drawn),
    )


def curve_section(statistics: VerificationStatistics) -> CurveSection:
    """The thinned ROC."""
    curve = statistics.curve
    return CurveSection(far=tuple(curve.far.tolist()), tar=tuple(curve.tar.tolist()))


def _accuracy(spread_kind: SpreadKind, statistics: VerificationStatistics) -> AccuracySection:
    accuracy, intervals = statistics.accuracy, statistics.intervals
    spread = accuracy.standard_error
    if spread_kind == "standard deviation":
        spread *= math.sqrt(len(accuracy.per_fold))
    return AccuracySection(
        value=accuracy.accuracy,
        interval=_interval(intervals, "accuracy"),
        spread=spread,
        spread_kind=spread_kind,
        per_fold=tuple(accuracy.per_fold.tolist()),
        thresholds=tuple(accuracy.thresholds.tolist()),
        threshold_unit=accuracy.unit,
        folds=tuple(accuracy.labels.tolist()),
    )


def _point(point: OperatingPoint, intervals: Mapping[str, Interval]) -> OperatingPointSection:
    return OperatingPointSection(
        value=point.tar,
        interval=_interval(intervals, tar_key(point.target)),
        target=point.target,
        far=point.far,
        threshold=point.threshold,
        resolvable=point.resolvable,
        true_accepts=point.true_accepts,
        false_accepts=point.false_accepts,
    )


def _interval(intervals: Mapping[str, Interval], name: str) -> IntervalSection | None:
    return _section(intervals.get(name))


def _section(found: Interval | None) -> IntervalSection | None:
    if found is None:
        return None
    return IntervalSection(low=found.low, high=found.high, level=found.level, kind=found.kind)
