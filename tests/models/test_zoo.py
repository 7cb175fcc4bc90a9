"""From a name to an embedder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from facebench.base.errors import UserError
from facebench.models.architectures.convnet import ConvNet, to_input
from facebench.models.cards.card import ModelCard, read_card
from facebench.models.cards.publish import publish_weights, write_card
from facebench.models.embedders.options import ModelOptions, parse_options
from facebench.models.sparsity.masks import masks_of
from facebench.models.zoo import load_model, load_network

Tiny = tuple[ConvNet, dict[str, Tensor]]
FACES = np.random.default_rng(0).integers(0, 256, (3, 80, 80, 3), dtype=np.uint8)


def test_a_trained_model(small_zoo: Path, tiny: Tiny) -> None:
    net, masks = tiny
    model = load_model("small")
    card = read_card(small_zoo / "small.toml")
    assert model.id == "small" and model.weights_hash == card.sha256
    assert model.preprocessing.size == (80, 80) and model.preprocessing.flip == "add"
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            mask = masks.get(name.removesuffix(".weight")) if name.endswith("weight") else None
            rounded = parameter.half().float()
            parameter.copy_(rounded if mask is None else torch.where(mask, rounded, 0.0))
        want = net(to_input(torch.from_numpy(FACES))) + net(
            to_input(torch.from_numpy(FACES[:, :, ::-1].copy()))
        )
    np.testing.assert_allclose(model.embed(FACES), want.numpy(), rtol=1e-4, atol=1e-5)
    assert model.signature == (
        f"weights:{card.sha256[:16]} rgb 80x80 mean=127.5,127.5,127.5 "  # type: ignore[index]
        "scale=128,128,128 flip=add float32"
    )


def test_options_override_the_card(small_zoo: Path) -> None:
    plain = load_model("small", ModelOptions(flip="none", precision="bfloat16"))
    assert plain.preprocessing.flip == "none" and plain.signature.endswith("flip=none bfloat16")
    by_path = load_model(str(small_zoo / "small.toml"))
    np.testing.assert_array_equal(by_path.embed(FACES), load_model("small").embed(FACES))
    for options, message in (
        (ModelOptions(size=(112, 96)), "takes 80x80 faces"),
        (ModelOptions(output="x"), "output= has no effect"),
        (ModelOptions(layout="nchw"), "layout= has no effect"),
        (ModelOptions(device="tpu"), "device=.tpu. is not cpu"),
    ):
        with pytest.raises(UserError, match=message):
            load_model("small", options)


def test_a_preset_follows_the_cards_colour_order(
    small_zoo: Path, make_card: Callable[..., ModelCard]
) -> None:
    card = read_card(small_zoo / "small.toml")
    pinned = {"weights": card.weights, "sha256": card.sha256}
    swapped = {"size": (80, 80), "colour": "bgr"}
    write_card(make_card("small", **pinned, preprocessing=swapped), small_zoo / "small.toml")
    preset = parse_options(normalise="imagenet")
    prepared = load_model("small", preset).preprocessing
    assert prepared.colour == "bgr" and prepared.mean == (103.53, 116.28, 123.675)
    assert prepared.scale == (57.375, 57.12, 58.395)
    over = parse_options(normalise="imagenet", colour="rgb")
    assert load_model("small", over).preprocessing.mean == (123.675, 116.28, 103.53)


def test_a_network_to_go_on_with_has_its_masks(small_zoo: Path, tiny: Tiny) -> None:
    net = load_network("small")
    assert all(torch.equal(masks_of(net)[name], mask) for name, mask in tiny[1].items())
    assert all(p.requires_grad for p in net.parameters())


def test_a_card_without_weights(small_zoo: Path) -> None:
    with pytest.raises(
        UserError, match=r"'bare' has no trained weights yet: .*bare.toml"
    ) as caught:
        load_model("bare")
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="no trained weights yet"):
        load_network("bare")


def test_weights_that_changed(small_zoo: Path) -> None:
    path = small_zoo / "weights" / "small.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"small\.safetensors: its SHA-256 is .* the card says"):
        load_model("small")
    path.unlink()
    with pytest.raises(UserError, match="are not there"):
        load_model("small")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 0.25}, "needs .*: correct 'width'"),
        ({"preprocessing": {"size": (96, 96)}}, "needs .*: correct 'width' or 'size'"),
        ({"sparsity": {"f": "1/4", "5b": "1/16"}}, "sparse in .*; the card says f, local5b:"),
        ({"sparsity": {"f": "1/4", "5b": "1/8", "4b": "1/2"}}, "keeps 0.0625 of local5b"),
    ],
)
def test_weights_of_another_network(
    small_zoo: Path, make_card: Callable[..., ModelCard], changes: dict, message: str
) -> None:
    card = read_card(small_zoo / "small.toml")
    pinned = {"weights": card.weights, "sha256": card.sha256}
    write_card(make_card("small", **pinned, **changes), small_zoo / "small.toml")
    with pytest.raises(UserError, match=message) as caught:
        load_model("small")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("smal", "unknown model 'smal'; did you mean 'small'"),
        ("vectors.npy", "with embeddings="),
        ("models/weights/small.safetensors", "named by their card"),
        ("models/absent.toml", "absent.toml: cannot be read"),
        ("somewhere/net.h5", "not a kind of model file"),
        ("somewhere/nets.py:make", "such as nets:make, in the folder"),
        ("nets.py", "such as nets:make_net, in the folder"),
        ("small.onnx", "small.onnx: no such model file; did you mean 'small'"),
        ("", "unknown model ''"),
    ],
)
def test_what_is_no_model(small_zoo: Path, spec: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        load_model(spec)
    assert "\n" not in str(caught.value)


def test_nan_weights_cannot_come_in_but_nan_embeddings_are_caught(
    small_zoo: Path, tiny: Tiny
) -> None:
    net, masks = tiny
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.fill_(60000)  # fits float16, but not its eleventh power float32
    publish_weights("small", net.state_dict(), masks, {}, small_zoo)
    with pytest.raises(UserError, match=r"model small gave (NaN|infinite values) for 3 of 3 faces"):
        load_model("small").embed(FACES | 128)
