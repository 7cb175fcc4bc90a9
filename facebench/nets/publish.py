"""Putting trained weights into a models folder: a packed file and a card that pins it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from facebench.errors import UserError
from facebench.nets.card_text import card_text
from facebench.nets.cards import ModelCard, Training, read_card
from facebench.nets.convnet import ConvNet
from facebench.nets.packed import PackedWeights, Values, load_packed, save_packed
from facebench.nets.trained import fits
from facebench.storage import write_atomically
from facebench.validation import validated


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
    path = models_folder / f"{card_name}.toml"
    card = read_card(path)
    learned = (
        training
        if isinstance(training, Training)
        else validated(Training, dict(training), f"training of {card_name}")
    )
    _check(card, state, masks)
    weights = f"weights/{card_name}.safetensors"
    save_packed(models_folder / weights, state, masks, dtype, {"model": card_name})
    sha256 = load_packed(models_folder / weights).sha256
    update = {"weights": weights, "sha256": sha256, "training": learned}
    write_card(card.model_copy(update=update), path)
    return read_card(path)


def write_card(card: ModelCard, path: Path) -> None:
    """Write a card as TOML, complete or not at all; UserError where its fields are not allowed."""
    text = card_text(card)
    validated(ModelCard, card.model_dump(exclude_none=True), str(path))
    write_atomically(path, text.encode())


def _check(card: ModelCard, state: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> None:
    if card.architecture != "convnet":
        raise UserError(f"{card.path}: only a convnet's weights are published, not {card.name}'s")
    assert card.width is not None and card.preprocessing.size is not None
    with torch.device("meta"):
        net = ConvNet(card.width, card.preprocessing.size)
    kept = {name: mask.to(torch.bool) for name, mask in masks.items()}
    fits(net, PackedWeights(dict(state), kept, {}, ""), card)
