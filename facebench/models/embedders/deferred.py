"""Models of ours that are loaded when a face must be embedded, and not before.

What a model says of itself (`Embedder`) is kept in the cache when it is loaded, under a hash of all
that it depends on: card, weights, options, versions. Who finds it there knows that these weights
load, and needs neither them nor torch where all embeddings are stored.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.base.opening import SETTINGS, plain_bytes, read_json
from facebench.base.storage import cache_folder, sha256_file, write_atomically
from facebench.base.version import __version__, torch_version
from facebench.models.cards.card import ModelCard, is_compact
from facebench.models.cards.members import trained_members
from facebench.models.counting.cost import Cost
from facebench.models.embedders.base import Embedder, Preprocessing
from facebench.models.embedders.options import ModelOptions

_TOLD = ("id", "weights_hash", "precision", "device", "variant", "runtime", "guessed")
Load = Callable[[], Embedder]


class DeferredEmbedder(Embedder):
    """A model that is known and not loaded yet. load: what loads it.

    UserError, once it is loaded, where it is not what was known of it.
    """

    def __init__(self, told: dict[str, Any], load: Load) -> None:
        prepared = dict(told["preprocessing"])
        for name in ("size", "mean", "scale"):
            prepared[name] = tuple(prepared[name])
        self.preprocessing = Preprocessing(**prepared)
        for name in _TOLD:
            setattr(self, name, str(told[name]))
        self.remarks = tuple(map(str, told["remarks"]))
        self.cost = Cost(**told["cost"] | {"remarks": tuple(told["cost"]["remarks"])})
        self._load = load
        self._model: Embedder | None = None

    def ready(self) -> None:
        """Load the model."""
        self._loaded()

    def forward(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """One pass of the network: uint8 N×H×W×3 RGB faces → float32 N×D, no flip."""
        return self._loaded().forward(faces)

    def embed(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embeddings under the flip rule: uint8 N×H×W×3 RGB → float32 N×D."""
        return self._loaded().embed(faces)

    def _loaded(self) -> Embedder:
        if self._model is None:
            model = self._load()
            if (model.signature, model.runtime) != (self.signature, self.runtime):
                raise UserError(f"model {self.id} was changed while it was evaluated; run again")
            self._model = model
        return self._model


def known_or_loaded(
    card: ModelCard, options: ModelOptions | None, load: Load, count: Callable[[Embedder], Cost]
) -> Embedder:
    """A card's model with its cost: deferred where it was loaded just so before, else loaded and
    counted now, and noted.

    UserError: what ``load`` raises.
    """
    path = _path(card, options or ModelOptions())
    if path is not None:
        with contextlib.suppress(UserError, KeyError, TypeError, ValueError):
            return DeferredEmbedder(read_json(path, "what is known of the model", SETTINGS), load)
    model = load()
    model.cost = count(model)
    if path is not None and model.storable:
        told: dict[str, Any] = {name: getattr(model, name) for name in _TOLD}
        told |= {"preprocessing": asdict(model.preprocessing), "remarks": model.remarks}
        told |= {"cost": asdict(model.cost)}
        with contextlib.suppress(OSError):  # it is loaded again
            write_atomically(path, json.dumps(told).encode(), durable=False)
    return model


def _path(card: ModelCard, options: ModelOptions) -> Path | None:
    """Where it is kept what the model says; None: of what others wrote, or runs on a GPU, nothing
    is known before it is loaded.
    """
    if options.device != "cpu":
        return None
    try:
        cards = trained_members(card) if card.architecture == "ensemble" else [card]
        if not all(own.architecture == "convnet" or is_compact(own) for own in cards):
            return None
        files = [own.weights_path for own in cards]
        inputs = [__version__, torch_version(), repr(sorted(asdict(options).items()))]
        inputs += [plain_bytes(own.path, SETTINGS).hex() for own in (card, *cards)]
        inputs += [sha256_file(path) if path else "" for path in files]
        key = hashlib.sha256("\n".join(inputs).encode()).hexdigest()[:32]
        return cache_folder() / "loaded" / f"{key}.json"
    except (OSError, UserError):  # loading says what is wrong
        return None
