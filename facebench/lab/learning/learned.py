"""A network with what it is asked for and what it has dropped: what every training holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from facebench.lab.learning.loop import load_checkpoint, save_checkpoint
from facebench.lab.learning.losses import Judge
from facebench.models.architectures.state import reshape_to


@dataclass
class Learned:
    """masks: module name → float32 of 0 and 1 in the shape of its weight, 1: kept."""

    net: nn.Module
    supervision: Judge
    masks: dict[str, Tensor] = field(default_factory=dict, kw_only=True)

    def save(self, path: Path) -> None:
        """Write down network, supervision and masks, complete or not at all."""
        state = {
            "net": self.net.state_dict(),
            "supervision": self.supervision.state_dict(),
            "masks": {name: mask.to(torch.bool) for name, mask in self.masks.items()},
        }
        save_checkpoint(state, path)

    def load(self, path: Path, *, same_people: bool = True) -> None:
        """Take over what `save` wrote, with the channels that the network had there.

        same_people: the supervision's identities; where they may be others, those begin anew.
        """
        saved = load_checkpoint(path)
        self.take(saved["net"])
        supervision = saved["supervision"]
        if not same_people:
            own = self.supervision.state_dict()
            supervision = {k: v if v.shape == own[k].shape else own[k]
                           for k, v in supervision.items()}  # fmt: skip
        self.supervision.load_state_dict(supervision)
        masks = saved.get("masks", {})
        self.masks = {name: mask.to(torch.float32) for name, mask in masks.items()}

    def take(self, state: Mapping[str, Tensor]) -> None:
        """Take over weights, with the channels that they have; ValueError: of another network."""
        reshape_to(self.net, state)
        self.net.load_state_dict(state)
