"""A network that somebody brings, written as packed weights with a card that names its code."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from facebench.base.errors import UserError
from facebench.base.storage import others_in_place, write_together
from facebench.base.validation import Strict, validated
from facebench.models.cards.card import ModelCard, PreprocessingFields, is_name, read_card
from facebench.models.cards.names import card_for
from facebench.models.cards.publish import card_bytes
from facebench.models.counting.state import plain_state
from facebench.models.embedders.handed import copied
from facebench.models.embedders.options import ModelOptions
from facebench.models.weights.brought import brought_bytes
from facebench.models.weights.checkpoint import load_state
from facebench.models.weights.packed import Values
from facebench.models.zoo import load_model, made_by


@dataclass(frozen=True)
class PackedModel:
    """What `pack_model` wrote. before: bytes of the weights' file, None: there was none."""

    card: ModelCard
    before: int | None
    after: int


def pack_model(
    spec: str,
    out: Path,
    values: Values = "float16",
    options: ModelOptions | None = None,
    overwrite: bool = False,
) -> PackedModel:
    """Write a torch network as ``NAME.safetensors`` and a card ``NAME.toml`` that names its code.

    spec: ``package.module:factory``, also with ``@FILE`` of weights, or its card; options: override
    the card, and are written into the new one. UserError: no network that Python code makes, or a
    file is there.
    """
    card = card_for(spec)
    if card.architecture != "python":
        raise UserError(
            f"model {card.name}: is of kind {card.architecture}; a packed file needs the code that "
            "takes its weights: name package.module:factory, and --weights where they are a file"
        )
    place = out.with_suffix(".toml")
    prepared = load_model(spec, options).preprocessing
    net, _ = made_by(card)
    if not isinstance(net, nn.Module):
        raise UserError(f"model {card.name}: is Python code, not a torch module")
    state = plain_state(net.eval())
    data = brought_bytes(state, values)
    _require_whole(net, state, card.name)
    made = brought_card(
        place,
        card,
        data,
        out.name,
        PreprocessingFields.of(prepared),
        (options or ModelOptions()).output or card.output,
        {
            "title": f"{card.title}, packed"[:200],
            "parent": card.name if is_name(card.name) and card.path.is_file() else None,
            "licence": card.licence,
            "filters_removed": card.filters_removed,
            "training": card.training,
        },
    )
    files = {out: data, place: card_bytes(made, place)}
    for there in others_in_place(files):
        if not overwrite:
            raise UserError(f"{there} is there already; add --overwrite, or name another file")
    before = card.weights_path
    size = None if before is None else before.stat().st_size
    write_together(files)
    return PackedModel(read_card(place), size, len(data))


def brought_card(
    place: Path,
    card: ModelCard,
    data: bytes,
    weights: str,
    prepared: PreprocessingFields,
    output: str | None,
    fields: Mapping[str, Any],
) -> ModelCard:
    """A card for packed weights of a network that Python code makes, not written yet.

    place: of the card; card: the one that the network has, which names its code; data, weights: the
    packed file, and its name beside the card; fields: further ones. UserError: one is wrong.
    """
    own = {
        "name": place.stem,
        "architecture": "python",
        "factory": card.factory or card.weights,
        "weights": weights,
        "sha256": hashlib.sha256(data).hexdigest(),
        "output": output,
        "preprocessing": prepared,
    }
    given = {key: value for key, value in {**fields, **own}.items() if value is not None}
    plain = {k: v.model_dump() if isinstance(v, Strict) else v for k, v in given.items()}
    made = validated(ModelCard, plain, str(place))
    made._path = place
    return made


def _require_whole(net: nn.Module, state: Mapping[str, Tensor], name: str) -> None:
    """UserError where a network is another one after its plain state has been put into it."""
    again = copied(net)
    load_state(again, state, f"model {name}")
    for key, value in plain_state(again).items():
        if not torch.allclose(value.double(), state[key].double(), rtol=1e-3, atol=1e-6):
            raise UserError(
                f"model {name}: cannot be packed: {key} shares its memory with another tensor that "
                "has other values, such as one with a mask; make the masks permanent first "
                "(torch.nn.utils.prune.remove)"
            )
