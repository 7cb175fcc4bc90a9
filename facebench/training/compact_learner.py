"""A compact network that learns: any module that maps faces to embeddings, with its supervision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facebench.errors import UserError
from facebench.nets.compact_state import reshape_to
from facebench.nets.convnet import to_input
from facebench.training.augment import Batch
from facebench.training.checkpoints import load_checkpoint, save_checkpoint
from facebench.training.compact_norms import normalising
from facebench.training.data import TrainingData, faces_of
from facebench.training.learner import Machine
from facebench.training.loop import Extras, train
from facebench.training.losses import Supervision
from facebench.training.recipe_files import RecipeFile, Which
from facebench.training.work_folder import name_in

# Faces of each identity (or of a source without them) that a supervision is fitted on.
_EACH, _UNLABELLED, _BATCH = 4, 2048, 64


@dataclass
class CompactLearner:
    """A network in training: module float N×3×112×96 → N×E, normalised supervision, recipe, data.

    Dropout and activations are the network's own; the recipe's ``dropout``, which is of ConvNets,
    changes nothing. ``normalised``: where the network has no batch normalisation it learns with it
    under ``train``, not in the few steps of ``retrain``.
    """

    net: nn.Module
    supervision: Supervision
    recipe: RecipeFile
    data: TrainingData

    def learn(
        self,
        which: Which,
        folder: Path,
        machine: Machine,
        seed: int,
        steps: int | None = None,
        compiled: bool = True,
    ) -> None:
        """Train in place; what ``folder`` holds already is not done again.

        compiled: on CUDA; not worth its minutes where training is short.
        """
        recipe = self.recipe.recipe(which, seed, steps)
        if machine.precision is not None:
            recipe = replace(recipe, precision=machine.precision)
        told = machine.bar(name_in(folder), recipe.steps) if machine.bar else None
        extras = Extras(device=machine.device, on_step=told, compiled=compiled)
        normalised = which == "train" and self.recipe.normalised
        with normalising(self.net) if normalised else nullcontext():
            train(self.net, self.supervision, self.data.sources, recipe, folder,
                  report=machine.report, extras=extras)  # fmt: skip

    def loss(self, net: nn.Module, batch: Batch) -> Tensor:
        """What training minimises, on one batch, float32; its gradient reaches ``net``."""
        device = next(net.parameters()).device
        features = net(to_input(torch.as_tensor(batch.faces, device=device)))
        losses = self.supervision.to(device)(
            features,
            torch.as_tensor(batch.targets, device=device),
            torch.as_tensor(batch.labels, device=device),
        )
        weights = self.recipe.weights
        return torch.stack([weights.get(name, 0.0) * losses[name] for name in losses]).sum()

    def save(self, path: Path) -> None:
        """Write down network and supervision, complete or not at all."""
        state = {"net": self.net.state_dict(), "supervision": self.supervision.state_dict()}
        save_checkpoint(state, path)

    def load(self, path: Path) -> None:
        """Take over what `save` wrote, with the channels that the network had there."""
        saved = load_checkpoint(path)
        self.take(saved["net"])
        self.supervision.load_state_dict(saved["supervision"])

    def take(self, state: Mapping[str, Tensor]) -> None:
        """Take over weights, with the channels that they have; ValueError: of another network."""
        reshape_to(self.net, state)
        self.net.load_state_dict(state)

    def adopt(self, state: Mapping[str, Tensor]) -> None:
        """Start from published weights, which come without supervision: it is fitted to them.

        Prototypes are the class means of normalised embeddings; the regressor is ridge regression
        onto the teacher's embeddings, scale and offset of similarities are least squares.
        """
        self.take(state)
        features, targets, labels = _sample(self.net, self.data)
        with torch.no_grad():
            _fit_prototypes(self.supervision, features, labels)
            taught = ~targets[:, 0].isnan()
            if taught.any():
                _fit_regressor(self.supervision, features[taught], targets[taught])


def untrained_compact(
    fresh: Callable[[], nn.Module],
    embedding: int,
    recipe: RecipeFile,
    data: TrainingData,
    seed: int,
) -> CompactLearner:
    """A network with random weights and E-dimensional embeddings; UserError: not its recipe."""
    if recipe.supervision != "normalised":
        raise UserError(
            f"recipe {recipe.title or recipe.supervision!r}: compact networks learn under "
            "supervision 'normalised'; give --recipe compact or short"
        )
    torch.manual_seed(seed)
    net = fresh()
    return CompactLearner(net, Supervision(embedding, data.embedding, data.classes), recipe, data)


def embeddings_of(net: nn.Module, data: TrainingData, source: int, rows: np.ndarray) -> Tensor:
    """Embeddings float32 N×E of centred crops of one source, in evaluation mode."""
    net.eval()
    crops = data.sources[source][0]
    parts = []
    with torch.no_grad():
        for begin in range(0, len(rows), _BATCH):
            faces = torch.from_numpy(faces_of(crops, rows[begin : begin + _BATCH]))
            parts.append(net(to_input(faces)))
    return torch.cat(parts)


def _sample(net: nn.Module, data: TrainingData) -> tuple[Tensor, Tensor, Tensor]:
    """Embeddings, the teacher's, and classes of some faces of every source."""
    features, targets, labels, offset = [], [], [], 0
    for number, (crops, _) in enumerate(data.sources):
        order = np.argsort(crops.labels, kind="stable")
        ordered = crops.labels[order]
        place = np.arange(len(ordered)) - np.searchsorted(ordered, ordered)
        rows = order[place < np.where(ordered < 0, _UNLABELLED, _EACH)]
        features.append(embeddings_of(net, data, number, rows))
        target = np.full((len(rows), data.embedding), np.nan, np.float32)
        target[:, : crops.targets.shape[1]] = crops.targets[rows]
        targets.append(torch.from_numpy(target))
        own = crops.labels[rows]
        labels.append(torch.from_numpy(np.where(own >= 0, own + offset, own)))
        offset += crops.classes
    return torch.cat(features), torch.cat(targets), torch.cat(labels)


def _fit_prototypes(supervision: Supervision, features: Tensor, labels: Tensor) -> None:
    known = labels >= 0
    sums = torch.zeros_like(supervision.prototypes)
    sums.index_add_(0, labels[known], F.normalize(features[known], dim=1))
    # A class without a face, which does not happen, keeps its random prototype.
    seen = sums.norm(dim=1) > 0
    supervision.prototypes[seen] = F.normalize(sums[seen], dim=1)


def _fit_regressor(supervision: Supervision, features: Tensor, targets: Tensor) -> None:
    inputs = F.pad(features, (0, 1), value=1.0).double()
    gram = inputs.T @ inputs
    gram += torch.eye(len(gram)) * (1e-3 * gram.trace() / len(gram))
    solution = torch.linalg.solve(gram, inputs.T @ targets.double()).T.float()
    supervision.regressor.weight.copy_(solution[:, :-1])
    supervision.regressor.bias.copy_(solution[:, -1])
    some = torch.linspace(0, len(features) - 1, min(len(features), 1024)).long()
    unit, target = F.normalize(features[some], dim=1), targets[some]
    off = ~torch.eye(len(some), dtype=torch.bool)
    theirs, ours = (target @ target.T)[off].double(), (unit @ unit.T)[off].double()
    spread = (theirs - theirs.mean()).square().sum()
    scale = ((theirs - theirs.mean()) * ours).sum() / spread.clamp(min=1e-12)
    supervision.affine.copy_(torch.stack([scale, ours.mean() - scale * theirs.mean()]))
