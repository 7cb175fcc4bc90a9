"""Packed weights: small, exact, and never trusted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import torch
from torch import Tensor

from facebench.base.errors import UserError
from facebench.models.architectures.convnet import ConvNet
from facebench.models.weights.packed import FORMAT, load_packed, packed_bytes
from tests.helpers.packed import save_packed

HIGH = {"f": 1 / 256, "5b": 1 / 128}
# MB of 1e6 bytes.
SIZES = {
    "baseline": ({}, 35.7),
    "sparse_096": ({"f": 1 / 256}, 34.1),
    "sparse_076": (HIGH, 27.2),
    "sparse_074": (HIGH | {"4b": 1 / 2}, 26.6),
    "sparse_043": (HIGH | {"5a": 1 / 2}, 16.8),
    "sparse_026": (HIGH | {"5a": 1 / 4}, 10.9),
    "sparse_018": (HIGH | {"5a": 1 / 8}, 8.0),
    "sparse_014": (HIGH | {"5a": 1 / 16}, 6.5),
    "sparse_012": (HIGH | {"5a": 1 / 32}, 5.0),
}
Tiny = tuple[ConvNet, dict[str, Tensor]]


@pytest.fixture(scope="module")
def full() -> ConvNet:
    return ConvNet(1.0)


@pytest.mark.parametrize("name", SIZES)
def test_full_width_files_are_as_small_as_promised(
    name: str, full: ConvNet, make_masks: Callable[..., dict[str, Tensor]]
) -> None:
    sparsity, megabytes = SIZES[name]
    size = len(packed_bytes(full.state_dict(), make_masks(full, sparsity)))
    assert size <= megabytes * 1e6 * 1.01
    assert size >= megabytes * 1e6 * 0.98  # a file that is much smaller has lost something


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_packed_loaded_packed_is_byte_identical(tmp_path: Path, tiny: Tiny, dtype: Any) -> None:
    net, masks = tiny
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save_packed(first, net.state_dict(), masks, dtype, {"b": 1, "a": ["x"]})
    loaded = load_packed(first)
    save_packed(second, loaded.state, loaded.masks, dtype, loaded.metadata)
    assert first.read_bytes() == second.read_bytes()
    assert loaded.metadata == {"b": 1, "a": ["x"]}


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_values_are_the_rounded_ones_and_dropped_ones_zero(
    tmp_path: Path, tiny: Tiny, dtype: Any
) -> None:
    net, masks = tiny
    path = tmp_path / "w.safetensors"
    save_packed(path, net.state_dict(), masks, dtype)
    loaded = load_packed(path)
    assert set(loaded.state) == set(net.state_dict()) and set(loaded.masks) == set(masks)
    for name, tensor in net.state_dict().items():
        want = tensor.to(getattr(torch, dtype)).float()
        if (mask := masks.get(name.removesuffix(".weight"))) is not None and "weight" in name:
            want = torch.where(mask, want, 0.0)
            assert torch.equal(loaded.masks[name.removesuffix(".weight")], mask)
        assert loaded.state[name].dtype == torch.float32
        assert torch.equal(loaded.state[name], want)


@pytest.mark.parametrize("share", [0.0, 0.001, 1.0])
def test_masks_at_the_ends(tmp_path: Path, tiny: Tiny, share: float) -> None:
    net, _ = tiny
    mask = torch.rand(net.f.weight.shape) < share
    save_packed(tmp_path / "w", net.state_dict(), {"f": mask})
    assert torch.equal(load_packed(tmp_path / "w").masks["f"], mask)


def test_a_zero_that_is_kept_stays_kept_and_integers_stay(tmp_path: Path) -> None:
    state = {"a.weight": torch.zeros(2, 3), "count": torch.tensor(7)}
    mask = torch.tensor([[1, 0, 0], [0, 0, 1]])
    save_packed(tmp_path / "w", state, {"a": mask})
    loaded = load_packed(tmp_path / "w")
    assert torch.equal(loaded.masks["a"], mask.bool()) and loaded.state["count"].item() == 7


def test_bfloat16_and_channels_last_states_pack(tmp_path: Path) -> None:
    weight = torch.randn(4, 3, 3, 3).bfloat16().to(memory_format=torch.channels_last)
    mask = torch.rand(4, 3, 3, 3) < 0.5
    save_packed(tmp_path / "w", {"a.weight": weight}, {"a": mask}, "float32")
    assert torch.equal(load_packed(tmp_path / "w").state["a.weight"], weight.float() * mask)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (float("nan"), "NaN or infinite"),
        (float("inf"), "NaN or infinite"),
        (1e5, "float16's range"),
    ],
)
def test_broken_weights_are_not_saved(tmp_path: Path, value: float, message: str) -> None:
    path = tmp_path / "w"
    with pytest.raises(UserError, match=message):
        save_packed(path, {"a.weight": torch.tensor([1.0, value])}, {})
    assert not list(tmp_path.iterdir())


def test_a_dropped_nan_is_no_harm(tmp_path: Path) -> None:
    state = {"a.weight": torch.tensor([1.0, float("nan")])}
    save_packed(tmp_path / "w", state, {"a": torch.tensor([True, False])})
    assert load_packed(tmp_path / "w").state["a.weight"].tolist() == [1.0, 0.0]


def test_masks_that_fit_no_weight_are_refused(tiny: Tiny) -> None:
    net, _ = tiny
    with pytest.raises(ValueError, match="no layer 'local5c' to mask; did you mean 'local5"):
        packed_bytes(net.state_dict(), {"local5c": torch.ones(1)})
    with pytest.raises(ValueError, match="mask"):
        packed_bytes(net.state_dict(), {"f": torch.ones(1)})


def test_every_truncation_is_an_error_with_the_path(tmp_path: Path) -> None:
    state = {"a.weight": torch.randn(8, 8), "a.bias": torch.randn(8)}
    data = packed_bytes(state, {"a": torch.rand(8, 8) < 0.3})
    path = tmp_path / "w.safetensors"
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(UserError, match="not usable as packed weights") as caught:
            load_packed(path)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def header(**changes: Any) -> dict[str, str]:
    fields = {"format": FORMAT, "version": 1, "dtype": "float16", "sparse": {"a.weight": [2, 4]}}
    return {"facebench": json.dumps(fields | {"metadata": {}} | changes)}


GOOD: dict[str, np.ndarray] = {
    "a.weight.kept": np.ones(3, np.float16),
    "a.weight.bits": np.array([0b111], np.uint8),
    "a.bias": np.zeros(2, np.float16),
}


@pytest.mark.parametrize(
    ("tensors", "changes", "message"),
    [
        ({}, {"format": "other"}, "header"),
        ({}, {"version": 3}, "version 3"),
        ({}, {"version": 2}, "lacks the names of the int8"),
        ({}, {"dtype": "int8"}, "int8"),
        ({}, {"sparse": []}, "lacks the sparse shapes"),
        ({}, {"sparse": {}}, "unexpected tensor 'a.weight"),
        ({}, {"sparse": {"a.weight": [2, 4], "b.weight": [2]}}, "b.weight: needs"),
        ({}, {"sparse": {"a.bias": [2, 4]}}, "not a layer's weight"),
        ({}, {"sparse": {"a.weight": [2, 5]}}, "bits for 10 entries"),
        ({}, {"sparse": {"a.weight": [2, -4]}}, "shape"),
        ({}, {"sparse": {"a.weight": [True, 4]}}, "shape"),
        ({}, {"sparse": {"a.weight": "24"}}, "shape"),
        ({}, {"sparse": {"a.weight": [2**20, 2**20]}}, "unfolds to more"),
        ({}, {"sparse": {"a.weight": [2**27], "b.weight": [2**27]}}, "unfolds to more"),
        ({}, {"sparse": {"a.weight": [1] * 70}}, "a shape that no layer has"),
        ({}, {"sparse": {"a.weight": [10**4000] * 4}}, "a shape that no layer has"),
        ({"a.weight.kept": np.ones(2, np.float16)}, {}, "kept values for 3 kept"),
        ({"a.weight.kept": np.ones((3, 1), np.float16)}, {}, "kept values for 3 kept"),
        ({"a.weight.kept": np.ones(3, np.float32)}, {}, "float32 values in place of float16"),
        ({"a.weight.kept": np.full(3, np.nan, np.float16)}, {}, "NaN"),
        ({"a.bias": np.full(2, np.inf, np.float16)}, {}, "NaN or infinite"),
        ({"a.bias": np.zeros(2, np.float64)}, {}, "float64 values in place of float16"),
        ({"a.weight.gaps": np.zeros(3, np.uint16)}, {}, "one of .bits and .gaps"),
        ({"a.weight": np.zeros((2, 4), np.float16)}, {}, "unexpected tensor 'a.weight'"),
        ({"z.kept": np.zeros(1, np.float16)}, {}, "unexpected tensor 'z.kept'"),
        ({"a.weight.bits": None, "a.weight.gaps": np.array([0, 6, 1], np.uint16)}, {}, "index 9"),
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


def test_files_without_int8_are_of_the_first_version(tiny: Tiny) -> None:
    """Readers from before int8 take them; those with int8 they refuse by the number."""
    net, masks = tiny
    for dtype, version in (("float16", 1), ("float32", 1), ("int8", 2)):
        data = packed_bytes(net.state_dict(), masks, dtype)  # type: ignore[arg-type]
        length = int.from_bytes(data[:8], "little")
        own = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["facebench"])
        assert own["version"] == version and ("int8" in own) == (version == 2)
        if version == 1:
            assert set(own) == {"format", "version", "dtype", "sparse", "metadata"}
            assert own["dtype"] == dtype


def test_the_published_files_still_load() -> None:
    from facebench.models.cards.card import find_card

    card = find_card("sparse_074")
    assert card.weights_path is not None
    loaded = load_packed(card.weights_path, card.sha256)
    assert loaded.dtype == "float16" and set(loaded.masks) == {"f", "local5b", "conv4b"}


def test_the_good_file_of_these_tests_loads(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(safetensors.numpy.save(GOOD, metadata=header()))
    assert load_packed(path).state["a.weight"].tolist() == [[1, 1, 1, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize("metadata", [None, {"facebench": "{"}, {"facebench": "[" * 100_000}])
def test_other_safetensors_are_not_packed_weights(tmp_path: Path, metadata: Any) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(safetensors.numpy.save({"a": np.zeros(1, np.float32)}, metadata=metadata))
    with pytest.raises(UserError, match="without the facebench-packed header"):
        load_packed(path)


def test_another_hash_and_an_absent_file(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_packed(path, {"a": torch.zeros(1)}, {})
    digest = load_packed(path).sha256
    assert load_packed(path, digest).sha256 == digest
    with pytest.raises(UserError, match="SHA-256") as caught:
        load_packed(path, "0" * 64)
    assert str(path) in str(caught.value)
    with pytest.raises(UserError, match="cannot be read"):
        load_packed(tmp_path / "absent")
