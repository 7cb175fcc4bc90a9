"""Putting trained weights into a models folder: a packed file and a card that pins it."""

from __future__ import annotations

import hashlib
import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from facebench.base.errors import UserError
from facebench.base.storage import write_atomically, write_together
from facebench.base.validation import validated
from facebench.models.architectures.base import CompactNet
from facebench.models.architectures.convnet import ConvNet
from facebench.models.architectures.registry import build
from facebench.models.cards.card import (
    ModelCard,
    PreprocessingFields,
    Source,
    Training,
    find_card,
    is_compact,
    read_card,
    shape_of,
)
from facebench.models.cards.trained import fit_compact, fits
from facebench.models.weights.packed import PackedWeights, Values, packed_bytes

_OF_OLD_WEIGHTS = {"weights", "sha256", "training", "metric", "projection"}


def publish_weights(
    card_name: str,
    state: Mapping[str, Tensor],
    masks: Mapping[str, Tensor],
    training: Mapping[str, Any] | Training,
    models_folder: Path,
    dtype: Values = "float16",
) -> ModelCard:
    """Write ``weights/NAME.safetensors`` and put its name, hash and training into the card.

    ``state``: of the ConvNet, plain names; ``masks``: module name (``local5b``) → 0/1 or bool, 1:
    kept; ``training``: fields of `Training`. The card ``NAME.toml`` must be in ``models_folder``.
    Everything is checked before anything is written: UserError where state or masks are not those
    of the card, or a weight is NaN, infinite or beyond ``dtype``. Returns the new card.
    """
    card = read_card(models_folder / f"{card_name}.toml")
    learned = _training(training, card_name)
    _check(card, state, masks)
    return _written(card, state, masks, learned, models_folder, dtype)


def publish_compact(
    name: str,
    net: CompactNet,
    training: Mapping[str, Any] | Training,
    models_folder: Path,
    parent: str | None = None,
    filters_removed: float | None = None,
    title: str | None = None,
    dtype: Values = "float16",
    masks: Mapping[str, Tensor] | None = None,
    **fields: Any,
) -> ModelCard:
    """Write a compact network, whole or with filters removed, as a card and its packed weights.

    ``net``: made by `compact.build`, maybe pruned since; ``filters_removed``: the share of its
    filters that was removed, needed where there are fewer; ``masks``: as of `publish_weights`;
    ``fields``: further ones of the card, such as ``licence``, ``notes``, ``source``. A card
    ``NAME.toml`` of the same architecture that is in ``models_folder`` already keeps its other
    fields. Everything is checked before anything is written: UserError as for `publish_weights`.
    Returns the new card.
    """
    learned = _training(training, name)
    given = {"title": title, "parent": parent, "filters_removed": filters_removed, **fields}
    card = _compact_card(models_folder / f"{name}.toml", net, given)
    state = {key: tensor.detach() for key, tensor in net.state_dict().items()}
    fit_compact(build(*shape_of(card)), state, card)
    return _written(card, state, masks or {}, learned, models_folder, dtype)


def _compact_card(path: Path, net: CompactNet, given: Mapping[str, Any]) -> ModelCard:
    """The card of a network: what it says itself, what is given, and what an older card adds."""
    removed = given.get("filters_removed")
    kept: dict[str, Any] = {
        "title": f"{net.architecture} of width {net.width:g}"
        + (f" less {removed:.0%} of its filters" if removed else ""),
        "source": _paper(net.architecture),
    }
    prepared = PreprocessingFields(flip="add")
    if path.is_file():
        old = read_card(path)
        if old.architecture != net.architecture:
            raise UserError(
                f"{path}: is of architecture {old.architecture}, the network to publish is "
                f"{net.architecture}; give another name"
            )
        prepared = old.preprocessing
        kept |= old.model_dump(exclude_none=True, exclude=_OF_OLD_WEIGHTS)
    own = {
        "name": path.stem,
        "architecture": net.architecture,
        "width": net.width,
        "embedding": net.dimension,
        "preprocessing": prepared.model_copy(update={"size": net.input_size}),
    }
    card = validated(
        ModelCard, kept | {k: v for k, v in given.items() if v is not None} | own, str(path)
    )
    card._path = path
    return card


def _paper(architecture: str) -> Source | None:
    """The paper that the zoo's card of an architecture names; its accuracy was that of its net."""
    try:
        source = find_card(architecture).source
    except UserError:
        return None
    return None if source is None else Source(paper=source.paper, table=source.table)


def write_card(card: ModelCard, path: Path) -> None:
    """Write a card as TOML, complete or not at all; UserError where its fields are not allowed."""
    write_atomically(path, card_bytes(card, path))


def card_bytes(card: ModelCard, path: Path) -> bytes:
    """The bytes of a card's file; UserError where its fields are not allowed."""
    text = card_text(card)
    validated(ModelCard, card.model_dump(exclude_none=True), str(path))
    return text.encode()


def _training(training: Mapping[str, Any] | Training, name: str) -> Training:
    if isinstance(training, Training):
        return training
    return validated(Training, dict(training), f"training of {name}")


def _written(
    card: ModelCard,
    state: Mapping[str, Tensor],
    masks: Mapping[str, Tensor],
    training: Training,
    models_folder: Path,
    dtype: Values,
) -> ModelCard:
    """The weights, and the card that pins them, as one step."""
    path = models_folder / f"{card.name}.toml"
    weights = f"weights/{card.name}.safetensors"
    packed = packed_bytes(state, masks, dtype, {"model": card.name})
    sha256 = hashlib.sha256(packed).hexdigest()
    update = {"weights": weights, "sha256": sha256, "training": training}
    text = card_bytes(card.model_copy(update=update), path)
    write_together({models_folder / weights: packed, path: text})
    return read_card(path)


def _check(card: ModelCard, state: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> None:
    if is_compact(card):
        raise UserError(f"{card.path}: publish_compact writes the weights of {card.architecture}")
    if card.architecture != "convnet":
        raise UserError(f"{card.path}: only a convnet's weights are published, not {card.name}'s")
    assert card.width is not None and card.preprocessing.size is not None
    with torch.device("meta"):
        net = ConvNet(card.width, card.preprocessing.size)
    kept = {name: mask.to(torch.bool) for name, mask in masks.items()}
    fits(net, PackedWeights(dict(state), kept, {}, ""), card)


_WIDTH = 96
_NEVER_WRAPPED = ("factory", "weights", "output", "file")
_TABLES = (
    "sparsity",
    "region",
    "preprocessing",
    "training",
    "calibration",
    "source",
    "metric",
    "projection",
)


def card_text(card: ModelCard) -> str:
    """The TOML of a card: reading it gives the card again; empty fields are left out."""
    fields = card.model_dump(exclude_none=True)
    members, regions = fields.pop("members"), fields.pop("regions")
    if members:
        del fields["preprocessing"]  # each member has its own
    lines = [_line(k, v) for k, v in fields.items() if k not in _TABLES and v != ""]
    if members:
        lines += ["", "members = [", *(f"    {_inline(member)}," for member in members), "]"]
        lines += ["", "[regions]", *(f"{_key(k)} = {_inline(v)}" for k, v in regions.items())]
    for table in _TABLES:
        rows = {k: v for k, v in (fields.get(table) or {}).items() if v not in ("", ())}
        if rows:
            lines += ["", f"[{table}]", *(_line(k, v) for k, v in rows.items())]
    return "\n".join(lines) + "\n"


def _line(key: str, value: Any) -> str:
    used = 0 if key in _NEVER_WRAPPED else len(key) + 3
    return f"{_key(key)} = {_value(value, used)}"


def _inline(rows: dict[str, Any]) -> str:
    return "{ " + ", ".join(f"{key} = {_value(value, 0)}" for key, value in rows.items()) + " }"


def _key(key: str) -> str:
    bare = key.isascii() and key.replace("_", "").isalnum() and key[0].isalpha()
    return key if bare else json.dumps(key)


def _value(value: Any, used: int) -> str:
    if isinstance(value, str):
        return _text(value, used)
    if isinstance(value, (tuple, list)):
        return _array([_value(item, 0) for item in value], used)
    return repr(value)


def _array(items: list[str], used: int) -> str:
    """On one line, or on as many as it needs where its line may be wrapped."""
    line = f"[{', '.join(items)}]"
    if not used or used + len(line) <= _WIDTH:
        return line
    lines = [""]
    for item in items:
        if len(lines[-1]) + len(item) > _WIDTH - 6:
            lines.append("")
        lines[-1] += f" {item},"
    return "\n".join(["[", *(f"   {line}" for line in lines), "]"])


def _text(text: str, used: int) -> str:
    quoted = json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
    if not used or used + len(quoted) <= _WIDTH:
        return quoted
    inner = textwrap.wrap(quoted[1:-1], _WIDTH, break_long_words=False, break_on_hyphens=False)
    return '"""\n' + "\n".join(inner) + '"""'
