"""Costs counted again from the weights, where those are there: the record's word is not enough."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from facebench.base.errors import UserError
from facebench.base.storage import workspace_folders
from facebench.records.record import Record

_COSTS = ("parameters", "kept_parameters", "compression_ratio", "bytes")
_ROUNDING = 1e-9


def require_recounted(record: Record) -> None:
    """UserError where a card of the workspace has the record's weights, and they count otherwise.

    Of models that are not in the workspace, or have other weights there, nothing can be told.
    """
    if not _has_card(record.model.id):  # PyTorch, which counting needs, takes a second to load
        return
    counted = _counted(record.model.id, record.model.weights_hash)
    for name, value in counted.items():
        told = getattr(record.model, name)
        if told is not None and value is not None and abs(told - value) > _ROUNDING:
            raise UserError(
                f"the record of {record.model.id} says {name} {told:,}, but its weights have "
                f"{value:,}; make it again with `facebench eval`"
            )


def _has_card(model: str) -> bool:
    return any((folder / f"{model}.toml").is_file() for folder in workspace_folders("models"))


def _counted(model: str, weights_hash: str) -> dict[str, float | None]:
    """What the weights of that hash have; nothing where they are not there."""
    from facebench.base.storage import sha256_file
    from facebench.models.cards.card import find_card
    from facebench.models.zoo import load_model

    try:
        card = find_card(model)
        if card.architecture == "ensemble":
            found = load_model(model).weights_hash
        else:
            path = card.weights_path
            found = sha256_file(path) if path is not None and path.is_file() else ""
        return _costs(card.path, weights_hash) if found == weights_hash else {}
    except UserError:  # a card or its weights are wrong: then the record is all there is
        return {}


@lru_cache(maxsize=512)
def _costs(card: Path, weights_hash: str) -> dict[str, float | None]:
    """What a card's weights have; their hash is only what the answer is kept by."""
    from facebench.models.cards.card import read_card
    from facebench.models.sizes import cost_of

    cost = cost_of(read_card(card))
    values = (cost.parameters, cost.kept, cost.ratio, cost.bytes)
    return dict(zip(_COSTS, values, strict=True))
