"""Choosing the neurons of a teacher that a student is to imitate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Indices = NDArray[np.int64]
_GAIN = 1e-12  # a smaller gain is rounding
_FIRSTS = 16
FORMULA = (
    "E(y) = -1/K sum_i y_i (d_i - a n_i) + b/(K(K-1)) sum_i sum_(j != i) y_i y_j r_ij^2, "
    "y_i in {0, 1}, sum_i y_i = K"
)


@dataclass(frozen=True)
class Selection:
    """K neurons, ascending int64 K, their energy, and the start from which they were found."""

    neurons: Indices
    energy: float
    start: str


@dataclass(frozen=True)
class Energy:
    """What a choice of K out of N neurons costs.

    E(y) = -1/K Σ_i y_i m_i + b/(K(K-1)) Σ_i Σ_(j≠i) y_i y_j r_ij², the mean redundancy of the
    chosen minus their mean merit. merit: m = d - a·n, N, discriminability d (intraclass
    correlation) minus nuisance n (`neuron_statistics`), minus infinity: never chosen; correlation:
    r², N×N, symmetric, diagonal 0; all are shares of variance, so that a = b = 1 weighs them alike.

    Source: ours, after the abstract of Luo et al. 2016, all of the paper that we had: neurons "most
    relevant to face recognition", by "the essential characteristics of the learned face
    representation", and no formula. To our knowledge, not checked against its text, the paper too
    minimises a unary and a pairwise term over binary variables by mean field, its unary term
    scoring neurons by identity-related against other attributes of CelebA; training crops here
    carry identities and no attributes, so disturbances with a known cause stand in for these. Mean
    merit minus mean redundancy is the difference criterion of Peng, Long, Ding 2005 (minimal
    redundancy, maximal relevance).
    """

    merit: Vector
    correlation: NDArray[np.float64]
    count: int
    redundancy_weight: float = 1.0

    def __post_init__(self) -> None:
        if not 1 <= self.count <= int(np.isfinite(self.merit).sum()):
            raise ValueError(f"{self.count} of {np.isfinite(self.merit).sum()} neurons")

    @property
    def unary(self) -> Vector:
        """-m/K, N; infinity: never chosen."""
        return -self.merit / self.count

    @property
    def pairwise(self) -> float:
        """Factor of Σ_i Σ_(j≠i) y_i y_j r_ij²."""
        return self.redundancy_weight / (self.count * max(self.count - 1, 1))

    def of(self, neurons: Indices) -> float:
        """Energy of a choice."""
        pairs = self.correlation[np.ix_(neurons, neurons)].sum()
        return float(self.unary[neurons].sum() + self.pairwise * pairs)


def select_neurons(energy: Energy) -> Selection:
    """The best choice found: from several starts, each improved by exchanges until none helps.

    The starts are the K best by merit alone, mean field, and greedy selections, one from each of
    the 16 neurons of the largest merit. Exact search is exponential; where it can be done (N ≤ 9,
    in the tests) the result is nearly always its, and for K ≤ 2 always where N ≤ 16.
    """
    starts: dict[str, Callable[[], Indices]] = {
        "merit": lambda: by_merit(energy),
        "mean field": lambda: by_mean_field(energy),
    }
    ranked = np.argsort(energy.unary, kind="stable")
    for first in ranked[np.isfinite(energy.unary[ranked])][:_FIRSTS].tolist():
        starts[f"greedy from {first}"] = partial(greedily, energy, first)
    best: Selection | None = None
    for name, start in starts.items():
        neurons = exchanged(energy, start())
        value = energy.of(neurons)
        if best is None or value < best.energy - _GAIN:
            best = Selection(neurons, value, name)
    assert best is not None
    return best


def by_merit(energy: Energy) -> Indices:
    """The K neurons of the largest merit, ascending; the first of equal ones."""
    return np.sort(np.argsort(energy.unary, kind="stable")[: energy.count])


def greedily(energy: Energy, first: int | None = None) -> Indices:
    """One neuron after the other, each the one that raises the energy least, ascending.

    first: the one to begin with, None: that of the largest merit.
    """
    cost = energy.unary.copy()
    chosen = np.zeros(len(cost), bool)
    neuron = int(np.argmin(cost)) if first is None else first
    for _ in range(energy.count):
        chosen[neuron] = True
        cost = cost + 2 * energy.pairwise * energy.correlation[neuron]
        neuron = int(np.argmin(np.where(chosen, np.inf, cost)))
    return np.flatnonzero(chosen)


def by_mean_field(energy: Energy, temperatures: int = 20, sweeps: int = 3) -> Indices:
    """The K neurons of the largest mean-field probability, ascending.

    q_i = 1 / (1 + exp((u_i + 2 p Σ_j r_ij² q_j - h) / T)), h such that Σ q_i = K, while T falls
    from the spread of the u_i to a thousandth of it.
    """
    unary = energy.unary
    allowed = np.isfinite(unary)
    spread = max(float(np.ptp(unary[allowed])), 2 * energy.pairwise, _GAIN)
    q = np.where(allowed, energy.count / allowed.sum(), 0.0)
    for temperature in spread * np.geomspace(1, 1e-3, temperatures):
        for _ in range(sweeps):
            field = unary + 2 * energy.pairwise * (energy.correlation @ q)
            q = 0.5 * (q + _filled(field / temperature, energy.count))
    return np.sort(np.argsort(-q, kind="stable")[: energy.count])


def _filled(field: Vector, count: int) -> Vector:
    """Probabilities 1 / (1 + exp(field - h)) with the sum ``count``, h found by halving."""
    finite = field[np.isfinite(field)]
    low, high = float(finite.min()) - 40, float(finite.max()) + 40
    for _ in range(40):
        middle = (low + high) / 2
        if _sigmoid(middle - field).sum() < count:
            low = middle
        else:
            high = middle
    return _sigmoid((low + high) / 2 - field)


def _sigmoid(x: Vector) -> Vector:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)))


def exchanged(energy: Energy, neurons: Indices) -> Indices:
    """A choice improved by the best exchange of one neuron for another until none helps."""
    chosen = np.zeros(len(energy.merit), bool)
    chosen[neurons] = True
    unary = np.where(np.isfinite(energy.unary), energy.unary, np.inf)
    pairs = energy.correlation[:, chosen].sum(1)
    while True:
        field = unary + 2 * energy.pairwise * pairs
        out, into = np.flatnonzero(chosen), np.flatnonzero(~chosen & np.isfinite(unary))
        if len(into) == 0:
            return out
        gains = field[into][None, :] - field[out][:, None]
        gains -= 2 * energy.pairwise * energy.correlation[np.ix_(out, into)]
        least = int(np.argmin(gains))
        i, j = out[least // len(into)], into[least % len(into)]
        if gains.flat[least] >= -_GAIN:
            return out
        chosen[i], chosen[j] = False, True
        pairs = pairs + energy.correlation[j] - energy.correlation[i]
