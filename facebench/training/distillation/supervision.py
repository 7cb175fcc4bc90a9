"""What a student is asked for: its teacher's neurons or soft labels, and identities."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from facebench.training.distillation.soft_labels import MeanClassifier, soft_label_loss
from facebench.training.losses import Supervision

Targets = Literal["selected", "all", "soft-labels"]
TARGETS: tuple[str, ...] = get_args(Targets)
TEMPERATURE = 4.0


class NeuronSupervision(Supervision):
    """Regression onto a teacher's neurons.

    - *regression*: a linear map of the features equals the standardised neurons, mean squared error
      over neurons and faces. The map is thrown away after training; so the student's features are
      as many as its architecture says and not as many as the neurons, as they are in the paper.
    - *similarity*: cosines between the features of a batch equal those of the standardised neurons,
      up to a learned scale and offset; *identity*: as in `facebench.training.losses.Supervision`.
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
