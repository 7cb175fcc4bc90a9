"""Putting a record together: the one place where a signature and a table of scores are made."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from facebench.base.version import __version__
from facebench.protocols.cards import ProtocolCard, SpreadKind
from facebench.protocols.outcome import Decided, FoldOutcome, Outcome, Rate
from facebench.records.groups.made import groups_section
from facebench.records.record import SCHEMA_VERSION, Record, signature_of
from facebench.records.scores import ScoreTable, record_name
from facebench.records.sections import (
    AccuracySection,
    BootstrapSection,
    ComparisonsSection,
    CurveSection,
    DataSection,
    DeployedSection,
    EnvironmentSection,
    Estimate,
    FailuresSection,
    IntervalSection,
    ModelSection,
    OperatingPointSection,
    ProtocolSection,
    RateSection,
    RatesSection,
    RecallSection,
    RunSection,
    ScoresSection,
    SeparationSection,
    SeriesSection,
    VerificationSection,
    drawn_text,
)
from facebench.statistics.folds import FoldAccuracy
from facebench.statistics.intervals.exact import Interval, tar_key
from facebench.statistics.roc import OperatingPoint
from facebench.statistics.verification import RocStatistics, VerificationStatistics


@dataclass(frozen=True)
class Facts:
    """What a record says beside its statistics.

    policy: what absent images are; failed_faces: how many faces were not acquired; seed: of the
    bootstrap; deployed: rates at a threshold that was named. published_list, edition: see
    `facebench.records.sections.ProtocolSection`.
    """

    model: ModelSection
    data: DataSection
    alignment: str
    pooling: str
    similarity: str
    policy: Literal["error", "count"]
    failed_faces: int
    seed: int
    environment: EnvironmentSection
    run: RunSection
    published_list: bool | None = None
    edition: str = ""
    deployed: DeployedSection | None = None
    notes: tuple[str, ...] = ()


def build_record(card: ProtocolCard, outcome: FoldOutcome | Outcome, facts: Facts) -> Record:
    """The record of an outcome, holding its statistics and, where they are kept, its scores."""
    parts = _of_folds(outcome) if isinstance(outcome, FoldOutcome) else _of_rates(outcome)
    table = None if outcome.decided is None else score_table(outcome.decided)
    failed, total = parts.pop("failed"), parts["comparisons"].total
    if facts.deployed is not None:
        parts["statistics"] = parts["statistics"].model_copy(update={"deployed": facts.deployed})
    draft = Record.model_construct(
        schema_version=SCHEMA_VERSION,
        signature="",
        facebench=__version__,
        model=facts.model,
        protocol=_protocol(card, facts),
        data=facts.data,
        alignment=facts.alignment,
        pooling=facts.pooling,
        similarity=facts.similarity,
        failures_to_acquire=FailuresSection(
            policy=facts.policy,
            faces=facts.failed_faces,
            faces_share=facts.failed_faces / max(facts.data.faces, 1),
            comparisons=failed,
            share=failed / max(total, 1),
        ),
        bootstrap=BootstrapSection(draws=parts.pop("draws"), seed=facts.seed),
        environment=facts.environment,
        scores=None,
        run=facts.run,
        notes=facts.notes,
        **parts,
    )
    signature = signature_of(draft)
    values = dict(draft) | {"signature": signature}
    if table is None:
        return Record.model_validate(values).sealed()
    values["scores"] = ScoresSection.of(table, record_name(facts.model.id, signature))
    return Record.model_validate(values).sealed().with_table(table)


def _protocol(card: ProtocolCard, facts: Facts) -> ProtocolSection:
    return ProtocolSection(
        name=card.name,
        kind=card.kind,
        version=card.version,
        edition=facts.edition,
        title=card.title,
        source=card.source,
        published_comparisons=card.published_comparisons,
        published_list=facts.published_list,
    )


def _of_folds(outcome: FoldOutcome) -> dict[str, Any]:
    statistics = outcome.statistics
    return {
        "rule": statistics.accuracy.rule,
        "comparisons": ComparisonsSection(
            total=statistics.n_comparisons,
            mated=statistics.n_mated,
            nonmated=statistics.n_nonmated,
            folds=len(statistics.accuracy.labels),
            subjects=statistics.n_subjects,
            fingerprint=outcome.comparisons.fingerprint,
        ),
        "statistics": verification_section(outcome.spread_kind, statistics),
        "curve": curve_section(statistics),
        "series": (),
        "groups": tuple(map(groups_section, outcome.groups)),
        "failed": statistics.failures_to_acquire,
        "draws": statistics.draws,
    }


def _of_rates(outcome: Outcome) -> dict[str, Any]:
    return {
        "rule": outcome.rule,
        "comparisons": ComparisonsSection(
            total=outcome.total,
            mated=outcome.mated,
            nonmated=outcome.nonmated,
            folds=outcome.number_of_parts,
            subjects=outcome.subjects,
            fingerprint=outcome.fingerprint,
        ),
        "statistics": rates_section(outcome),
        "curve": None,
        "series": series_sections(outcome),
        "groups": (),
        "failed": outcome.failed,
        "draws": outcome.draws,
    }


def score_table(decided: Decided) -> ScoreTable:
    """What is kept of every comparison or search."""
    return ScoreTable(
        scores=decided.scores,
        decisions=decided.decisions,
        mated=decided.mated,
        folds=decided.parts,
        left_subjects=decided.left_subjects,
        right_subjects=decided.right_subjects,
        ranks=decided.ranks,
        labels=decided.labels,
    )


def verification_section(
    spread: SpreadKind, statistics: VerificationStatistics
) -> VerificationSection:
    """The statistics of a verification; spread: what ± is."""
    intervals = statistics.intervals
    separation = statistics.separation
    return VerificationSection(
        accuracy=accuracy_section(spread, statistics.accuracy, intervals.get("accuracy")),
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


def roc_estimates(found: RocStatistics) -> dict[str, Estimate]:
    """AUC, EER and TAR at FARs by the names that rules and cards use."""
    points = [_point(point, found.intervals) for point in found.tar_at_far]
    return {
        "auc": Estimate(value=found.auc, interval=_interval(found.intervals, "auc")),
        "eer": Estimate(value=found.eer, interval=_interval(found.intervals, "eer")),
        **{point.label: point for point in points},
    }


def rates_section(outcome: Outcome) -> RatesSection:
    """The rates of identification, template and all-pairs protocols."""
    found = outcome.recall
    return RatesSection(
        parts=outcome.parts,
        number_of_parts=outcome.number_of_parts,
        rates=tuple(map(rate_section, outcome.rates)),
        counts=outcome.counts,
        recall=None if found is None else RecallSection(**vars(found)),
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


def rate_section(rate: Rate) -> RateSection:
    """One rate."""
    return RateSection(
        value=rate.value,
        interval=IntervalSection.of_any(rate.interval),
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
    return CurveSection.of(
        curve.far.tolist(), curve.tar.tolist(), statistics.n_nonmated, statistics.n_mated
    )


def accuracy_section(
    spread_kind: SpreadKind, accuracy: FoldAccuracy, interval: Interval | None
) -> AccuracySection:
    """The accuracy over folds; spread_kind: what ± is."""
    spread = accuracy.standard_error
    if spread_kind == "standard deviation":
        spread *= math.sqrt(len(accuracy.per_fold))
    return AccuracySection(
        value=accuracy.accuracy,
        interval=IntervalSection.of_any(interval),
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
    return IntervalSection.of_any(intervals.get(name))
