"""The network at work: with its masks, and the learner that trains it where there are faces."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from facebench.base.storage import write_atomically
from facebench.lab.compress.brought import masks_in, network_of_code
from facebench.lab.laboratory.laboratory import Laboratory
from facebench.lab.learning.learner import (
    CompactLearner,
    Learner,
    copy_of,
    untrained,
    untrained_compact,
)
from facebench.lab.learning.loop import load_checkpoint
from facebench.lab.learning.own_input import OwnInput, require_learnable
from facebench.models.architectures.base import CompactNet
from facebench.models.architectures.convnet import ConvNet
from facebench.models.architectures.registry import build
from facebench.models.architectures.state import reshape_to
from facebench.models.cards.card import ModelCard, is_compact, shape_of
from facebench.models.cards.trained import compact_network_of, network_of, packed_weights
from facebench.models.sparsity.masks import masks_of


@dataclass
class Piece:
    """A network of a card, as it has become.

    net: plain, for faces N×3×H×W of its ``input_size``; masks: module name → bool in the shape of
    its weight, true: kept; learner: what trains it, and has weights and masks of its own until
    `settle`; None: nothing does.
    """

    card: ModelCard
    net: ConvNet | CompactNet | OwnInput
    masks: dict[str, Tensor] = field(default_factory=dict)
    learner: Learner | CompactLearner | None = None

    @classmethod
    def of(cls, card: ModelCard, lab: Laboratory | None, seed: int) -> Piece:
        """A card's network with its trained weights, adopted by a learner if there are faces."""
        net, masks = _trained(card)
        if lab is None:
            return cls(card, net, masks)
        learner = fresh_learner(card, lab, seed)
        if isinstance(learner, Learner):
            assert isinstance(net, ConvNet)
            learner.adopt(net, masks)
        else:
            learner.adopt(net.state_dict())
            learner.masks = dict(masks)
        piece = cls(card, net, masks, learner)
        piece.settle()
        return piece

    @classmethod
    def load(cls, path: Path, card: ModelCard, lab: Laboratory | None, seed: int) -> Piece:
        """What `save` wrote."""
        if lab is not None:
            learner = fresh_learner(card, lab, seed)
            learner.load(path)
            piece = cls(card, _untrained(card), learner=learner)
            piece.settle()
            return piece
        saved = load_checkpoint(path)
        net = _untrained(card)
        if not isinstance(net, ConvNet):
            reshape_to(net, saved["net"])
        net.load_state_dict(saved["net"])
        return cls(card, net.eval(), saved["masks"])

    def save(self, path: Path) -> None:
        """Write down everything that the next step needs, complete or not at all."""
        if self.learner is not None:
            self.learner.save(path)
            return
        data = io.BytesIO()
        torch.save({"net": self.net.state_dict(), "masks": self.masks}, data)
        write_atomically(path, data.getvalue())

    def settle(self) -> None:
        """Take over what the learner has made of the network."""
        learner = self.learner
        if isinstance(learner, Learner):
            self.net = learner.plain()
        elif learner is not None:
            assert isinstance(learner.net, (CompactNet, OwnInput))
            self.net = learner.net.eval()
        if learner is not None:
            self.masks = {name: mask.to(torch.bool) for name, mask in learner.masks.items()}

    def drop(self, masks: Mapping[str, Tensor]) -> None:
        """Drop the connections of layers whose masks, bool, are false."""
        self.masks |= masks
        nets = [self.net] if self.learner is None else [self.net, self.learner.net]
        with torch.no_grad():
            for net in nets:
                for name, mask in masks.items():
                    net.get_submodule(name).get_parameter("weight").mul_(mask)
        if self.learner is not None:
            self.learner.masks |= {name: mask.to(torch.float32) for name, mask in masks.items()}

    def renew_masks(self) -> None:
        """After channels have gone: masks of the layers that had one, from their zeros."""
        self.masks = {
            name: self.net.get_submodule(name).get_parameter("weight").detach() != 0
            for name in self.masks
        }
        if self.learner is not None:
            self.learner.masks = {n: mask.to(torch.float32) for n, mask in self.masks.items()}


def fresh_learner(card: ModelCard, lab: Laboratory, seed: int) -> Learner | CompactLearner:
    """A learner of a card's network with random weights, of a brought one with those that its code
    gives it; UserError: none is trained here.
    """
    if is_compact(card):
        return lab.learner(card, seed)
    if card.architecture == "python":
        require_learnable(card)
        net = network_of_code(card)
        return untrained_compact(lambda: net, net.embedding, lab.recipe, lab.data, seed)
    assert card.width is not None and card.preprocessing.size is not None
    lab.require_usual_faces(card)
    learner = untrained(lab.recipe, card.width, card.preprocessing.size, lab.data, seed)
    learner.stored = lab.work / "stored"
    return learner


def _trained(card: ModelCard) -> tuple[ConvNet | CompactNet | OwnInput, dict[str, Tensor]]:
    if card.architecture == "python":
        own = network_of_code(card)
        return own, masks_in(own)
    if is_compact(card):
        return compact_network_of(card).eval(), packed_weights(card).masks
    masked = network_of(card)
    return copy_of(masked).eval(), masks_of(masked)


def _untrained(card: ModelCard) -> ConvNet | CompactNet | OwnInput:
    if card.architecture == "python":
        return network_of_code(card)
    if is_compact(card):
        return build(*shape_of(card))
    assert card.width is not None and card.preprocessing.size is not None
    return ConvNet(card.width, card.preprocessing.size)
