"""Putting a record together: the one place where a signature and a table of scores are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from facebench import __version__
from facebench.protocols.cards import ProtocolCard, VerificationCard
from facebench.protocols.outcome import FoldOutcome, Outcome
from facebench.reporting.record import Record
from facebench.reporting.record_sections import (
    BootstrapSection,
    ComparisonsSection,
    DataSection,
    EnvironmentSection,
    FailuresSection,
    ModelSection,
    ProtocolSection,
    RunSection,
    ScoresSection,
)
from facebench.reporting.scores import ScoreTable, record_name
from facebench.reporting.sections import (
    curve_section,
    rates_section,
    series_sections,
    verification_section,
)
from facebench.reporting.signature import signature_of


@dataclass(frozen=True)
class Facts:
    """What a record says beside its statistics.

    policy: what absent images are; failed_faces: how many faces were not acquired; seed: of the
    bootstrap. published_list, edition: see `facebench.reporting.record_sections.ProtocolSection`.
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
    notes: tuple[str, ...] = ()


def build_record(card: ProtocolCard, outcome: FoldOutcome | Outcome, facts: Facts) -> Record:
    """The record of an outcome, holding its statistics and, where they are kept, its scores."""
    table: ScoreTable | None
    if isinstance(outcome, FoldOutcome):
        assert isinstance(card, VerificationCard)
        table, parts = _fold_table(outcome), _of_folds(card, outcome)
    else:
        table, parts = _table(outcome), _of_rates(outcome)
    failed, total = parts.pop("failed"), parts["comparisons"].total
    draft = Record.model_construct(
        schema_version=1,
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


def _of_folds(card: VerificationCard, outcome: FoldOutcome) -> dict[str, Any]:
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
        "statistics": verification_section(card.spread, statistics),
        "curve": curve_section(statistics),
        "series": (),
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
        "failed": outcome.failed,
        "draws": outcome.draws,
    }


def _fold_table(outcome: FoldOutcome) -> ScoreTable:
    comparisons = outcome.comparisons
    people = comparisons.subjects
    return ScoreTable(
        scores=outcome.scores,
        decisions=outcome.statistics.accuracy.decisions,
        mated=comparisons.mated,
        folds=comparisons.folds,
        left_subjects=people[comparisons.left] if people is not None else None,
        right_subjects=people[comparisons.right] if people is not None else None,
    )


def _table(outcome: Outcome) -> ScoreTable | None:
    decided = outcome.decided
    if decided is None:
        return None
    return ScoreTable(
        scores=decided.scores,
        decisions=decided.decisions,
        mated=decided.mated,
        folds=decided.parts,
        left_subjects=decided.left_subjects,
        right_subjects=decided.right_subjects,
        ranks=decided.ranks,
    )
