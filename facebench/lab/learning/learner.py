"""A network that learns: with its supervision, its dropping matrices and its recipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from facebench.base.errors import UserError
from facebench.base.progress import Advanced
from facebench.lab.data.augment import Batch, Change, augment, make_batch, make_pair_batch
from facebench.lab.data.crops import TrainingCrops
from facebench.lab.data.frozen import (
    Frozen,
    Report,
    UpperLayers,
    from_stored,
    one_view,
    stored_sources,
)
from facebench.lab.data.sources import TrainingData, faces_of
from facebench.lab.laboratory.work_folder import name_in
from facebench.lab.learning.learned import Learned
from facebench.lab.learning.loop import (
    Extras,
    Recipe,
    bake_masks,
    in_settled_precision,
    mask_layers,
    train,
)
from facebench.lab.learning.losses import JointSupervision, Supervision
from facebench.lab.learning.normalised import NormalisedConvNet, normalising, unfolded
from facebench.lab.learning.recipes import RecipeFile, Which
from facebench.models.architectures.convnet import ConvNet, to_input


class Bar(Protocol):
    """Begins a work of so many units; what it gives is told how many are done."""

    def __call__(self, title: str, total: int, unit: str = "steps") -> Advanced: ...


@dataclass(frozen=True)
class Machine:
    """Where training runs and whom it tells: device, precision (None: the recipe's), progress.

    bar: what works are told to, e.g. a progress bar; without it, losses are reported as lines.
    """

    device: str = "cpu"
    precision: str | None = None
    report: Report = print
    bar: Bar | None = None

    def recipe(self, recipe: Recipe) -> Recipe:
        """A recipe in this machine's precision."""
        return recipe if self.precision is None else replace(recipe, precision=self.precision)

    def on_step(self, folder: Path, recipe: Recipe) -> Advanced | None:
        """What is told every step of a training in its folder; None: nobody is."""
        return None if self.bar is None else self.bar(name_in(folder), recipe.steps)


@dataclass
class Learner(Learned):
    """A network in training and everything that its next training needs.

    frozen: layers that are not trained from now on; their activations go to the folder ``stored``.
    """

    net: ConvNet
    supervision: Supervision | JointSupervision
    recipe: RecipeFile
    data: TrainingData
    frozen: Frozen | None = None
    stored: Path = Path("stored")

    def plain(self) -> ConvNet:
        """The network as it will be used, a copy: normalisation folded in, evaluation mode."""
        net = self.net
        plain = net.folded() if isinstance(net, NormalisedConvNet) else copy_of(net)
        with torch.no_grad():
            for name, mask in self.masks.items():
                plain.get_submodule(name).weight.mul_(mask)  # type: ignore[operator]
        return plain.eval()

    def learn(
        self,
        which: Which,
        folder: Path,
        machine: Machine,
        seed: int,
        steps: int | None = None,
        penalty: tuple[str, float] | None = None,
    ) -> None:
        """Train in place under the masks; what ``folder`` holds already is not done again."""
        recipe = machine.recipe(self.recipe.recipe(which, seed, steps))
        self.net.dropout = self.recipe.phase(which).dropout or self.recipe.dropout
        extras = Extras(
            device=machine.device,
            make=make_pair_batch if self.supervision.pairs else make_batch,
            penalty=penalty,
            on_step=machine.on_step(folder, recipe),
        )
        net: nn.Module = self.net
        sources = self.data.sources
        change: Change = augment
        if self.frozen is not None:
            whole = copy_of(self.net).to(machine.device)  # the upper layers learn, not all
            recipe = in_settled_precision(
                recipe, whole, sources, folder, change, extras, machine.report
            )
            low = recipe.precision == "bfloat16"
            sources = stored_sources(
                self.net, self.frozen, sources, self.stored, low, machine.report
            )
            net, change = UpperLayers(self.net, self.frozen.below), one_view
            extras = replace(extras, to_input=from_stored, fed=True)
        train(net, self.supervision, sources, recipe, folder, self.masks,
              report=machine.report, change=change, extras=extras)  # fmt: skip

    def adopt(self, plain: ConvNet, masks: Mapping[str, Tensor]) -> None:
        """Start from a trained network instead of a random one; the softmax from class means."""
        batches = (faces_of(crops, rows) for crops, rows in _samples(self.data))
        net = unfolded(plain, batches) if isinstance(self.net, NormalisedConvNet) else plain
        self.net.load_state_dict(net.state_dict())
        self.masks = {name: mask.to(torch.float32) for name, mask in masks.items()}
        mask_layers(self.net, self.masks)
        bake_masks(self.net, self.masks)
        self._classes_from_means(plain)

    def _classes_from_means(self, plain: ConvNet) -> None:
        """Softmax weights that name the class of the nearest mean, up to scale."""
        weight = (
            self.supervision.prototypes
            if isinstance(self.supervision, Supervision)
            else self.supervision.classifier.weight
        )
        offset = 0
        with torch.no_grad():
            for crops, _ in self.data.sources:
                for identity in range(crops.classes):
                    rows = np.flatnonzero(crops.labels == identity)[:4]
                    features = features_of(plain, faces_of(crops, rows))
                    mean = torch.from_numpy(features).mean(0)
                    weight[offset + identity] = mean / mean.norm().clamp(min=1e-6)
                offset += crops.classes


def untrained(
    recipe: RecipeFile, width: float, size: tuple[int, int], data: TrainingData, seed: int
) -> Learner:
    """A network with random weights in the shape that recipe and data ask for."""
    torch.manual_seed(seed)
    kind = NormalisedConvNet if recipe.normalised else ConvNet
    net = kind(width, size, dropout=recipe.dropout)
    supervision: Supervision | JointSupervision
    if recipe.supervision == "joint":
        supervision = JointSupervision(
            net, data.embedding, data.classes, recipe.margin, recipe.earlier
        )
    else:
        supervision = Supervision(net.features, data.embedding, data.classes)
    return Learner(net, supervision, recipe, data)


def features_of(net: ConvNet, faces: NDArray[np.uint8], size: int = 32) -> NDArray[np.float32]:
    """Features float32 N×F of uint8 N×H×W×3 faces, in evaluation mode."""
    net.eval()
    with torch.no_grad():
        parts = [
            net(to_input(torch.from_numpy(faces[i : i + size]))) for i in range(0, len(faces), size)
        ]
    return torch.cat(parts).numpy()


def copy_of(net: ConvNet) -> ConvNet:
    """A ConvNet with the same weights and none of the hooks or masks."""
    plain = ConvNet(net.width, net.input_size, net.dropout)
    own = net.state_dict()
    plain.load_state_dict({name: own[name] for name in plain.state_dict()})
    return plain


def _samples(
    data: TrainingData, each: int = 128, size: int = 32
) -> Iterator[tuple[TrainingCrops, NDArray[np.int64]]]:
    for crops, _ in data.sources:
        rows = np.linspace(0, len(crops.images) - 1, min(each, len(crops.images))).astype(np.int64)
        for begin in range(0, len(rows), size):
            yield crops, rows[begin : begin + size]


# Faces of each identity (or of a source without them) that a supervision is fitted on.
_EACH, _UNLABELLED, _BATCH = 4, 2048, 64


@dataclass
class CompactLearner(Learned):
    """A network in training: module float N×3×112×96 → N×E, normalised supervision, recipe, data.

    Dropout and activations are the network's own; the recipe's ``dropout``, which is of ConvNets,
    changes nothing. ``normalised``: where the network has no batch normalisation it learns with it
    under ``train``, not in the few steps of ``retrain``.
    """

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
        recipe = machine.recipe(self.recipe.recipe(which, seed, steps))
        extras = Extras(
            device=machine.device, on_step=machine.on_step(folder, recipe), compiled=compiled
        )
        normalised = which == "train" and self.recipe.normalised
        with normalising(self.net) if normalised else nullcontext():
            train(self.net, self.supervision, self.data.sources, recipe, folder, self.masks,
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
