"""What a teacher's neurons tell of identity, of nuisance and of each other, over training faces."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

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
        return np.mean(list(self.nuisance.values()), axis=0)

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
