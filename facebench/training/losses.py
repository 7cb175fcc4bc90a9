"""What the network is asked for: the teacher's embedding and similarities, and identities."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Judge(nn.Module):
    """What a network is asked for: ``forward(features, targets, labels)`` → losses by name.

    names: of the losses; pairs: whether rows 2i and 2i+1 of a batch must be pairs.
    """

    names: tuple[str, ...] = ()
    pairs = False


class Supervision(Judge):
    """Teacher regression, similarity regression and identification on the features of layer f.

    - *regression*: a linear map of the features points where the teacher's embedding points
      (1 - cosine). It gives every unlabelled face a target.
    - *similarity*: cosines between the features of a batch equal the teacher's cosines, up to a
      learned scale and offset, since rectified features cannot have negative cosines. It is what
      makes plain cosine on the features a good score.
    - *identification*: softmax over identities on normalised features with an additive margin on
      the true class; the identification signal of Sun et al. 2015, Section 3, in its later
      normalised form (Wang et al. 2018, CosFace, equation 4), again for the sake of plain cosine.

    ``forward(features float N×F, targets float N×D, labels int64 N)`` returns the three losses;
    rows with NaN targets or label -1 take no part in the losses that need them.
    """

    names = ("regression", "similarity", "identity")

    def __init__(
        self, features: int, embedding: int, classes: int, scale: float = 24.0, margin: float = 0.2
    ) -> None:
        super().__init__()
        self.regressor = nn.Linear(features, embedding)
        self.affine = nn.Parameter(torch.tensor([0.5, 0.5]))
        self.prototypes = nn.Parameter(torch.randn(max(classes, 1), features) * 0.05)
        self.scale, self.margin = scale, margin

    def forward(self, features: Tensor, targets: Tensor, labels: Tensor) -> dict[str, Tensor]:
        unit = F.normalize(features, dim=1)
        losses = {name: features.sum() * 0.0 for name in ("regression", "similarity", "identity")}
        taught = ~targets[:, 0].isnan()
        if taught.any():
            target = targets[taught]
            predicted = self.regressor(features[taught])
            losses["regression"] = 1 - F.cosine_similarity(predicted, target).mean()
            losses["similarity"] = self._similarity(unit[taught], target)
        known = labels >= 0
        if known.any():
            cosine = unit[known] @ F.normalize(self.prototypes, dim=1).T
            own = F.one_hot(labels[known], cosine.shape[1])
            logits = self.scale * (cosine - self.margin * own)
            losses["identity"] = F.cross_entropy(logits, labels[known])
        return losses

    def logits(self, features: Tensor) -> Tensor:
        """Features float N×F → float N×C, before the softmax, without the margin."""
        unit = F.normalize(features, dim=1)
        return self.scale * (unit @ F.normalize(self.prototypes, dim=1).T)

    def _similarity(self, unit: Tensor, target: Tensor) -> Tensor:
        off = ~torch.eye(len(unit), dtype=torch.bool, device=unit.device)
        ours, theirs = (unit @ unit.T)[off], (target @ target.T)[off]
        return (ours - (self.affine[0] * theirs + self.affine[1])).square().mean()
