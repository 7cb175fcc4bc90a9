"""Two models on the same comparisons: exact McNemar and a paired bootstrap over subjects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from facebench.statistics.checks import (
    FloatArray,
    checked_comparisons,
    checked_flags,
    checked_level,
)
from facebench.statistics.intervals import Interval, percentile_interval
from facebench.statistics.resample import Units
from facebench.statistics.weighted import Statistic


@dataclass(frozen=True)
class McNemar:
    """only_a, only_b: comparisons that only that model decided rightly; p_value: two-sided."""

    only_a: int
    only_b: int
    p_value: float


@dataclass(frozen=True)
class Difference:
    """estimate: candidate minus baseline, in the statistic's unit; interval: of that difference;
    p_value: two-sided, see `bootstrap_p_value`.
    """

    estimate: float
    interval: Interval
    p_value: float

    @property
    def significant(self) -> bool:
        """Whether the interval excludes zero."""
        return self.interval.low > 0 or self.interval.high < 0


def bootstrap_p_value(values: FloatArray) -> float:
    """Two-sided p-value of no difference, from the differences float[draws] of a paired bootstrap.

    Twice the smaller share of draws at or beyond zero, the data themselves counted as one draw: the
    percentile interval read the other way round, so that both agree up to a draw or two.
    Source: Davison and Hinkley 1997, chapters 4 and 5.
    """
    beyond = min(int(np.count_nonzero(values <= 0)), int(np.count_nonzero(values >= 0)))
    return min(1.0, 2.0 * (beyond + 1) / (values.size + 1))


def mcnemar_exact(correct_a: ArrayLike, correct_b: ArrayLike) -> McNemar:
    """Two-sided exact binomial test that neither model is right more often where they differ.

    correct_a, correct_b: bool[n], whether each model decided the same comparisons rightly. The
    p-value is twice the tail of Binomial(only_a + only_b, 1/2) at the smaller count, at most 1, and
    1 when the models never differ. ValueError: empty, not boolean, differing lengths.
    Source: McNemar 1947, in its exact conditional form.
    """
    a = np.asarray(correct_a)
    if a.ndim != 1 or a.size == 0:
        raise ValueError(f"mcnemar_exact: correct_a has shape {a.shape}; pass bool[n], n >= 1")
    a = checked_flags(a, a.size, "correct_a", "mcnemar_exact")
    b = checked_flags(correct_b, a.size, "correct_b", "mcnemar_exact")
    # Late: SciPy's import would cost every run a fifth of a second.
    from scipy.special import bdtr

    only_a, only_b = int(np.count_nonzero(a & ~b)), int(np.count_nonzero(b & ~a))
    tail = float(bdtr(min(only_a, only_b), only_a + only_b, 0.5)) if only_a + only_b else 1.0
    return McNemar(only_a, only_b, min(1.0, 2.0 * tail))


def paired_bootstrap(
    statistic: Statistic,
    baseline: ArrayLike,
    candidate: ArrayLike,
    mated: ArrayLike,
    subjects_a: ArrayLike | None,
    subjects_b: ArrayLike | None,
    *,
    draws: int = 1000,
    rng: np.random.Generator,
    level: float = 0.95,
) -> Difference:
    """Difference of a statistic, candidate minus baseline, with its interval over subjects.

    baseline, candidate: float[n], the two models' scores of the same comparisons; both are weighted
    by the same draws, so what is common to them cancels. The other arguments and errors are those
    of `bootstrap_over_subjects`.
    Source: Bolle, Ratha, Pankanti 2004; Owen 2007; pairing as in Koehn 2004.
    """
    where = "paired_bootstrap"
    first, flags = checked_comparisons(baseline, mated, where)
    second, _ = checked_comparisons(candidate, mated, where)
    checked_level(level, where)
    units = Units.of(flags, subjects_a, subjects_b, where)
    of_baseline, of_candidate = statistic(first, flags), statistic(second, flags)
    once = np.ones((1, flags.size), dtype=np.int64)
    estimate = float(of_candidate(once)[0] - of_baseline(once)[0])
    values = np.concatenate(
        [of_candidate(block) - of_baseline(block) for block in units.draw(draws, rng, where)]
    )
    return Difference(
        estimate, percentile_interval(values, level, units.kind), bootstrap_p_value(values)
    )
