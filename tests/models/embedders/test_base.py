"""What a model's signature tells, and what a user's embedder must have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.models.embedders.base import (
    UNPINNED,
    Embedder,
    Preprocessing,
    require_complete,
    variant_of,
)


class Toy(Embedder):
    id, weights_hash, preprocessing = "toy", "ab" * 32, Preprocessing()

    def __init__(self, **attributes: Any) -> None:
        for name, value in attributes.items():
            setattr(self, name, value)

    def forward(self, faces: np.ndarray) -> np.ndarray:
        return faces.reshape(len(faces), -1).astype(np.float32)


def test_numbers_are_exact_and_short() -> None:
    mean = (127.5, 128.0, 127.500004)
    text = Preprocessing(mean=mean, scale=(1, 58.395, 1e-9)).signature
    assert text == "rgb 112x96 mean=127.5,128,127.500004 scale=1,58.395,1e-09 flip=none"
    assert Preprocessing(mean=(0.0,) * 3) == Preprocessing(mean=(-0.0,) * 3)
    assert "mean=0,0,0 " in Preprocessing(mean=(-0.0,) * 3).signature


@pytest.mark.parametrize("wrong", [{"flip": "ad"}, {"colour": "grey"}])
def test_an_unknown_rule_is_not_taken_for_another(wrong: Any) -> None:
    with pytest.raises(ValueError, match="is none of"):
        Preprocessing(**wrong)


def test_the_variant_is_in_the_signature() -> None:
    plain = f"weights:{'ab' * 8} {Preprocessing().signature} float32"
    assert Toy().signature == plain
    variant = variant_of(output="b", layout="nhwc")
    assert variant == "output=b layout=nhwc"
    assert Toy(variant=variant).signature == f"{plain} output=b layout=nhwc"
    assert variant_of() == "" and variant_of(output="") == "output="
    assert variant_of(output="b layout=nhwc") == "output=b%20layout%3Dnhwc"


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"id": None}, "'id', a str, but Toy has none"),
        ({"weights_hash": b"ab"}, "'weights_hash', a str, but Toy has a bytes"),
        ({"preprocessing": (112, 96)}, "'preprocessing', a Preprocessing, but Toy has a tuple"),
    ],
)
def test_what_an_embedder_lacks_is_told(attributes: Any, message: str) -> None:
    require_complete(Toy(), "here")
    with pytest.raises(UserError, match=f"^here: an Embedder needs {message}"):
        require_complete(Toy(**attributes), "here")


def test_an_embedder_without_a_hash_is_unpinned() -> None:
    class Bare(Toy):
        weights_hash = Embedder.weights_hash

    assert Bare().weights_hash == UNPINNED
    require_complete(Bare(), "here")
