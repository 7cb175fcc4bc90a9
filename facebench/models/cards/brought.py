"""A network that somebody brings, written as packed weights with a card that names its code."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from facebench.base.errors import UserError
from facebench.base.storage import others_in_place, write_together
from facebench.base.validation import validated
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
    fields = {
        "name": out.stem,
        "title": f"{card.title}, packed"[:200],
        "architecture": "python",
        "parent": card.name if is_name(card.name) and card.path.is_file() else None,
        "licence": card.licence,
        "factory": card.factory or card.weights,
        "weights": out.name,
        "sha256": hashlib.sha256(data).hexdigest(),
        "output": (options or ModelOptions()).output or card.output,
        "preprocessing": PreprocessingFields.of(prepared).model_dump(),
        "training": card.training.model_dump(),
    }
    made = validated(ModelCard, {k: v for k, v in fields.items() if v is not None}, str(place))
    files = {out: data, place: card_bytes(made, place)}
    for there in others_in_place(files):
        if not overwrite:
            raise UserError(f"{there} is there already; add --overwrite, or name another file")
    before = card.weights_path
    size = None if before is None else before.stat().st_size
    write_together(files)
    return PackedModel(read_card(place), size, len(data))


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
