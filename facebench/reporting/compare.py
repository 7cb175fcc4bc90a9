"""Which records may stand in one table, and how a model compares with the table's first one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from facebench.errors import UserError
from facebench.reporting.paired_rates import search_difference, tar_differences
from facebench.reporting.record import Record
from facebench.reporting.record_sections import BootstrapSection, RateSection, RatesSection
from facebench.reporting.scores import ScoreTable
from facebench.statistics.intervals import Interval
from facebench.statistics.paired import mcnemar_exact, paired_bootstrap
from facebench.statistics.weighted import WeightedStatistic, weighted_accuracy

SIGNIFICANCE = 0.05
SURE_DRAWS = 10_000  # of a bootstrap whose interval ends so near zero that the mark rests on chance
_NEAR = 0.065  # of the width: three standard errors of an end at 1,000 draws


@dataclass(frozen=True)
class Paired:
    """Against the reference: difference of the headline numbers (a share).

    p_value: of the exact McNemar test on decisions, None for rates; interval: of the difference, by
    a paired bootstrap over subjects; None where no draws were asked for or the scores do not give
    it.
    """

    difference: float
    p_value: float | None
    interval: Interval | None

    @property
    def significant(self) -> bool:
        """Whether the two differ more than chance explains, at 5%.

        Accuracy must pass both tests: McNemar's takes comparisons for independent, and calls equal
        models different too often where they share people. So nothing is without an interval.
        """
        if self.interval is None or self.interval.low <= 0 <= self.interval.high:
            return False
        return self.p_value is None or self.p_value < SIGNIFICANCE

    @property
    def mark(self) -> str:
        """``▲ ▼`` significantly better or worse, ``≈`` not, nothing where no interval tells."""
        if not self.significant:
            return "≈" if self.interval is not None else ""
        return "▼" if self.difference < 0 else "▲"


def require_same_data(records: Sequence[Record]) -> None:
    """UserError unless all records are of the same protocol, comparisons, faces and alignment.

    Synthetic faces are never compared with photographs, nor one list of pairs with another.
    """
    for record in records[1:]:
        first = records[0]
        if record.data.kind != first.data.kind:
            raise UserError(
                f"{record.model.id} was evaluated on {record.data.kind} faces and {first.model.id} "
                f"on {first.data.kind} ones; they are never compared: evaluate both on one --data"
            )
        for what, one, other in zip(
            ("protocols", "faces", "comparisons", "alignments"),
            _key(first),
            _key(record),
            strict=True,
        ):
            if one != other:
                raise UserError(
                    f"{first.model.id} and {record.model.id} were evaluated with different {what} "
                    f"({one} and {other}); evaluate both on the same"
                )


def group_records(records: Sequence[Record]) -> list[list[Record]]:
    """Records by (protocol, faces, comparisons, alignment), one group per table, in order of
    appearance.
    """
    groups: dict[tuple[str, ...], list[Record]] = {}
    for record in records:
        groups.setdefault(_key(record), []).append(record)
    return list(groups.values())


def compare_paired(reference: Record, record: Record) -> Paired | None:
    """Exact McNemar on the decisions of both (accuracy), and a paired bootstrap of the difference
    in the headline number, with the reference's draws and seed, or `SURE_DRAWS` where an end of the
    interval is so near zero that the mark would rest on the draw; None where a record came without
    its scores.

    UserError where the two are not of the same data.
    Sources: those of `mcnemar_exact` and `paired_bootstrap` in `facebench.statistics.paired`.
    """
    require_same_data([reference, record])
    one, other = reference.table, record.table
    if one is None or other is None or not np.array_equal(one.mated, other.mated):
        return None
    difference = record.statistics.headline.value - reference.statistics.headline.value
    drawn = reference.bootstrap
    if isinstance(reference.statistics, RatesSection):
        assert isinstance(record.statistics, RatesSection)
        rates = (reference.statistics.headline, record.statistics.headline)
        found = _steady(lambda draws: _rate_interval(rates, one, other, draws, drawn.seed), drawn)
        return Paired(difference, None, found)
    p_value = mcnemar_exact(one.correct, other.correct).p_value
    found = _steady(lambda draws: _interval(one, other, draws, drawn.seed), drawn)
    return Paired(difference, p_value, found)


def draws_text(draws: int) -> str:
    """How many draws an interval of `compare_paired` has, in words for a caption."""
    more = f", {SURE_DRAWS:,} where it ends near zero" if draws < SURE_DRAWS else ""
    return f"{draws:,} draws{more}"


def _steady(
    interval_of: Callable[[int], Interval | None], drawn: BootstrapSection
) -> Interval | None:
    """The interval of so many draws, or of more where an end is near zero; None: no draws."""
    found = interval_of(drawn.draws) if drawn.draws else None
    if found is None or drawn.draws >= SURE_DRAWS:
        return found
    nearest = min(abs(found.low), abs(found.high))
    return interval_of(SURE_DRAWS) if nearest < _NEAR * (found.high - found.low) else found


def _rate_interval(
    rates: tuple[RateSection, RateSection],
    one: ScoreTable,
    other: ScoreTable,
    draws: int,
    seed: int,
) -> Interval | None:
    """Of the difference in a rate; comparisons and searches are thresholded anew in every draw."""
    if one.left_subjects is None:
        return None
    rate = rates[0]
    try:
        if rate.name in ("DIR", "TPIR") or (rate.name, rate.target) == ("rank", 1):
            far = None if rate.name == "rank" else rate.target
            return search_difference(far, one, other, draws=draws, seed=seed).interval
        if rate.name != "TAR":
            return None
        (found,) = tar_differences([rates], one, other, draws=draws, seed=seed)
    except ValueError as error:
        raise UserError(f"cannot compare the two models: {error}") from error
    return found.interval if found else None


def _interval(one: ScoreTable, other: ScoreTable, draws: int, seed: int) -> Interval:
    """Decisions are held fixed, as in the interval of one accuracy, and take the scores' place."""

    def accuracy(decisions: ArrayLike, mated: ArrayLike) -> WeightedStatistic:
        return weighted_accuracy(np.equal(np.asarray(decisions) > 0, mated), one.folds)

    return paired_bootstrap(
        accuracy,
        one.decisions.astype(np.float64),
        other.decisions.astype(np.float64),
        one.mated,
        one.left_subjects,
        one.right_subjects,
        draws=draws,
        rng=np.random.default_rng(seed),
        independent=_people(one),
    ).interval


def _people(table: ScoreTable) -> int:
    """Units that accuracy rests on, as in `paired_verification`."""
    people = table.left_subjects
    return table.mated.size if people is None else int(np.unique(people).size)


def data_of(record: Record) -> tuple[str, str, str]:
    """The protocol, faces and comparisons of a record."""
    protocol = record.protocol
    name = f"{protocol.name} v{protocol.version}{protocol.edition}"
    return name, record.data.fingerprint, record.comparisons.fingerprint


def _key(record: Record) -> tuple[str, ...]:
    return *data_of(record), record.alignment
