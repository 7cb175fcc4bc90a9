"""What a script learned so far: written down for the next step, and read again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from facebench.training.checkpoints import load_checkpoint, save_checkpoint
from facebench.training.losses import Supervision
from facebench.training.normalised import NormalisedConvNet


@dataclass
class Learned:
    """A network with batch normalisation, its supervision, and its dropping matrices so far."""

    net: NormalisedConvNet
    supervision: Supervision
    masks: dict[str, Tensor]


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
