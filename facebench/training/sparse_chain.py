"""A chain of sparse ConvNets: the baseline, then one more sparse layer at a time (Table 2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facebench.pruning.correlation import prune_layer
from facebench.training.augment import centre_crop
from facebench.training.checkpoints import load_checkpoint, save_checkpoint
from facebench.training.crops import TrainingCrops
from facebench.training.loop import Recipe, train
from facebench.training.losses import Supervision
from facebench.training.normalised import NormalisedConvNet


@dataclass(frozen=True)
class Link:
    """One model of the chain: its name, the layer that it makes sparse, and how far."""

    name: str
    layer: str
    keep: Fraction
    steps: int


@dataclass(frozen=True)
class Chain:
    """What to learn: the width, the dense recipe, then the links from the top layer down."""

    width: float
    dense: Recipe
    links: tuple[Link, ...]
    retrain: Recipe
    dropout: tuple[float, float]


@dataclass
class Learned:
    """A network with batch normalisation, its supervision, and its dropping matrices so far."""

    net: NormalisedConvNet
    supervision: Supervision
    masks: dict[str, Tensor]


def start(chain: Chain, sources: list[tuple[TrainingCrops, int]], embedding: int) -> Learned:
    """An untrained network in the shape that the chain and its training data ask for."""
    torch.manual_seed(chain.dense.seed)
    net = NormalisedConvNet(chain.width, dropout=chain.dropout)
    classes = sum(crops.classes for crops, _ in sources)
    return Learned(net, Supervision(net.features, embedding, classes), {})


def learn_dense(
    learned: Learned, chain: Chain, sources: list[tuple[TrainingCrops, int]], work: Path
) -> None:
    """Train the baseline N_0 in place; stopped at any point it continues."""
    train(learned.net, learned.supervision, sources, chain.dense, work / "baseline")
    save(learned, work / "baseline" / "final.pt")


def learn_link(
    learned: Learned,
    link: Link,
    chain: Chain,
    sources: list[tuple[TrainingCrops, int]],
    held_out: NDArray[np.uint8],
    work: Path,
) -> None:
    """Select connections on N_(m-1), then retrain N_m from its weights, in place.

    held_out: uint8 N×128×112×3 crops that no network is trained on. The dropping matrix is kept in
    ``work``, so that a continued run trains the same one.

    Source: Sun, Wang, Tang 2015, Table 2 and Section 4.1.
    """
    folder = work / link.name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "mask.pt"
    if not path.exists():
        rng = np.random.default_rng([chain.dense.seed, len(learned.masks)])
        # Correlations are those of the network as it will be used: normalisation folded in.
        name, mask = prune_layer(
            learned.net.folded(), link.layer, link.keep, _in_batches(held_out), rng
        )
        save_checkpoint({"name": name, "mask": mask.to(torch.bool)}, path)
    saved = load_checkpoint(path)
    learned.masks[saved["name"]] = saved["mask"].to(torch.float32)
    recipe = replace(chain.retrain, steps=link.steps, seed=chain.dense.seed + len(learned.masks))
    train(learned.net, learned.supervision, sources, recipe, folder, learned.masks)
    save(learned, folder / "final.pt")


def save(learned: Learned, path: Path) -> None:
    """Write a learned network, its supervision and its masks for the next step."""
    save_checkpoint(
        {"net": learned.net.state_dict(), "supervision": learned.supervision.state_dict(),
         "masks": {name: mask.to(torch.bool) for name, mask in learned.masks.items()}},
        path,
    )  # fmt: skip


def load(learned: Learned, path: Path) -> None:
    """Put what ``save`` wrote into a network of the same shape."""
    saved = load_checkpoint(path)
    learned.net.load_state_dict(saved["net"])
    own = learned.supervision.state_dict()
    # The number of identities may differ between two training sets; prototypes start anew then.
    learned.supervision.load_state_dict(
        {k: v if v.shape == own[k].shape else own[k] for k, v in saved["supervision"].items()}
    )
    learned.masks = {name: mask.to(torch.float32) for name, mask in saved["masks"].items()}


def steps_to(chain: Chain, name: str) -> list[tuple[str, int]]:
    """What was trained for how many mini-batches up to a model of the chain, ancestors first."""
    parts = [("dense", chain.dense.steps)]
    for link in chain.links:
        if name == "baseline" or any(part == name for part, _ in parts):
            break
        parts.append((link.name, link.steps))
    return parts


def _in_batches(crops: NDArray[np.uint8], size: int = 64) -> Iterator[NDArray[np.uint8]]:
    for begin in range(0, len(crops), size):
        yield np.ascontiguousarray(centre_crop(np.asarray(crops[begin : begin + size])))
