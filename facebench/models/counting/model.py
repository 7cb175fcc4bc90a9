"""The one place that counts: what a model takes, of whatever kind it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from facebench.base.errors import UserError
from facebench.models.cards.card import ModelCard, find_card, is_compact
from facebench.models.cards.members import trained_members
from facebench.models.cards.quantise import rounded_bytes, rounded_name
from facebench.models.cards.trained import compact_network_of, network_of, packed_weights
from facebench.models.counting.cost import Cost
from facebench.models.counting.graph import graph_counts
from facebench.models.counting.products import Products, products_of
from facebench.models.counting.state import kept_in, parameters_of, plain_state, uncounted_in
from facebench.models.embedders.base import Embedder
from facebench.models.embedders.onnx import OnnxEmbedder
from facebench.models.embedders.torch import TorchEmbedder
from facebench.models.sizes import cost_of
from facebench.models.sparsity.masks import apply_masks
from facebench.models.weights.brought import brought_bytes
from facebench.models.weights.packed import packed_bytes

_OF_DATA = ("convnet", "onnx")


def count_model(embedder: Embedder, card: ModelCard | None = None) -> Cost:
    """What a loaded model takes; card: where it has one, or one was made up for its file.

    Of code that is no torch network nothing is known, and of an ensemble what is of all of its
    members. No ratio is given but that of networks of ours: what it is to is said elsewhere.
    """
    if card is not None and card.architecture == "ensemble":
        return Cost.sum([_of_card(member) for member in trained_members(card)])
    if card is not None and _is_ours(card):
        return _of_card(card)
    path = getattr(embedder, "path", None) if card is None else card.weights_path
    size = path.stat().st_size if path is not None else None
    if isinstance(embedder, OnnxEmbedder) and path is not None:
        size = embedder.bytes
        found = _of_graph(path, embedder.preprocessing.size)
    elif isinstance(embedder, TorchEmbedder) and isinstance(embedder.network, nn.Module):
        found = _of_module(embedder, embedder.network)
    else:
        return Cost(bytes=size)
    remarks = tuple(f"model {embedder.id}: {line}" for line in found.remarks)
    return replace(found, bytes=size, remarks=remarks)


def parent_parameters(card: ModelCard | None) -> int | None:
    """Parameters of the network that a card says it was made of; None: it says none, or these are
    not known.
    """
    try:
        return None if card is None or card.parent is None else cost_of(
            find_card(card.parent)
        ).parameters  # fmt: skip
    except UserError:
        return None


def _is_ours(card: ModelCard) -> bool:
    return card.architecture == "convnet" or is_compact(card)


def _of_card(card: ModelCard) -> Cost:
    """Of a network of ours or an ONNX file; of a program its bytes alone."""
    cost, size = cost_of(card), card.preprocessing.size
    if card.architecture == "onnx" and card.weights_path is not None and size is not None:
        return replace(_of_graph(card.weights_path, size), bytes=cost.bytes)
    if not _is_ours(card):
        return cost
    assert size is not None
    packed = packed_weights(card)
    net: nn.Module = compact_network_of(card) if is_compact(card) else network_of(card)
    if is_compact(card):
        apply_masks(net, packed.masks)
    products = _of_masks(net, size)
    half, rounded = cost.bytes, cost.bytes
    if packed.dtype != "float16":
        source = {"model": card.name}
        half = len(packed_bytes(packed.state, packed.masks, "float16", source))
    if packed.dtype != "int8":
        rounded = len(rounded_bytes(packed, rounded_name(card)))
    return replace(
        cost,
        packed_bytes=half,
        packed_int8_bytes=rounded,
        multiply_adds=products.total,
        kept_multiply_adds=products.kept,
    )


def _of_masks(net: nn.Module, size: tuple[int, int]) -> Products:
    """Products of a network of ours; its file says what is kept, be it zero."""
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.fill_(1)
        return products_of(net.eval(), torch.zeros(1, 3, *size))


def _of_module(embedder: TorchEmbedder, net: nn.Module) -> Cost:
    """Of a torch module, TorchScript or an exported program."""
    net = getattr(net, "_orig_mod", net)  # what torch.compile wraps
    shape = (embedder.batch or 1, 3, *embedder.preprocessing.size)
    remarks = []
    try:
        products = products_of(net, torch.zeros(*shape, device=embedder.device))
    except Exception as error:  # whatever their code does with a black face
        products = Products(None, None)
        why = " ".join(str(error).split())[:120]
        remarks.append(f"its multiply-adds are not counted: it fails on a black face ({why})")
    if (hidden := uncounted_in(net)) is not None:
        return Cost(
            multiply_adds=products.total,
            remarks=(f"its parameters are not counted: {hidden}", *remarks),
        )
    weights = parameters_of(net)
    half, rounded, unpacked = _packed(plain_state(net))
    return Cost(
        parameters=sum(value.numel() for value in weights.values()) or None,
        kept=kept_in(weights.values()) or None,
        packed_bytes=half,
        packed_int8_bytes=rounded,
        multiply_adds=products.total,
        kept_multiply_adds=products.kept,
        remarks=(*remarks, *unpacked),
    )


def _of_graph(path: Path, size: tuple[int, int]) -> Cost:
    counts = graph_counts(path, size)
    remarks = (counts.remark,) if counts.remark else ()
    if counts.weights is None:
        return Cost(
            multiply_adds=counts.multiply_adds,
            kept_multiply_adds=counts.kept_multiply_adds,
            remarks=remarks,
        )
    weights = {name: torch.from_numpy(value) for name, value in counts.weights.items()}
    layers = {
        name if value.dim() < 2 or name.endswith(".weight") else f"{name}.weight": value
        for name, value in weights.items()
    }
    half, rounded, unpacked = _packed(layers)
    return Cost(
        parameters=sum(value.numel() for value in weights.values()),
        kept=kept_in(weights.values()),
        packed_bytes=half,
        packed_int8_bytes=rounded,
        multiply_adds=counts.multiply_adds,
        kept_multiply_adds=counts.kept_multiply_adds,
        remarks=(*remarks, *unpacked),
    )


def _packed(state: Mapping[str, Tensor]) -> tuple[int | None, int | None, tuple[str, ...]]:
    """Bytes of the packed file in float16 and int8, and why there are none."""
    if not state:
        return None, None, ()
    try:
        return len(brought_bytes(state)), len(brought_bytes(state, "int8")), ()
    except UserError as error:
        return None, None, (f"its packed bytes are not known: {error}",)
