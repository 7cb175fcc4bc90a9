"""Publishing trained weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from facebench.base.errors import UserError
from facebench.base.storage import sha256_file
from facebench.models.architectures.convnet import ConvNet
from facebench.models.cards.card import read_card
from facebench.models.cards.publish import publish_weights
from facebench.models.weights.packed import load_packed

Tiny = tuple[ConvNet, dict[str, Tensor]]


def test_card_and_weights_belong_together(small_zoo: Path, tiny: Tiny) -> None:
    net, masks = tiny
    training = {"data": "faces", "images": 7, "duration": "1 min", "recipe": "long " * 60}
    card = publish_weights("bare", net.state_dict(), masks, training, small_zoo)
    assert card == read_card(small_zoo / "bare.toml")
    path = small_zoo / "weights" / "bare.safetensors"
    assert card.weights == "weights/bare.safetensors" and card.weights_path == path
    assert card.sha256 == sha256_file(path)
    assert card.training.images == 7 and card.training.recipe == ("long " * 60).strip()
    packed = load_packed(path, card.sha256)
    assert packed.metadata == {"model": "bare"} and set(packed.masks) == set(masks)
    assert not [p for p in small_zoo.rglob("*") if p.name.endswith(".part")]


def test_publishing_twice_gives_the_same_files(small_zoo: Path, tiny: Tiny) -> None:
    net, masks = tiny
    contents = []
    for _ in range(2):
        publish_weights("bare", net.state_dict(), masks, {"data": "x"}, small_zoo)
        contents.append(
            [(small_zoo / n).read_bytes() for n in ("bare.toml", "weights/bare.safetensors")]
        )
    assert contents[0] == contents[1]


def test_what_is_not_the_cards_network_is_not_written(small_zoo: Path, tiny: Tiny) -> None:
    net, masks = tiny
    before = (small_zoo / "bare.toml").read_bytes()
    other = {name: tensor for name, tensor in net.state_dict().items() if name != "f.bias"}
    broken = net.state_dict() | {"f.bias": torch.full((64,), float("nan"))}
    cases = [
        (other, masks, {}, "lack 'f.bias'"),
        (broken, masks, {}, "f.bias holds NaN"),
        (net.state_dict() | {"g": torch.zeros(1)}, masks, {}, "unexpected 'g'"),
        (ConvNet(0.25, (80, 80)).state_dict(), masks, {}, "a ConvNet of width 0.125 needs"),
        (net.state_dict(), {}, {}, "sparse in no layer; the card says f, local5b, conv4b"),
        (net.state_dict(), masks | {"f": ~masks["f"]}, {}, "keeps 0.75 of f"),
        (net.state_dict(), masks, {"image": 3}, "'image'; did you mean 'images'"),
    ]
    for state, kept, training, message in cases:
        with pytest.raises(UserError, match=message):
            publish_weights("bare", state, kept, training, small_zoo)
    assert (small_zoo / "bare.toml").read_bytes() == before
    assert not (small_zoo / "weights" / "bare.safetensors").exists()
    with pytest.raises(UserError, match=r"absent\.toml: cannot be read"):
        publish_weights("absent", net.state_dict(), masks, {}, small_zoo)
