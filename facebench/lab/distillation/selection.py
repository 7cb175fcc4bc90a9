"""Choosing the neurons of a teacher that a student is to imitate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import cv2
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


Activations = NDArray[np.float32]
Crops = NDArray[np.uint8]
_TINY = 1e-12


@dataclass(frozen=True)
class NeuronStatistics:
    """Of N neurons, all float64.

    discriminability: intraclass correlation, N, 0 to 1; nuisance: share of the variance that each
    disturbance makes, by its name, N each, 0 or more; correlation: squared, N×N, 0 to 1, diagonal
    0; lives: bool N, whether the activation changes at all.
    """

    discriminability: NDArray[np.float64]
    nuisance: Mapping[str, NDArray[np.float64]]
    correlation: NDArray[np.float64]
    lives: NDArray[np.bool_]

    @property
    def mean_nuisance(self) -> NDArray[np.float64]:
        """Mean over the disturbances, N."""
        mean: NDArray[np.float64] = np.mean(list(self.nuisance.values()), axis=0)
        return mean

    def merit(self, nuisance_weight: float) -> NDArray[np.float64]:
        """Discriminability minus the weighted nuisance, N; minus infinity for dead neurons."""
        merit = self.discriminability - nuisance_weight * self.mean_nuisance
        return np.where(self.lives, merit, -np.inf)


def intraclass_correlation(x: Activations, labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of each neuron's variance that lies between identities, float64 N.

    x: activations of faces, float n×N; labels: identity of each face, int64 n, at least two
    identities, one of them with two faces (ValueError). With the mean squares MS between and within
    G identities of n_g faces, and n0 = (n - Σ n_g²/n) / (G - 1):
    s² = max(0, (MS_between - MS_within) / n0), and the share is s² / (s² + MS_within).

    Source: one-way analysis of variance (Fisher 1925), the unbalanced form of Donner 1986, eq. 2.1;
    it plays the part of the DeepID line's "discriminative for identity".
    """
    _, groups, counts = np.unique(labels, return_inverse=True, return_counts=True)
    total, number = len(labels), len(counts)
    if number < 2 or total <= number:
        raise ValueError("needs two identities, and one with two faces")
    sums = np.zeros((number, x.shape[1]))
    np.add.at(sums, groups, x)
    means, mean = sums / counts[:, None], x.mean(0, dtype=np.float64)
    between = (counts[:, None] * np.square(means - mean)).sum(0) / (number - 1)
    within = np.square(x - means[groups]).sum(0) / (total - number)
    size = (total - np.square(counts).sum() / total) / (number - 1)
    variance = np.maximum(between - within, 0) / size
    return np.asarray(variance / np.maximum(variance + within, _TINY))


def squared_correlation(x: Activations) -> NDArray[np.float64]:
    """Squared correlation of every two neurons over faces float n×N: float64 N×N, diagonal 0."""
    centred = x - x.mean(0, dtype=np.float64)
    spread = np.sqrt(np.square(centred).sum(0))
    unit = centred / np.where(spread > _TINY, spread, 1)
    squared = np.clip(np.square(unit.T @ unit), 0, 1)
    np.fill_diagonal(squared, 0)
    return np.asarray(squared)


def nuisance_share(
    clean: Activations, disturbed: Activations, variance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """E[(x - x')²] / (2 var x) of each neuron, float64 N.

    x: of faces float m×N; x': of the same faces, disturbed. 0: the neuron does not see the
    disturbance; 1: the disturbed face is to it what another face is.
    """
    change = np.square(clean.astype(np.float64) - disturbed).mean(0)
    return np.asarray(change / np.maximum(2 * variance, _TINY))


def _gamma(power: float) -> Callable[[Crops], Crops]:
    levels = np.arange(256) / 255
    table = np.round(255 * levels**power).astype(np.uint8)
    return lambda crops: table[crops]


def _half_resolution(crops: Crops) -> Crops:
    def blurred(crop: Crops) -> Crops:
        height, width = crop.shape[:2]
        small = cv2.resize(crop, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))

    return np.stack([blurred(crop) for crop in crops])


def _moved(crops: Crops) -> Crops:
    padded = np.pad(crops, ((0, 0), (3, 0), (3, 0), (0, 0)), mode="edge")
    return padded[:, : crops.shape[1], : crops.shape[2]]


# What a face may undergo without becoming another person's, uint8 N×H×W×3 to the same.
DISTURBANCES: Mapping[str, Callable[[Crops], Crops]] = {
    "mirrored": lambda crops: np.ascontiguousarray(crops[:, :, ::-1]),
    "brighter": _gamma(0.6),
    "darker": _gamma(1.6),
    "half_resolution": _half_resolution,
    "moved": _moved,
}


def neuron_statistics(
    x: Activations,
    labels: NDArray[np.int64],
    crops: Crops,
    neurons: Callable[[Crops], Activations],
) -> NeuronStatistics:
    """Statistics of a teacher's neurons.

    x: activations of faces float n×N; labels: their identities int64 n, -1: not known, which then
    counts for the correlations alone; crops: some faces uint8 m×128×112×3 to disturb; neurons: the
    teacher, crops → float m×N. ValueError as in `intraclass_correlation`.
    """
    known = labels >= 0
    discriminability = intraclass_correlation(x[known], labels[known])
    variance = x.var(0, dtype=np.float64)
    clean = neurons(crops)
    nuisance = {
        name: nuisance_share(clean, neurons(disturb(crops)), variance)
        for name, disturb in DISTURBANCES.items()
    }
    return NeuronStatistics(discriminability, nuisance, squared_correlation(x), variance > _TINY)
