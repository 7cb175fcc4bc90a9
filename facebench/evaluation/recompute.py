"""A record's statistics again from the scores that lie beside it, by the rules of this version."""

from __future__ import annotations

import numpy as np

from facebench.base.errors import UserError
from facebench.base.version import __version__
from facebench.evaluation.build import curve_section, verification_section
from facebench.records.record import Record, signature_of
from facebench.records.scores import ScoreTable
from facebench.records.sections import VerificationSection
from facebench.statistics.verification import VerificationStatistics, verification_statistics


def recomputed(record: Record) -> Record:
    """A record of pairs in folds with values, intervals and curve as an evaluation would give now.

    Everything else, the time of its making too, stays. UserError: another kind of record, or one
    without its scores.
    """
    if not isinstance(record.statistics, VerificationSection) or record.table is None:
        raise UserError(
            f"the record of {record.model.id} on {record.protocol.name} keeps no scores of pairs "
            "in folds, from which its statistics could be computed again; evaluate it again"
        )
    statistics = _statistics(record, record.statistics, record.table)
    section = verification_section(record.statistics.spread_kind, statistics)
    changed = {
        "facebench": __version__,
        "statistics": section.model_copy(update={"deployed": record.statistics.deployed}),
        "curve": curve_section(statistics),
    }
    draft = record.model_copy(update=changed)
    again = Record.model_validate(dict(draft) | {"signature": signature_of(draft)})
    return again.with_table(record.table)


def _statistics(
    record: Record, statistics: VerificationSection, table: ScoreTable
) -> VerificationStatistics:
    return verification_statistics(
        table.scores,
        table.mated,
        table.folds,
        table.left_subjects,
        table.right_subjects,
        np.isfinite(table.scores),
        rule=record.rule,
        targets=[point.target for point in statistics.tar_at_far],
        draws=record.bootstrap.draws,
    )
