"""The regression head of a training as a metric: the cosine of what it maps embeddings to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facebench.base.errors import UserError
from facebench.base.storage import write_atomically
from facebench.lab.learning.loop import load_checkpoint
from facebench.lab.learning.losses import JointSupervision, Supervision
from facebench.lab.learning.normalised import NormalisedConvNet
from facebench.lab.metrics.joint_bayesian import attach_metric
from facebench.models.architectures.convnet import ConvNet
from facebench.models.cards.card import ModelCard
from facebench.models.cards.trained import network_of
from facebench.models.embedders.base import Embedder, FlipRule
from facebench.similarity.metric_file import MetricFacts, metric_bytes
from facebench.similarity.projection import ProjectionModel

State = Mapping[str, Tensor]
_WEIGHT, _BIAS = "regressor.weight", "regressor.bias"
# Published weights are float16, which rounds by up to 2^-11 of a value.
_RELATIVE, _ABSOLUTE = 2.0**-10, 1e-6


@dataclass(frozen=True, eq=False)
class FittedProjection:
    """A projection with its facts."""

    model: ProjectionModel
    facts: MetricFacts

    def write(self, path: Path) -> None:
        """Write the metric file, complete or not at all."""
        write_atomically(path, metric_bytes(self.model, self.facts))

    def attach(self, card: ModelCard) -> Path:
        """Write ``weights/<card>.projection.safetensors`` beside the card and name it there.

        UserError where the model has no card of its own to write into.
        """
        return attach_metric(card, "projection", metric_bytes(self.model, self.facts), self.facts)


def projection_of(
    supervision: Supervision | JointSupervision | State, flip: FlipRule = "none"
) -> ProjectionModel:
    """The regression head of a training, or of its state, for embeddings under a flip rule.

    The head was taught on one face: ``r(x) = W·x + b``. Under ``add`` the embedding is the sum of
    the face's and its mirrored one's features, and ``r(x1) + r(x2) = W·(x1 + x2) + 2b``, so its
    bias is twice the head's. ``none``: the head itself. UserError: under ``concat`` and
    ``normalised-add`` no such map of the embedding exists; the network learned without a teacher.
    """
    state = supervision if isinstance(supervision, Mapping) else supervision.state_dict()
    if flip not in ("none", "add"):
        raise UserError(
            f"embeddings with flip {flip} have no projection: the regression head knows the "
            "features of one face as they are; use flip none or add"
        )
    if _WEIGHT not in state or _BIAS not in state or len(state[_WEIGHT]) < 2:
        raise UserError(
            "the training has no regression head: no teacher taught the network; train with "
            "--teacher, or learn a metric with `facebench metric fit`"
        )
    weight, bias = (state[name].detach().cpu().double().numpy() for name in (_WEIGHT, _BIAS))
    faces = 2 if flip == "add" else 1
    return ProjectionModel(np.array(weight), faces * bias)


def fit_projection(card: ModelCard, embedder: Embedder, checkpoint: Path) -> FittedProjection:
    """The projection of a published ConvNet, from the checkpoint that its weights were taken from.

    checkpoint: ``final.pt`` of `Learner.save`; embedder: the card's, whose flip rule counts.
    UserError: no such file, no regression head, or the checkpoint of another network.
    """
    saved = _read(checkpoint)
    _require_same_network(card, saved, checkpoint)
    model = projection_of(saved["supervision"], embedder.preprocessing.flip)
    facts = MetricFacts(
        fitted_on=f"with the network, on {card.training.data or 'its training data'}",
        images=card.training.images or 0,
        model=embedder.id,
        weights_hash=embedder.weights_hash,
        preprocessing=embedder.preprocessing.signature,
        settings=(
            f"regression head onto a teacher's {len(model.bias)} numbers, for flip "
            f"{embedder.preprocessing.flip}"
        ),
    )
    return FittedProjection(model, facts)


def _read(path: Path) -> dict[str, Any]:
    how = "name a final.pt of `facebench train` or `facebench prune`"
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint; {how}")
    saved = load_checkpoint(path, how)
    if not {"net", "supervision", "masks"} <= set(saved):
        raise UserError(f"{path}: not the checkpoint of a finished training; {how}")
    return saved


def _require_same_network(card: ModelCard, saved: Mapping[str, Any], path: Path) -> None:
    """UserError where the checkpoint's network, folded, is not the card's up to rounding."""
    published = network_of(card)
    try:
        learned = _plain(published, saved["net"])
        for name, mask in saved["masks"].items():
            learned[f"{name}.weight"] = learned[f"{name}.weight"] * mask
    except (RuntimeError, KeyError):
        raise UserError(
            f"{path}: not a network of the structure of {card.name}; name its own checkpoint"
        ) from None
    for name, value in published.state_dict().items():
        if not torch.allclose(learned[name], value, rtol=_RELATIVE, atol=_ABSOLUTE):
            raise UserError(
                f"{path}: its network is not {card.name}, {name} differs; name the checkpoint that "
                "the published weights were taken from"
            )


def _plain(like: ConvNet, state: State) -> dict[str, Tensor]:
    """The state of a network in training with its normalisation, if it has any, folded in."""
    normalised = any(name.startswith("norm") for name in state)
    net = (NormalisedConvNet if normalised else ConvNet)(like.width, like.input_size)
    net.load_state_dict(dict(state))
    plain = net.folded() if isinstance(net, NormalisedConvNet) else net
    return dict(plain.state_dict())
