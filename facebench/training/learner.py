"""A network that learns: with its supervision, its dropping matrices and its recipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facebench.nets.convnet import ConvNet, to_input
from facebench.training.augment import Change, augment, make_batch
from facebench.training.checkpoints import load_checkpoint, save_checkpoint
from facebench.training.crops import TrainingCrops
from facebench.training.data import TrainingData, faces_of
from facebench.training.frozen import Frozen, UpperLayers, from_stored, one_view, stored_sources
from facebench.training.joint import JointSupervision
from facebench.training.loop import Extras, bake_masks, mask_layers, train
from facebench.training.losses import Supervision
from facebench.training.normalised import NormalisedConvNet, unfolded
from facebench.training.pairs import make_pair_batch
from facebench.training.precision import AUTO, settled
from facebench.training.recipe_files import RecipeFile, Which
from facebench.training.work_folder import name_in

Report = Callable[[str], None]


@dataclass(frozen=True)
class Machine:
    """Where training runs and whom it tells: device, precision (None: the recipe's), progress.

    bar: (title, steps) → a function that is told every step, e.g. of a progress bar.
    """

    device: str = "cpu"
    precision: str | None = None
    report: Report = print
    bar: Callable[[str, int], Callable[[int], None]] | None = None


@dataclass
class Learner:
    """A network in training and everything that its next training needs.

    frozen: layers that are not trained from now on; their activations go to the folder ``stored``.
    """

    net: ConvNet
    supervision: Supervision | JointSupervision
    recipe: RecipeFile
    data: TrainingData
    masks: dict[str, Tensor] = field(default_factory=dict)
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
        recipe = self.recipe.recipe(which, seed, steps)
        self.net.dropout = self.recipe.phase(which).dropout or self.recipe.dropout
        if machine.precision is not None:
            recipe = replace(recipe, precision=machine.precision)
        told = machine.bar(name_in(folder), recipe.steps) if machine.bar else None
        extras = Extras(
            device=machine.device,
            make=make_pair_batch if self.supervision.pairs else make_batch,
            penalty=penalty,
            on_step=told,
        )
        net: nn.Module = self.net
        sources = self.data.sources
        change: Change = augment
        if self.frozen is not None:
            if recipe.precision == AUTO:
                faces = next(self.data.held_out_faces())
                inputs = to_input(torch.from_numpy(faces)).to(machine.device)
                chosen = settled(folder, copy_of(self.net).to(machine.device), inputs)
                recipe = replace(recipe, precision=chosen)
            low = recipe.precision == "bfloat16"
            sources = stored_sources(
                self.net, self.frozen, sources, self.stored, low, machine.report
            )
            net, change = UpperLayers(self.net, self.frozen.below), one_view
            extras = replace(extras, to_input=from_stored, fed=True)
        train(net, self.supervision, sources, recipe, folder, self.masks,
              report=machine.report, change=change, extras=extras)  # fmt: skip

    def save(self, path: Path) -> None:
        """Write down network, supervision and masks, complete or not at all."""
        state = {
            "net": self.net.state_dict(),
            "supervision": self.supervision.state_dict(),
            "masks": {name: mask.to(torch.bool) for name, mask in self.masks.items()},
        }
        save_checkpoint(state, path)

    def load(self, path: Path) -> None:
        """Take over what `save` wrote."""
        saved = load_checkpoint(path)
        self.net.load_state_dict(saved["net"])
        self.supervision.load_state_dict(saved["supervision"])
        self.masks = {name: mask.to(torch.float32) for name, mask in saved["masks"].items()}

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
