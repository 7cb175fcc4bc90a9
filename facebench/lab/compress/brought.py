"""Networks that people bring: the card that a run starts from, the network itself, and what it has
become as a card and packed weights.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize, prune

from facebench.base.errors import UserError
from facebench.base.storage import write_together
from facebench.lab.filters.groups import FilterGroup, find_groups
from facebench.lab.filters.removal import remove_units
from facebench.lab.learning.own_input import OwnInput
from facebench.models.architectures.state import reshape_to
from facebench.models.cards.brought import brought_card, pack_model
from facebench.models.cards.card import ModelCard, is_name, read_card
from facebench.models.cards.names import card_for
from facebench.models.cards.publish import card_bytes
from facebench.models.counting.state import place_of, plain_state
from facebench.models.embedders.options import ModelOptions
from facebench.models.weights.brought import brought_bytes
from facebench.models.weights.packed import Values
from facebench.models.zoo import load_model, made_by

# A layer has masks where so much of its weight is zero: by chance hardly any number is.
PRUNED_FROM = 0.1


def start_of(spec: str, options: ModelOptions, work: Path) -> ModelCard:
    """The card of a brought network as it is, its weights packed without rounding in ``work``.

    spec: ``package.module:factory``, also with ``@FILE``, or its card. UserError: as `pack_model`.
    """
    card = card_for(spec)
    name = card.name if is_name(card.name) else spec.partition(":")[2].partition("@")[0]
    digest = load_model(spec, options).weights_hash
    folder = work / "starts" / hashlib.sha256(f"{digest} {options}".encode()).hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    made = pack_model(spec, folder / f"{name}.safetensors", "float32", options, overwrite=True)
    title = card.title.removesuffix(", packed")
    update = made.card.model_copy(update={"title": title, "licence": card.licence})
    write_together({made.card.path: card_bytes(update, made.card.path)})
    return read_card(made.card.path)


def network_of_code(card: ModelCard) -> OwnInput:
    """A card's network as its code makes it, with its weights, no pruning tool at work in it."""
    net, _ = made_by(card)
    assert isinstance(net, nn.Module)  # see `start_of`
    for module in list(net.modules()):
        for hook in list(module._forward_pre_hooks.values()):
            if isinstance(hook, prune.BasePruningMethod):
                prune.remove(module, hook._tensor_name)
        for name in list(getattr(module, "parametrizations", {})):
            parametrize.remove_parametrizations(module, name)
    return OwnInput(net.eval(), card.preprocessing, card.output)


def masks_in(net: nn.Module) -> dict[str, Tensor]:
    """Layers that came pruned, by module name: bool, in the shape of the weight, true: kept."""
    found = {}
    for name, module in net.named_modules():
        weight = getattr(module, "weight", None)
        if isinstance(module, (nn.Conv2d, nn.Linear)) and isinstance(weight, Tensor):
            mask = weight.detach() != 0
            if (~mask).float().mean() >= PRUNED_FROM:
                found[name] = mask
    return found


def shared_weights(net: nn.Module) -> set[str]:
    """Layers whose weight is another's, too, by module name."""
    places: dict[object, list[str]] = {}
    for name, parameter in net.named_parameters(remove_duplicate=False):
        places.setdefault(place_of(parameter), []).append(name.rpartition(".")[0])
    return {name for names in places.values() if len(names) > 1 for name in names}


def require_filters(card: ModelCard, net: OwnInput) -> None:
    """UserError, in a few words: why filters of a network cannot be removed.

    A unit of each group is taken out of a copy, which is then read back from its weights alone.
    """
    if shared_weights(net):
        raise UserError("layers share their weights")
    groups = _groups_of(net)
    if not groups:
        raise UserError("it has no convolution but those whose channels are the embedding")
    less = _without_one_each(net, groups)
    again = network_of_code(card)
    try:
        reshape_to(again, less.state_dict())
        again.load_state_dict(less.state_dict())
    except (ValueError, RuntimeError) as error:
        raise UserError(f"it cannot be made again with fewer ({_line(error)})") from None
    face = torch.full((1, 3, *net.input_size), 0.25)
    with torch.no_grad():
        if not torch.allclose(again.eval()(face), less.eval()(face), rtol=1e-3, atol=1e-4):
            raise UserError("made again with fewer it computes something else")


def _groups_of(net: OwnInput) -> list[FilterGroup]:
    try:
        return [group for group in find_groups(net, net.input_size) if group.size > 1]
    except Exception as error:  # of the tracer, or of their code under it
        raise UserError(f"it cannot be traced ({_line(error)})") from None


def _without_one_each(net: OwnInput, groups: list[FilterGroup]) -> OwnInput:
    """A copy without the first unit of each group."""
    less = deepcopy(net)
    try:
        remove_units(less, groups, [np.zeros(1, np.int64)] * len(groups), net.input_size)
        embedding = less.embedding
    except Exception as error:  # likewise
        raise UserError(f"it does not run with fewer ({_line(error)})") from None
    if embedding != net.embedding:
        raise UserError("its embedding would lose numbers")
    return less


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__


def publish_brought(
    name: str,
    net: OwnInput,
    start: ModelCard,
    training: Any,
    folder: Path,
    dtype: Values,
    removed: float | None,
    fields: Mapping[str, Any],
) -> ModelCard:
    """Write what a brought network has become as ``NAME.toml`` and packed weights.

    removed: the share of its filters that is gone; fields: further ones of the card.
    """
    data = brought_bytes(plain_state(net.net), dtype)
    place, weights = folder / f"{name}.toml", f"weights/{name}.safetensors"
    card = brought_card(
        place, start, data, weights, start.preprocessing, start.output,
        {"parent": start.name, "filters_removed": removed, "training": training, **fields},
    )  # fmt: skip
    write_together({folder / weights: data, place: card_bytes(card, place)})
    return read_card(place)
