"""The trained weights of a card of ours: found, checked, and put into a network."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from facebench.base.errors import UserError
from facebench.models.architectures.base import CompactNet
from facebench.models.architectures.convnet import ConvNet
from facebench.models.architectures.registry import ARCHITECTURES, build
from facebench.models.architectures.shapes import module_name
from facebench.models.architectures.state import reshape_to
from facebench.models.cards.card import ModelCard, card_names, find_card, is_compact, shape_of
from facebench.models.sparsity.masks import apply_masks
from facebench.models.weights.packed import PackedWeights, load_packed


def network_of(card: ModelCard) -> ConvNet:
    """The ConvNet of a card with its trained weights and masks, for further pruning or training."""
    if card.architecture != "convnet":
        raise UserError(f"model {card.name!r} is {card.architecture}, not a convnet of facebench")
    packed = packed_weights(card)
    assert card.width is not None and card.preprocessing.size is not None
    net = ConvNet(card.width, card.preprocessing.size)
    fits(net, packed, card)
    net.load_state_dict(packed.state)
    apply_masks(net, packed.masks)
    return net


def compact_network_of(card: ModelCard) -> CompactNet:
    """The compact network of a card with its trained weights, without the filters it has lost."""
    if not is_compact(card):
        raise UserError(
            f"model {card.name!r} is {card.architecture}, not one of {', '.join(ARCHITECTURES)}"
        )
    packed = packed_weights(card)
    net = build(*shape_of(card))
    fit_compact(net, packed.state, card)
    net.load_state_dict(packed.state)
    return net


def fit_compact(net: CompactNet, state: Mapping[str, Tensor], card: ModelCard) -> None:
    """Give a card's network the filters that are left; UserError where the weights are not its own.

    Only a card that says ``filters_removed`` may have fewer filters than its architecture.
    """
    where = card.weights_path or card.path
    wanted = net.state_dict()
    _same_names(wanted, state, f"{where}", f"a {card.architecture}")
    changed = [name for name in wanted if wanted[name].shape != state[name].shape]
    if not changed:
        return
    name = changed[0]
    found, full = tuple(state[name].shape), tuple(wanted[name].shape)
    if card.filters_removed is None:
        raise UserError(
            f"{where}: {name} is {found}; this {card.architecture} needs {full}: correct 'width', "
            f"'embedding' or 'size' in {card.path}, or say there which share of its filters was "
            "removed: filters_removed = 0.3"
        )
    try:
        reshape_to(net, state)
        _run_once(net)
    except (ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:160]
        raise UserError(
            f"{where}: not the weights of a {card.architecture} with fewer filters: {reason}"
        ) from None


def _run_once(net: CompactNet) -> None:
    """RuntimeError where the layers do not fit together; ValueError for another embedding."""
    training = net.training
    with torch.inference_mode():
        shape = tuple(net.eval()(torch.zeros(1, 3, *net.input_size)).shape)
    net.train(training)
    if shape != (1, net.dimension):
        raise ValueError(f"its embedding has {shape[-1]} values, the card says {net.dimension}")


def packed_weights(card: ModelCard) -> PackedWeights:
    """The weights of a card of ours, hash checked; UserError where the card has none yet."""
    path = card.weights_path
    if path is None:
        raise UserError(
            f"model {card.name!r} has no trained weights yet: {card.path} names none; choose one "
            f"that `facebench models` lists with weights, or {_training_of(card)}"
        )
    if not path.is_file():
        raise UserError(
            f"model {card.name!r}: its weights {path} are not there; fetch them again or correct "
            f"'weights' in {card.path}"
        )
    return load_packed(path, card.sha256)


def _training_of(card: ModelCard) -> str:
    """What learns a card's weights, in words: the command, where one does it alone."""
    if card.sparsity or card.filters_removed or card.region:
        return "train it and publish them"
    named = card.name in card_names() and find_card(card.name).path.resolve() == card.path.resolve()
    return f"train it: `facebench train {card.name if named else card.path} --data ...`"


def fits(net: ConvNet, packed: PackedWeights, card: ModelCard) -> None:
    """UserError where weights or masks are not those of the card's network."""
    where = card.weights_path
    wanted, given = net.state_dict(), packed.state
    _same_names(wanted, given, f"{where}", f"width {card.width}")
    for name in wanted:
        if wanted[name].shape != given[name].shape:
            raise UserError(
                f"{where}: {name} is {tuple(given[name].shape)}; a ConvNet of width {card.width} "
                f"needs {tuple(wanted[name].shape)}: correct 'width' or 'size' in {card.path}"
            )
    sparse = {module_name(layer): degree for layer, degree in card.degrees.items() if degree < 1}
    if set(sparse) != set(packed.masks):
        raise UserError(
            f"{where}: sparse in {', '.join(packed.masks) or 'no layer'}; the card says "
            f"{', '.join(sparse) or 'none'}: correct 'sparsity' in {card.path}"
        )
    for name, mask in packed.masks.items():
        share = float(mask.float().mean())
        if not 0.75 <= share / sparse[name] <= 1.25:
            raise UserError(
                f"{where}: keeps {share:.4g} of {name}; the card says {sparse[name]}: correct "
                f"'sparsity' in {card.path}"
            )


def _same_names(
    wanted: Mapping[str, Tensor], given: Mapping[str, Tensor], where: str, what: str
) -> None:
    """UserError for the first tensor that is absent or unexpected."""
    for name in [*wanted, *given]:
        if name not in given or name not in wanted:
            state = "lack" if name in wanted else "have an unexpected"
            raise UserError(f"{where}: the weights {state} {name!r} of {what}")
