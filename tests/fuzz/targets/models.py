"""Model cards, the weights and metrics beside them."""

from __future__ import annotations

import contextlib
import hashlib
import re
import tomllib
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Literal, cast

import numpy as np
import torch

from facebench.base.errors import UserError
from facebench.models.cards.card import read_card
from facebench.models.cards.publish import write_card
from facebench.models.cards.trained import compact_network_of
from facebench.models.sizes import cost_of
from facebench.models.weights.packed import load_packed, packed_bytes
from facebench.models.zoo import load_model
from facebench.similarity.learned import load_metric
from facebench.similarity.metric_file import MetricFacts, metric_bytes
from facebench.similarity.projection import ProjectionModel
from tests.fuzz.mutations import tensors_changed, toml_changed
from tests.fuzz.target import Files, Target, shipped

_CARDS = ("models/*.toml", "models/recorded/*.toml")
_NAME = re.compile(rb'^"?sha256"? = .*$', re.MULTILINE)


def _card(rng: Random) -> Files:
    card = tomllib.loads(rng.choice(shipped(rng.choice(_CARDS), 40)).decode())
    return {"card.toml": toml_changed(rng, card)}


def _read_card(folder: Path) -> None:
    path = folder / "card.toml"
    card = read_card(path)
    write_card(card, folder / "again.toml")
    assert read_card(folder / "again.toml").model_dump() == card.model_dump()
    assert card.degrees is not None
    if card.architecture != "python":
        with contextlib.suppress(UserError):  # its weights are not here
            load_model(str(path))


@lru_cache(maxsize=4)
def _packed(dtype: Literal["float16", "float32", "int8"]) -> bytes:
    generator = torch.Generator().manual_seed(1)
    state = {
        "conv1.weight": torch.randn(4, 3, 3, 3, generator=generator),
        "conv1.bias": torch.randn(4, generator=generator),
        "fc.weight": torch.randn(5, 16, generator=generator),
        "local.weight": torch.randn(3, 4, 6, generator=generator),
    }
    masks = {
        "fc": torch.rand(5, 16, generator=generator) < 0.3,
        "local": torch.rand(3, 4, 6, generator=generator) < 0.5,
    }
    return packed_bytes(state, masks, dtype, {"model": "x"})


def _weights(rng: Random) -> Files:
    kind = cast(Literal["float16", "float32", "int8"], rng.choice(("float16", "float32", "int8")))
    data = _packed(kind) if rng.random() < 0.97 else _unfolding(rng)
    return {"weights.safetensors": tensors_changed(rng, data)}


def _unfolding(rng: Random) -> bytes:
    """A few bytes that claim to be many weights."""
    import json

    import safetensors.numpy

    shape = rng.choice(([1 << 28], [1] * 70, [], [0], [True], [2**70]))
    names = [f"w{number}.weight" for number in range(rng.choice((1, 8, 30)))]
    tensors = {f"{name}.kept": np.ones(0, np.float16) for name in names}
    tensors |= {f"{name}.gaps": np.zeros(0, np.uint16) for name in names}
    told = {"format": "facebench-packed", "version": 1, "dtype": "float16", "metadata": {}}
    header = json.dumps(told | {"sparse": dict.fromkeys(names, shape)})
    return safetensors.numpy.save(tensors, metadata={"facebench": header})


def _read_weights(folder: Path) -> None:
    packed = load_packed(folder / "weights.safetensors")
    for value in packed.state.values():
        assert not value.is_floating_point() or torch.isfinite(value).all()
    for mask in packed.masks.values():
        mask.float().mean()


def _weights_of_card(rng: Random) -> Files:
    """A shipped card of a small network, whose hash is that of the changed weights."""
    name = "squeezenet1_1_taylor_60"
    data = tensors_changed(rng, shipped(f"models/weights/{name}.safetensors")[0])
    told = f'sha256 = "{hashlib.sha256(data).hexdigest()}"'.encode()
    card = _NAME.sub(told, shipped(f"models/{name}.toml")[0])
    return {"card.toml": card, f"weights/{name}.safetensors": data}


def _read_weights_of_card(folder: Path) -> None:
    card = read_card(folder / "card.toml")
    cost_of(card)
    compact_network_of(card)


@lru_cache(maxsize=1)
def _metrics() -> tuple[bytes, ...]:
    projection = metric_bytes(ProjectionModel(np.ones((3, 4)), np.ones(3)), MetricFacts())
    return *shipped("models/weights/sparse_012.metric.safetensors"), projection


def _metric(rng: Random) -> Files:
    return {"own.metric.safetensors": tensors_changed(rng, rng.choice(_metrics()))}


def _read_metric(folder: Path) -> None:
    metric = load_metric(folder / "own.metric.safetensors")
    assert metric.signature


TARGETS = (
    Target("model cards", _card, _read_card, 1.5),
    Target("packed weights", _weights, _read_weights, 1.5),
    Target("weights of a card", _weights_of_card, _read_weights_of_card, 0.2),
    Target("metrics", _metric, _read_metric),
)
