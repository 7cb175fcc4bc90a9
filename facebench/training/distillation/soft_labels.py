"""A classifier on a teacher's neurons, for soft labels where the teacher comes without one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

_SCALES = np.geomspace(1, 200, 30)
_FACES = 8192  # to fit the scale on; the means are of all


@dataclass(frozen=True)
class MeanClassifier:
    """Softmax over identities by the cosine with each identity's mean.

    means: float32 C×N, unit rows; zero for an identity without faces; scale: factor of the cosine;
    accuracy: share of faces that are nearest to their own identity's mean when they take no part
    in it.
    """

    means: NDArray[np.float32]
    scale: float
    accuracy: float


def fit_mean_classifier(
    neurons: NDArray[np.float32], labels: NDArray[np.int64], classes: int
) -> MeanClassifier:
    """Fit means and scale on the neurons float n×N of faces with labels int64 n, -1: none.

    classes: C, of which some may have no face. The scale is that of the largest likelihood of the
    labels, each face being compared with its own identity's mean without it; faces that are alone
    in their identity take no part. ValueError where no identity has two faces.

    Source: nearest class means, Mensink et al. 2013; a scale fitted by likelihood, Guo et al. 2017
    (temperature scaling). Our zoo's teachers publish no classifier, which is thrown away after
    training.
    """
    rows = np.flatnonzero(labels >= 0)
    counts = np.bincount(labels[rows], minlength=classes)
    fair = rows[counts[labels[rows]] > 1]
    if len(fair) == 0:
        raise ValueError("no identity has two faces")
    sums = np.zeros((classes, neurons.shape[1]))
    for begin in range(0, len(rows), _FACES):
        part = rows[begin : begin + _FACES]
        np.add.at(sums, labels[part], _unit(neurons[part]))
    fair = fair[np.linspace(0, len(fair) - 1, min(_FACES, len(fair))).astype(np.int64)]
    own, unit = labels[fair], _unit(neurons[fair])
    cosines = unit @ _unit(sums).T
    cosines[:, counts == 0] = -1.0  # an identity that no face has is as unlike as can be
    cosines[np.arange(len(own)), own] = np.einsum("ij,ij->i", unit, _unit(sums[own] - unit))
    likelihoods = [_log_likelihood(scale * cosines, own) for scale in _SCALES]
    best = float(_SCALES[int(np.argmax(likelihoods))])
    accuracy = float((cosines.argmax(1) == own).mean())
    return MeanClassifier(_unit(sums).astype(np.float32), best, accuracy)


def _unit(x: NDArray[np.floating]) -> NDArray[np.float64]:
    x = x.astype(np.float64)
    norms = np.linalg.norm(x, axis=1, keepdims=True)
    return np.asarray(x / np.where(norms > 1e-12, norms, 1))


def _log_likelihood(logits: NDArray[np.float64], own: NDArray[np.int64]) -> float:
    shifted = logits - logits.max(1, keepdims=True)
    picked = shifted[np.arange(len(own)), own]
    return float((picked - np.log(np.exp(shifted).sum(1))).mean())


def soft_label_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """T² KL(softmax(teacher / T) ‖ softmax(student / T)), mean over rows; logits float n×C.

    Source: Hinton, Vinyals, Dean 2015, Section 2; T² keeps the gradient's size.
    """
    target = F.softmax(teacher / temperature, dim=1)
    told = F.log_softmax(student / temperature, dim=1)
    return temperature**2 * F.kl_div(told, target, reduction="batchmean")
