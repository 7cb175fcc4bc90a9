"""What the network is asked for: the teacher's embedding and similarities, and identities."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facebench.models.architectures.convnet import ConvNet
from facebench.models.architectures.shapes import POOLED, module_name


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


# Of the paper's layers, those that DeepID2+ supervises too: after each pooling, and the local ones.
EARLIER = ("2b", "3b", "4b", "5b")
BRANCH_FEATURES = 512


class JointSupervision(Judge):
    """Softmax over identities plus the contrastive loss, on pairs of faces.

    Rows 2i and 2i+1 of a batch are a pair. *identity*: cross-entropy of a linear softmax over
    identities. *verification*: ½‖x-y‖² for two faces of one person, ½ max(0, m-‖x-y‖)² for two
    persons, mean over pairs. Both also on a fully-connected rectified branch of 512·width neurons
    after each of the ``earlier`` layers (pooled where the network pools), which is thrown away
    after training. *regression*: 1 - cosine of a linear map of the features with a teacher's
    embedding, where there is one.

    ``forward(features float 2P×F, targets float 2P×D, labels int64 2P)`` returns the three losses,
    summed over the layers; rows with label -1 or NaN targets take no part. The earlier layers are
    read by hooks on the network that it was made for, in the same forward pass.

    Sources: Sun, Wang, Tang 2014 (DeepID2), equations 1 and 2; Sun, Wang, Tang 2015 (DeepID2+),
    Section 2 (earlier layers); Sun, Wang, Tang 2015, Section 3.
    """

    names = ("identity", "verification", "regression")
    pairs = True

    def __init__(
        self,
        net: ConvNet,
        embedding: int,
        classes: int,
        margin: float = 1.0,
        earlier: Sequence[str] = EARLIER,
    ) -> None:
        super().__init__()
        self.margin, self.earlier = margin, tuple(earlier)
        self.regressor = nn.Linear(net.features, embedding)
        self.classifier = nn.Linear(net.features, max(classes, 1))
        self.branches, self.heads = nn.ModuleDict(), nn.ModuleDict()
        width = max(8, round(BRANCH_FEATURES * net.width / 8) * 8)
        for layer in self.earlier:
            self.branches[layer] = nn.Linear(_inputs(net, layer), width)
            self.heads[layer] = nn.Linear(width, max(classes, 1))
        self._seen: dict[str, Tensor] = {}
        for layer in self.earlier:
            _last_module(net, layer).register_forward_hook(self._keeper(layer))

    def _keeper(self, layer: str):  # type: ignore[no-untyped-def]
        def keep(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            self._seen[layer] = output

        return keep

    def logits(self, features: Tensor) -> Tensor:
        """Features float N×F → float N×C, before the softmax."""
        scores: Tensor = self.classifier(features)
        return scores

    def forward(self, features: Tensor, targets: Tensor, labels: Tensor) -> dict[str, Tensor]:
        losses = {name: features.sum() * 0.0 for name in self.names}
        self._add(losses, features, self.classifier, labels)
        for layer in self.earlier:
            seen = F.relu(self._seen.pop(layer).float())
            if layer in POOLED:
                seen = F.max_pool2d(seen, 2)
            branch = F.relu(self.branches[layer](seen.flatten(1)))
            self._add(losses, branch, self.heads[layer], labels)
        taught = ~targets[:, 0].isnan()
        if taught.any():
            predicted = self.regressor(features[taught])
            losses["regression"] = 1 - F.cosine_similarity(predicted, targets[taught]).mean()
        return losses

    def _add(self, losses: dict[str, Tensor], x: Tensor, head: nn.Module, labels: Tensor) -> None:
        known = labels >= 0
        if not known.any():
            return
        losses["identity"] = losses["identity"] + F.cross_entropy(head(x[known]), labels[known])
        both = known[0::2] & known[1::2]
        if both.any():
            same = labels[0::2] == labels[1::2]
            pairs = contrastive(x[0::2][both], x[1::2][both], same[both], self.margin)
            losses["verification"] = losses["verification"] + pairs


def contrastive(x: Tensor, y: Tensor, same: Tensor, margin: float) -> Tensor:
    """Mean contrastive loss of pairs: x, y float P×D, same bool P.

    Source: Hadsell, Chopra, LeCun 2006, equation 4; Sun, Wang, Tang 2014, equation 2.
    """
    # The root of zero has no derivative.
    distance = (x - y).square().sum(1).clamp(min=1e-12).sqrt()
    apart = (margin - distance).clamp(min=0).square()
    return 0.5 * torch.where(same, distance.square(), apart).mean()


def _last_module(net: ConvNet, layer: str) -> nn.Module:
    """What computes a layer's activations before they are rectified."""
    return getattr(net, f"norm{layer}", None) or net.get_submodule(module_name(layer))


def _inputs(net: ConvNet, layer: str) -> int:
    """Activations of a layer as its branch sees them, flattened."""
    if layer == "f":
        raise ValueError("f is supervised itself; earlier layers are above it")
    module, (height, width) = net.layer(layer), net.input_size
    if layer[0] == "5":
        return module.weight.shape[0] * module.weight.shape[1]
    halvings = int(layer[0]) - (layer[1] == "a")
    return int(module.weight.shape[0]) * (height >> halvings) * (width >> halvings)
