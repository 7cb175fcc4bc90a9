"""The whole rule, drawn 10,000 times: a network that is really worse passes no oftener than said.

Pairs of people who make the same mistakes over and over; candidates of five sizes, each with the
losses of the smaller ones. The interval is computed for all runs at once, and is the gate's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.special import stdtrit
from scipy.stats import binomtest

from facebench.gate.rules import parse_rule
from facebench.lab.compress.plan import choosing_rule
from facebench.lab.compress.search import CandidateSearch, Look, size_of
from facebench.statistics.intervals.bootstrap import Units
from facebench.statistics.intervals.dyadic import FEW_CHANGED, Sharing, influenced_difference

RUNS, SIZES, MARGIN = 10_000, 5, 0.04
RULE = parse_rule(f"lfw.accuracy drop <= {100 * MARGIN:g}pt at 95%", "test")
WRONG = 0.025  # of one side of an interval at 95%
PEOPLE, PAIRS = 300, 600


@dataclass(frozen=True)
class Half:
    """People and pairs: first, second int64[PAIRS]; sharing: as the gate has it."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    sharing: Sharing
    by_person: csr_matrix

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Half:
        """One mated pair of every person, and as many of two people, none of whom meet twice."""
        people = np.arange(PEOPLE)
        first = np.concatenate([people, rng.permutation(PEOPLE)])
        second = np.concatenate([people, np.roll(first[PEOPLE:], 1)])
        mated = np.arange(PAIRS) < PEOPLE
        sharing = Sharing.of(Units.of(mated, first, second, "test"))
        rows = np.concatenate([np.arange(PAIRS), sharing.two])
        columns = np.concatenate([first, second[sharing.two]])
        return cls(first, second, sharing, csr_matrix((np.ones(len(rows)), (rows, columns))))

    def changes(
        self, rng: np.random.Generator, runs: int, drops: NDArray[np.float64]
    ) -> NDArray[np.int8]:
        """int8[runs, sizes, PAIRS]: 1 won, -1 lost, as each size decides. drops: float64[sizes],
        the true ones, ascending: the chance to lose is that to win, and the drop.
        """
        # Gamma of mean 1, one a person: some make mistakes several times as often as others.
        ease = rng.gamma(2.0, 0.5, (runs, PEOPLE))
        pair = ease[:, self.first] * np.where(self.first == self.second, 1.0, ease[:, self.second])
        lost = rng.random((runs, PAIRS))[:, None] < pair[:, None] * (0.03 + drops)[:, None]
        won = rng.random((runs, PAIRS))[:, None] > 1 - 0.03 * pair[:, None]
        found: NDArray[np.int8] = won.astype(np.int8) - lost.astype(np.int8)
        return found

    def upper_drops(self, changes: NDArray[np.int8], level: float) -> NDArray[np.float64]:
        """Upper ends of the intervals of the drop, float64[runs], of changes int8[runs, PAIRS]:
        `influenced_difference` of all runs at once.
        """
        gains = changes / PAIRS
        estimate = gains.sum(1)
        influence = gains - estimate[:, None] / PAIRS
        sums = influence @ self.by_person
        variance = (sums**2).sum(1) - (influence[:, self.sharing.two] ** 2).sum(1)
        number = np.bincount(self.by_person.indices, minlength=PEOPLE)
        design = number.sum() ** 2 / (number @ number) - 1
        carriers = (sums**2).sum(1) ** 2 / (sums**4).sum(1)
        freedom = np.maximum(1.0, np.minimum(design, 2 * carriers))
        error = np.sqrt(variance) * (1 + 1 / freedom)
        upper = -estimate + stdtrit(freedom, (1 + level) / 2) * error
        changed = np.count_nonzero(np.apply_along_axis(self._people, 1, gains), axis=1)
        # Few are held against the sign test; without a drop pairs that stay have no influence.
        for row in np.flatnonzero((changed < FEW_CHANGED) | (np.abs(estimate) < 1e-9)):
            upper[row] = -self.by_the_gate(changes[row], level)
        return upper

    def _people(self, gains: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(self.sharing.first, gains, PEOPLE).round(12)

    def by_the_gate(self, changes: NDArray[np.int8], level: float) -> float:
        """Lower end of the difference of one run, as gates compute it."""
        gains = changes / PAIRS
        influence = gains - gains.mean()
        found = influenced_difference(
            float(gains.sum()),
            influence,
            self.sharing,
            independent=PEOPLE,
            gains=gains,
            level=level,
        )
        return found.interval.low


def test_all_at_once_is_what_the_gate_computes() -> None:
    rng = np.random.default_rng(5)
    half = Half.drawn(rng)
    changes = half.changes(rng, 30, np.array([0.0, 0.02, 0.1]))
    for size in range(3):
        upper = half.upper_drops(changes[:, size], 0.95)
        expected = [-half.by_the_gate(one, 0.95) for one in changes[:, size]]
        assert upper == pytest.approx(expected, abs=1e-12)


def test_true_drops_are_as_said() -> None:
    rng = np.random.default_rng(6)
    drops = np.array([0.0, 0.04, 0.1])
    found = -Half.drawn(rng).changes(rng, 2000, drops).mean(axis=(0, 2))
    assert found == pytest.approx(drops, abs=0.003)


def passes(
    rng: np.random.Generator, drops: NDArray[np.float64], runs: int, level: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.float64]]:
    """bool[runs, sizes] of the choosing half at a level, of the deciding half by the rule, and
    float64[runs, sizes], what was lost on the choosing half.
    """
    parts = []
    for _ in range(runs // 500):
        one, other = Half.drawn(rng), Half.drawn(rng)
        own, apart = one.changes(rng, 500, drops), other.changes(rng, 500, drops)
        parts.append(
            (
                np.stack([one.upper_drops(own[:, s], level) <= MARGIN for s in range(SIZES)], 1),
                np.stack([other.upper_drops(apart[:, s], 0.95) <= MARGIN for s in range(SIZES)], 1),
                -own.mean(2),
            )
        )
    chosen, decided, lost = (np.concatenate(part) for part in zip(*parts, strict=True))
    return chosen, decided, lost


def search(row: NDArray[np.bool_], lost: NDArray[np.float64]) -> int:
    """The size that the search of the command itself would choose, 0: none."""

    def look(sizes) -> Look:
        size = size_of(sizes, "filters")
        if not size:
            return Look(1.0, 0.0, True)
        return Look(0.9**size, float(lost[size - 1]), bool(row[size - 1]))

    return size_of(CandidateSearch({"filters": SIZES}, look, 1 / PAIRS, 99).run(), "filters")


@pytest.mark.slow
def test_a_network_that_is_really_worse_passes_no_oftener_than_the_level_says() -> None:
    """The whole rule, where every candidate is worse by exactly the margin, the hardest case; and
    where from the third size on they are, so that good ones are there to be chosen, too.
    """
    level = choosing_rule(RULE).level
    assert level is not None
    for seed, drops in enumerate([np.full(SIZES, MARGIN), np.array([0, 0.01, 0.04, 0.05, 0.08])]):
        chosen, decided, lost = passes(np.random.default_rng(seed), drops, RUNS, level)
        sizes = np.array([search(row, own) for row, own in zip(chosen, lost, strict=True)])
        put = sizes > 0
        worse = put & (drops[sizes - 1] >= MARGIN)
        wrongly = worse & decided[np.arange(RUNS), sizes - 1]
        assert worse.sum() >= 20  # there is something that could go wrong
        assert binomtest(int(wrongly.sum()), RUNS, WRONG, "greater").pvalue > 0.001
        assert binomtest(int(wrongly.sum()), int(worse.sum()), WRONG, "greater").pvalue > 0.001


@pytest.mark.slow
def test_however_a_candidate_is_chosen_the_other_half_says_what_it_is() -> None:
    """The one that looks best on the choosing half always gets the verdict. On the half that it
    was chosen on it would pass far too often, which is why that half does not decide.
    """
    rng = np.random.default_rng(9)
    drops = np.full(SIZES, MARGIN)
    own, decided, lost = [], [], []
    for _ in range(RUNS // 500):
        halves = [Half.drawn(rng), Half.drawn(rng)]
        # Candidates that err each in its own way, as of many searches.
        many = [
            np.stack([half.changes(rng, 500, drops[:1])[:, 0] for _ in range(SIZES)], 1)
            for half in halves
        ]
        best = many[0].mean(2).argmax(1)
        rows = np.arange(500)
        lost.append(-many[0].mean(2)[rows, best])
        own.append(halves[0].upper_drops(many[0][rows, best], 0.95) <= MARGIN)
        decided.append(halves[1].upper_drops(many[1][rows, best], 0.95) <= MARGIN)
    again, once = np.concatenate(own), np.concatenate(decided)
    assert binomtest(int(once.sum()), RUNS, WRONG, "greater").pvalue > 0.001
    assert binomtest(int(again.sum()), RUNS, WRONG, "greater").pvalue < 1e-9
    assert np.concatenate(lost).mean() < MARGIN - 0.005  # the winner's curse
