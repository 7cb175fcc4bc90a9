"""What a student is asked for: its teacher's neurons or soft labels, and identities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from facebench.lab.learning.losses import Supervision

Targets = Literal["selected", "all", "soft-labels"]
TARGETS: tuple[str, ...] = get_args(Targets)
TEMPERATURE = 4.0


class NeuronSupervision(Supervision):
    """Regression onto a teacher's neurons.

    - *regression*: a linear map of the features equals the standardised neurons, mean squared error
      over neurons and faces. The map is thrown away after training; so the student's features are
      as many as its architecture says and not as many as the neurons, as they are in the paper.
    - *similarity*: cosines between the features of a batch equal those of the standardised neurons,
      up to a learned scale and offset; *identity*: as in `losses.Supervision`.
      Both make plain cosine on the features a good score; the paper leaves that to Joint Bayesian.

    ``forward(features float n×F, targets float n×K, labels int64 n)``, targets standardised.

    Source: Luo et al. 2016, abstract (neurons as supervision); the squared error of the penultimate
    layer is also that of Romero et al. 2015 (FitNets), eq. 3.
    """

    def forward(self, features: Tensor, targets: Tensor, labels: Tensor) -> dict[str, Tensor]:
        losses = super().forward(features, F.normalize(targets, dim=1), labels)
        taught = ~targets[:, 0].isnan()
        if taught.any():
            error = self.regressor(features[taught]) - targets[taught]
            losses["regression"] = error.square().mean()
        return losses


class SoftLabelSupervision(Supervision):
    """Regression onto a teacher's label probabilities.

    - *regression*: T² KL of the teacher's softmax over identities at temperature T from that of a
      linear map of the features (`soft_label_loss`), on every face, also those without identity;
    - *similarity*: cosines between the features of a batch equal those of the teacher's centred
      logits, up to a learned scale and offset: what `NeuronSupervision` asks of neurons, asked of
      what soft labels know (a softmax determines its logits up to a constant);
    - *identity*: the same.

    ``forward(features float n×F, targets float n×N, labels int64 n)``, targets: all
    standardised neurons, on which the classifier was fitted.

    Source: Hinton, Vinyals, Dean 2015, Section 2.
    """

    means: Tensor

    def __init__(
        self, features: int, classifier: MeanClassifier, classes: int, temperature: float
    ) -> None:
        super().__init__(features, len(classifier.means), classes)
        self.register_buffer("means", torch.from_numpy(classifier.means))
        self.teacher_scale, self.temperature = classifier.scale, temperature

    def forward(self, features: Tensor, targets: Tensor, labels: Tensor) -> dict[str, Tensor]:
        taught = ~targets[:, 0].isnan()
        logits = self.teacher_scale * (F.normalize(targets, dim=1) @ self.means.T)
        centred = logits - logits.mean(1, keepdim=True)
        losses = super().forward(features, F.normalize(centred, dim=1), labels)
        if taught.any():
            student = self.regressor(features[taught])
            losses["regression"] = soft_label_loss(student, logits[taught], self.temperature)
        return losses


def standardised(
    neurons: list[NDArray[np.float32]], chosen: NDArray[np.int64]
) -> list[NDArray[np.float32]]:
    """Chosen columns of sources float32 n×N with mean 0 and deviation 1 over all rows: n×K each.

    Every neuron then weighs alike in the squared error, whatever its scale. A neuron that does not
    change becomes 0.
    """
    total = sum(len(part) for part in neurons)
    mean = sum(part[:, chosen].sum(0, dtype=np.float64) for part in neurons) / total
    square = sum(np.square(part[:, chosen] - mean).sum(0) for part in neurons) / total
    deviation = np.sqrt(square)
    scale = np.where(deviation > 1e-9, deviation, np.inf)
    return [((part[:, chosen] - mean) / scale).astype(np.float32) for part in neurons]


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
