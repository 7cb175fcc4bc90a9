"""What a model takes before anything is timed: parameters, bytes, multiply-adds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from facebench.costs.counts import (
    dropped_multiply_adds,
    multiply_adds_of,
    network_multiply_adds,
    onnx_counts,
)
from facebench.models.architectures.base import parameters
from facebench.models.cards.card import ModelCard
from facebench.models.cards.members import trained_members
from facebench.models.embedders.base import Embedder
from facebench.models.embedders.options import ModelOptions
from facebench.models.embedders.programs import load_exported, load_torchscript
from facebench.models.embedders.python import make
from facebench.models.sparsity.masks import masks_of
from facebench.models.zoo import card_for, load_model, load_network


@dataclass(frozen=True)
class Sizes:
    """Parameters, those kept under masks, and multiply-adds of one pass of one face.

    None: not known.
    """

    parameters: int | None = None
    kept: int | None = None
    multiply_adds: int | None = None
    kept_multiply_adds: int | None = None


@dataclass(frozen=True)
class ModelFacts:
    """A model that can be loaded. bytes: of its weights on disk, None: it has no file; input:
    height × width of its faces; passes: of the network for one embedding.
    """

    spec: str
    options: ModelOptions
    card: ModelCard
    weights_hash: str
    sizes: Sizes
    bytes: int | None
    input: tuple[int, int]
    passes: int

    @property
    def name(self) -> str:
        """What records call it."""
        return self.card.name


def model_facts(spec: str, options: ModelOptions | None = None) -> ModelFacts:
    """The facts of a model; UserError in one line: it cannot be loaded."""
    options = options or ModelOptions()
    card = card_for(spec)
    embedder = load_model(spec, options)
    members = trained_members(card) if card.architecture == "ensemble" else [card]
    paths = [member.weights_path for member in members]
    return ModelFacts(
        spec=spec,
        options=options,
        card=card,
        weights_hash=embedder.weights_hash,
        sizes=_sizes(card, members, embedder),
        bytes=sum(path.stat().st_size for path in paths if path) if all(paths) else None,
        input=embedder.preprocessing.size,
        passes=1 if embedder.preprocessing.flip == "none" else 2,
    )


def _sizes(card: ModelCard, members: list[ModelCard], embedder: Embedder) -> Sizes:
    own = embedder.preprocessing.size if members == [card] else None
    parts = [_network_sizes(member, own or member.preprocessing.size) for member in members]
    if all(part is not None for part in parts):
        return _summed([part for part in parts if part is not None])
    if card.architecture == "ensemble":  # what torch computes would be a part of its members
        return Sizes()
    height, width = embedder.preprocessing.size
    face = np.zeros((1, height, width, 3), dtype=np.uint8)
    products = multiply_adds_of(lambda: embedder.forward(face))
    counted = _module_parameters(card, embedder.device)
    return Sizes(counted, counted, products, products)


def _network_sizes(card: ModelCard, size: tuple[int, int] | None) -> Sizes | None:
    """Of a network of ours or an ONNX file, or None: it is another kind of model."""
    if card.architecture in ("torchscript", "export", "python", "ensemble"):
        return None
    assert size is not None
    if card.architecture == "onnx":
        assert card.weights_path is not None
        counts = onnx_counts(card.weights_path, size)
        return Sizes(counts.parameters, counts.parameters, counts.multiply_adds,
                     counts.multiply_adds)  # fmt: skip
    net: nn.Module = load_network(str(card.path)).eval()
    masks = masks_of(net)
    total = parameters(net)
    dropped = sum(int((~mask).sum()) for mask in masks.values())
    products = network_multiply_adds(net, size)
    kept = None if products is None else products - dropped_multiply_adds(net, size, masks)
    return Sizes(total, total - dropped, products, kept)


def _summed(parts: list[Sizes]) -> Sizes:
    def total(field: str) -> int | None:
        values = [getattr(part, field) for part in parts]
        return None if None in values else sum(values)

    return Sizes(*(total(f) for f in ("parameters", "kept", "multiply_adds", "kept_multiply_adds")))


def _module_parameters(card: ModelCard, device: str) -> int | None:
    """Parameters of a program or a module of Python code; None: it is neither."""
    module: Any = None
    loaders: dict[str, Callable[..., Any]] = {
        "torchscript": load_torchscript,
        "export": load_exported,
    }
    if card.architecture in loaders and card.weights_path is not None:
        module = loaders[card.architecture](card.weights_path, device).run
    elif card.architecture == "python":
        module = make(card.weights or "", card.path.parent)
    if not isinstance(module, nn.Module):
        return None
    return parameters(module) or None
