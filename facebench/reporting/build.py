"""Putting a record together: the one place where a signature and a table of scores are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from facebench import __version__
from facebench.protocols.cards import VerificationCard
from facebench.protocols.verification import Comparisons
from facebench.reporting.record import (
    BootstrapSection,
    ComparisonsSection,
    DataSection,
    EnvironmentSection,
    FailuresSection,
    ModelSection,
    ProtocolSection,
    Record,
    RunSection,
    ScoresSection,
)
from facebench.reporting.scores import ScoreTable, record_name
from facebench.reporting.sections import curve_section, verification_section
from facebench.reporting.signature import signature_of
from facebench.statistics.verification import VerificationStatistics

SINGLE_FACES = "none (single faces)"


@dataclass(frozen=True)
class Facts:
    """What a record says beside its statistics.

    policy: what absent images are; failed_faces: how many faces were not acquired; seed: of the
    bootstrap. published_list, edition: see `facebench.reporting.record.ProtocolSection`.
    """

    model: ModelSection
    data: DataSection
    alignment: str
    similarity: str
    policy: Literal["error", "count"]
    failed_faces: int
    seed: int
    environment: EnvironmentSection
    run: RunSection
    pooling: str = SINGLE_FACES
    published_list: bool | None = None
    edition: str = ""


def build_record(
    card: VerificationCard,
    comparisons: Comparisons,
    scores: NDArray[np.floating],
    statistics: VerificationStatistics,
    facts: Facts,
) -> Record:
    """The record of scores float[n] and their statistics, holding both."""
    people = comparisons.subjects
    table = ScoreTable(
        scores=scores,
        decisions=statistics.accuracy.decisions,
        mated=comparisons.mated,
        folds=comparisons.folds,
        left_subjects=people[comparisons.left] if people is not None else None,
        right_subjects=people[comparisons.right] if people is not None else None,
    )
    draft = Record.model_construct(
        schema_version=1,
        signature="",
        facebench=__version__,
        model=facts.model,
        protocol=ProtocolSection(
            name=card.name,
            kind=card.kind,
            version=card.version,
            edition=facts.edition,
            title=card.title,
            source=card.source,
            published_comparisons=card.comparisons,
            published_list=facts.published_list,
        ),
        data=facts.data,
        alignment=facts.alignment,
        pooling=facts.pooling,
        similarity=facts.similarity,
        rule=statistics.accuracy.rule,
        comparisons=_comparisons(comparisons, statistics),
        failures_to_acquire=FailuresSection(
            policy=facts.policy,
            faces=facts.failed_faces,
            faces_share=facts.failed_faces / len(comparisons.keys),
            comparisons=statistics.failures_to_acquire,
            share=statistics.failure_share,
        ),
        statistics=verification_section(card, statistics),
        curve=curve_section(statistics),
        bootstrap=BootstrapSection(draws=statistics.draws, seed=facts.seed),
        environment=facts.environment,
        scores=None,
        run=facts.run,
    )
    signature = signature_of(draft)
    beside = ScoresSection.of(table, record_name(facts.model.id, signature))
    values = dict(draft) | {"signature": signature, "scores": beside}
    return Record.model_validate(values).with_table(table)


def _comparisons(
    comparisons: Comparisons, statistics: VerificationStatistics
) -> ComparisonsSection:
    return ComparisonsSection(
        total=statistics.n_comparisons,
        mated=statistics.n_mated,
        nonmated=statistics.n_nonmated,
        folds=len(statistics.accuracy.labels),
        subjects=statistics.n_subjects,
        fingerprint=comparisons.fingerprint,
    )
