"""int8 weights: close, exact where they must be, small, and never trusted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor

from facebench.base.errors import UserError
from facebench.models.architectures.convnet import ConvNet
from facebench.models.cards.card import ModelCard, find_card
from facebench.models.cards.quantise import quantise_model
from facebench.models.weights.packed import load_packed, packed_bytes
from facebench.models.weights.quantise import channel_axes, dequantise, is_quantised, quantise
from facebench.models.zoo import load_model
from tests.helpers.packed import save_packed

Tiny = tuple[ConvNet, dict[str, Tensor]]
SIZE = (80, 80)
SHAPES = ((4, 6), (3, 2, 5), (4, 3, 3, 3), (1, 1))


@st.composite
def weights(draw: st.DrawFn) -> np.ndarray:
    """A weight with channels of very different sizes, some of them of zeros."""
    shape = draw(st.sampled_from(SHAPES))
    values = draw(arrays(np.float32, shape, elements=st.floats(-1, 1, width=32)))
    leading = shape[: channel_axes(shape)]
    powers = draw(arrays(np.int64, leading, elements=st.integers(-45, 38)))
    scale = np.where(powers > -45, 10.0 ** powers.astype(np.float64), 0.0)
    return (values * scale.reshape(leading + (1,) * (len(shape) - len(leading)))).astype(np.float32)


@given(weights())
@settings(max_examples=150, deadline=None)
def test_no_weight_moves_by_more_than_half_a_step(weight: np.ndarray) -> None:
    values, scales = quantise(weight)
    assert values.dtype == np.int8 and values.shape == weight.shape and values.min() >= -127
    assert scales.dtype == np.float32 and scales.shape == weight.shape[: channel_axes(weight.shape)]
    step = scales.astype(np.float64).reshape(scales.shape + (1,) * (weight.ndim - scales.ndim))
    exact = values.astype(np.float64) * step
    # w / s is rounded in float64 before q is, so the bound holds but for that rounding.
    assert (np.abs(weight - exact) <= step / 2 * (1 + 1e-9)).all()
    np.testing.assert_allclose(dequantise(values, scales), exact, rtol=1e-6, atol=1e-45)


def test_by_hand() -> None:
    weight = np.array([[1.27, -0.64, 0.004], [0.0, 0.0, 0.0], [-254.0, 3.0, 1.0]], np.float32)
    values, scales = quantise(weight)
    np.testing.assert_allclose(scales, [0.01, 0, 2], rtol=1e-6)
    # 3/2 and 1/2 lie between two steps and go to the even one.
    assert values.tolist() == [[127, -64, 0], [0, 0, 0], [-127, 2, 0]]
    assert dequantise(values, scales)[1].tolist() == [0, 0, 0]


def test_a_channel_is_what_one_bias_belongs_to() -> None:
    net = ConvNet(0.125, SIZE)
    for name, tensor in net.state_dict().items():
        shape = tuple(tensor.shape)
        assert is_quantised(name, shape) == name.endswith(".weight")
        if name.endswith(".weight"):
            bias = net.state_dict()[name.replace("weight", "bias")]
            assert shape[: channel_axes(shape)] == tuple(bias.shape)
    assert not is_quantised("norm.weight", (8,)) and not is_quantised("prelu.alpha", (8, 1))


def test_what_is_dropped_does_not_count() -> None:
    weight = np.array([[100.0, 1.27], [np.nan, 3.0]], np.float32)
    values, scales = quantise(weight, np.array([[False, True], [False, False]]))
    assert values.tolist() == [[0, 127], [0, 0]]
    np.testing.assert_allclose(scales, [0.01, 0], rtol=1e-6)


def test_a_packed_file_holds_them(tmp_path: Path, tiny: Tiny) -> None:
    net, masks = tiny
    path = tmp_path / "w.safetensors"
    state = net.state_dict()
    save_packed(path, state, masks, "int8", {"a": 1})
    loaded = load_packed(path)
    assert (
        loaded.dtype == "int8" and loaded.metadata == {"a": 1} and set(loaded.state) == set(state)
    )
    assert set(loaded.masks) == set(masks)
    for name, tensor in state.items():
        found, module = loaded.state[name], name.rpartition(".")[0]
        assert found.dtype == torch.float32 and found.shape == tensor.shape
        if name.endswith(".bias"):
            assert torch.equal(found, tensor.half().float())
            continue
        kept = masks.get(module)
        array = None if kept is None else kept.numpy()
        wanted = dequantise(*quantise(tensor.numpy(), array))
        assert torch.equal(found, torch.from_numpy(wanted))
        if kept is not None:
            assert torch.equal(loaded.masks[module], kept) and not found[~kept].any()
    assert packed_bytes(state, masks, "int8", {"a": 1}) == path.read_bytes()


def test_a_kept_weight_that_rounds_to_zero_stays_kept(tmp_path: Path) -> None:
    state = {"a.weight": torch.tensor([[1.0, 1e-6, 5.0]])}
    mask = torch.tensor([[True, True, False]])
    save_packed(tmp_path / "w", state, {"a": mask}, "int8")
    loaded = load_packed(tmp_path / "w")
    assert torch.equal(loaded.masks["a"], mask)
    assert loaded.state["a.weight"].tolist() == [[1.0, 0.0, 0.0]]


def test_rounding_twice_changes_next_to_nothing(tmp_path: Path, tiny: Tiny) -> None:
    net, masks = tiny
    once, twice = tmp_path / "a", tmp_path / "b"
    save_packed(once, net.state_dict(), masks, "int8")
    first = load_packed(once)
    save_packed(twice, first.state, first.masks, "int8")
    for name, tensor in load_packed(twice).state.items():
        torch.testing.assert_close(tensor, first.state[name], rtol=3e-7, atol=0)


def sizes(width: float, name: str, make_masks: Callable[..., dict[str, Tensor]]) -> list[int]:
    """Bytes of a card's structure in int8 and in float16, weights kept, and channels."""
    net = ConvNet(width)
    degrees = {layer: float(degree) for layer, degree in find_card(name).degrees.items()}
    masks = make_masks(net, degrees)
    state = net.state_dict()
    kept = sum(int(mask.sum()) for mask in masks.values()) + sum(
        tensor.numel()
        for key, tensor in state.items()
        if key.endswith(".weight") and key.removesuffix(".weight") not in masks
    )
    channels = sum(tensor.numel() for key, tensor in state.items() if key.endswith(".bias"))
    return [
        len(packed_bytes(state, masks, "int8")), len(packed_bytes(state, masks)), kept, channels,
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["baseline", "sparse_043", "sparse_012"])
def test_a_byte_less_for_each_weight_and_four_more_for_each_channel(
    name: str, make_masks: Callable[..., dict[str, Tensor]]
) -> None:
    small, half, kept, channels = sizes(0.25, name, make_masks)
    assert half - small == pytest.approx(kept - 4 * channels, abs=3000)  # of header


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "most"), [("baseline", 18.0), ("sparse_043", 9.3), ("sparse_012", 3.05)]
)
def test_full_width_files(
    name: str, most: float, make_masks: Callable[..., dict[str, Tensor]]
) -> None:
    """MB of 1e6 bytes; 35.7, 16.8 and 5.0 in float16."""
    assert sizes(1.0, name, make_masks)[0] <= most * 1e6


GOOD: dict[str, np.ndarray] = {
    "a.weight.kept": np.array([1, -2, 127], np.int8),
    "a.weight.bits": np.array([0b1101], np.uint8),
    "a.weight.scale": np.array([0.5, 2], np.float32),
    "b.weight": np.array([[3, 4]], np.int8),
    "b.weight.scale": np.array([10], np.float32),
    "a.bias": np.zeros(2, np.float16),
}


def header(**changes: Any) -> dict[str, str]:
    fields: dict[str, Any] = {
        "format": "facebench-packed",
        "version": 2,
        "dtype": "float16",
        "sparse": {"a.weight": [2, 2]},
        "int8": ["a.weight", "b.weight"],
        "metadata": {},
    }
    return {"facebench": json.dumps(fields | changes)}


def test_the_good_file_of_these_tests_loads(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(safetensors.numpy.save(GOOD, metadata=header()))
    loaded = load_packed(path)
    assert loaded.state["a.weight"].tolist() == [[0.5, 0], [-4, 254]]
    assert loaded.state["b.weight"].tolist() == [[30, 40]]
    assert loaded.masks["a"].tolist() == [[True, False], [True, True]]


@pytest.mark.parametrize(
    ("tensors", "changes", "message"),
    [
        ({}, {"version": 1}, "in a file of version 1"),
        ({}, {"version": 3}, "version 3; this facebench reads 1 and 2"),
        ({}, {"int8": []}, "in a file of version 2"),
        ({}, {"int8": None}, "lacks the names of the int8"),
        ({}, {"int8": ["a.weight", 3]}, "lacks the names of the int8"),
        ({}, {"int8": ["a.weight", "a.weight"]}, "int8 weights"),
        ({}, {"int8": ["a.weight"]}, "unexpected tensor 'b.weight.scale'"),
        ({}, {"int8": ["b.weight"]}, "int8 values in place of float16"),
        ({}, {"int8": ["a.weight", "b.weight", "c.weight"]}, "c.weight: .* it has none"),
        ({}, {"int8": ["a.weight", "b.weight", "a.bias"]}, "a.bias: .* they are float16"),
        ({"a.weight.scale": None}, {}, r"a.weight: needs float32 scales of shape \(2,\)"),
        ({"a.weight.scale": np.ones(3, np.float32)}, {}, "float32 scales of shape"),
        ({"a.weight.scale": np.ones((2, 1), np.float32)}, {}, "float32 scales of shape"),
        ({"b.weight.scale": np.ones(1, np.float16)}, {}, "b.weight: needs float32 scales"),
        ({"b.weight.scale": np.full(1, np.nan, np.float32)}, {}, "a scale is NaN"),
        ({"b.weight.scale": np.full(1, -1, np.float32)}, {}, "or negative"),
        ({"b.weight.scale": np.full(1, 3e38, np.float32)}, {}, "NaN or infinite"),
        ({"a.weight.kept": np.ones(2, np.int8)}, {}, "kept values for 3 kept"),
        ({"a.weight.kept": np.ones(3, np.float16)}, {}, "float16 values in place of int8"),
    ],
)
def test_false_claims_are_errors(
    tmp_path: Path, tensors: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    path = tmp_path / "w.safetensors"
    content = {name: array for name, array in (GOOD | tensors).items() if array is not None}
    path.write_bytes(safetensors.numpy.save(content, metadata=header(**changes)))
    with pytest.raises(UserError, match=message) as caught:
        load_packed(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_every_truncation_is_an_error_with_the_path(tmp_path: Path) -> None:
    state = {"a.weight": torch.randn(4, 4), "b.weight": torch.randn(2, 4), "b.bias": torch.randn(2)}
    data = packed_bytes(state, {"a": torch.rand(4, 4) < 0.3}, "int8")
    path = tmp_path / "w.safetensors"
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(UserError, match="not usable as packed weights"):
            load_packed(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_broken_weights_are_not_saved(tmp_path: Path, value: float) -> None:
    with pytest.raises(UserError, match="NaN or infinite"):
        save_packed(tmp_path / "w", {"a.weight": torch.tensor([[1.0, value]])}, {}, "int8")
    dropped = {"a": torch.tensor([[True, False]])}
    save_packed(tmp_path / "w", {"a.weight": torch.tensor([[1.0, value]])}, dropped, "int8")


def test_a_model_is_rounded_and_evaluates_by_name(small_zoo: Path) -> None:
    card = find_card("small")
    made = quantise_model(card, small_zoo)
    new = find_card("small_int8")
    assert made.card == new and new.parent == "small" and new.sparsity == card.sparsity
    assert new.preprocessing == card.preprocessing and new.training == card.training
    assert made.after == new.weights_path.stat().st_size < made.before  # type: ignore[union-attr]
    x = np.random.default_rng(0).integers(0, 256, (8, *SIZE, 3), dtype=np.uint8)
    old, rounded = load_model("small"), load_model("small_int8")
    assert rounded.weights_hash == new.sha256 != old.weights_hash
    a, b = old.embed(x), rounded.embed(x)
    assert not np.array_equal(a, b)
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert cosine.min() > 0.995


def test_names_and_models_that_do_not_fit(
    small_zoo: Path, make_card: Callable[..., ModelCard]
) -> None:
    card = find_card("small")
    quantise_model(card, small_zoo, "tiny8")
    before = (small_zoo / "tiny8.toml").read_bytes()
    quantise_model(card, small_zoo, "tiny8")  # as after a stop: it is what would be written
    other = before.replace(b"int8 weights", b"other words")
    (small_zoo / "tiny8.toml").write_bytes(other)
    assert other != before
    cases: list[tuple[ModelCard, dict[str, Any], str]] = [
        (card, {"name": "tiny8"}, "there is such a model already; .*overwrite=True"),
        (card, {"name": "small", "overwrite": True}, "there is such a model already"),
        (card, {"name": "a/b"}, "'name'|name"),
        (find_card("tiny8"), {}, "int8 weights already"),
        (find_card("bare"), {}, "no trained weights yet"),
        (find_card("ensemble_5"), {}, "kind ensemble; quantise its members"),
    ]
    for model, choices, message in cases:
        with pytest.raises(UserError, match=message):
            quantise_model(model, small_zoo, **choices)
    assert sorted(p.name for p in (small_zoo / "weights").iterdir()) == [
        "small.safetensors", "tiny8.safetensors",
    ]  # fmt: skip
    assert (small_zoo / "tiny8.toml").read_bytes() == other
    quantise_model(card, small_zoo, "tiny8", overwrite=True)
    assert (small_zoo / "tiny8.toml").read_bytes() == before


def test_the_command(small_zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from facebench.cli.app import main

    with pytest.raises(SystemExit) as ended:
        main(["quantise", "small", "--to", "int8", "--name", "little"])
    assert ended.value.code in (0, None)
    out = capsys.readouterr().out
    assert out.startswith("models/little.toml: ") and " MB -> " in out
    with pytest.raises(SystemExit) as ended:
        main(["quantise", "smal"])
    assert ended.value.code == 2 and "did you mean 'small'" in capsys.readouterr().err
