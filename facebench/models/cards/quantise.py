"""Models with rounded weights: a card and a packed file beside those of their parent."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from facebench.base.errors import UserError
from facebench.base.storage import others_in_place, write_together
from facebench.base.validation import validated
from facebench.models.cards.card import ModelCard, is_compact, read_card
from facebench.models.cards.publish import card_bytes
from facebench.models.cards.trained import packed_weights
from facebench.models.weights.packed import PackedWeights, packed_bytes

NOTE = (
    "Weights of {parent} rounded to int8 after training, symmetric, one scale per output channel. "
    "Weight-only: they are multiplied out when the model is loaded, and computed with in float32."
)


@dataclass(frozen=True)
class QuantisedModel:
    """What `quantise_model` wrote. before, after: bytes of the weights files."""

    card: ModelCard
    before: int
    after: int


def quantise_model(
    card: ModelCard, models_folder: Path, name: str | None = None, overwrite: bool = False
) -> QuantisedModel:
    """Write a model of packed weights again with int8 weights, as ``NAME.toml`` and its file.

    name: of the new card, ``<model>_int8`` if left out. Masks, biases and everything else stay as
    they are; a metric does not, as it was learned for other embeddings. UserError: the model has no
    packed weights, has int8 weights already, or the name is taken (unless ``overwrite``).
    """
    if card.architecture != "convnet" and not is_compact(card):
        raise UserError(
            f"model {card.name!r}: only weights packed by facebench are rounded, not a model of "
            f"kind {card.architecture}"
            + ("; quantise its members" if card.architecture == "ensemble" else "")
        )
    packed = packed_weights(card)
    if packed.dtype == "int8":
        raise UserError(f"model {card.name!r} has int8 weights already: {card.weights_path}")
    name = name or rounded_name(card)
    path = models_folder / f"{name}.toml"
    made = _card(card, name, path)
    assert card.weights_path is not None
    data = rounded_bytes(packed, name)
    made = made.model_copy(update={"sha256": hashlib.sha256(data).hexdigest()})
    weights = models_folder / f"weights/{name}.safetensors"
    files = {weights: data, path: card_bytes(made, path)}
    if name == card.name or (not overwrite and others_in_place(files)):
        raise UserError(
            f"{path}: there is such a model already; give another --name or --overwrite"
        )
    write_together(files)
    return QuantisedModel(read_card(path), card.weights_path.stat().st_size, len(data))


def rounded_name(card: ModelCard) -> str:
    """What a model is called when it is rounded, where nothing else is said."""
    return f"{card.name}_int8"


def rounded_bytes(packed: PackedWeights, name: str) -> bytes:
    """The file of packed weights rounded to int8, for a model of a name."""
    source = {"model": name, "rounded_from": packed.sha256}
    return packed_bytes(packed.state, packed.masks, "int8", source)


def _card(card: ModelCard, name: str, path: Path) -> ModelCard:
    """The card of the rounded model, checked before anything is written."""
    kept = card.model_dump(exclude_none=True, exclude={"metric", "projection", "source"})
    own = {
        "name": name,
        "title": f"{card.title}, int8 weights",
        "parent": card.name,
        "weights": f"weights/{name}.safetensors",
        "notes": NOTE.format(parent=card.name),
    }
    return validated(ModelCard, kept | own, str(path))
