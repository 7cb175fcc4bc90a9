"""Torch networks as embedders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from facebench.base.errors import UserError
from facebench.models.architectures.convnet import ConvNet, to_input
from facebench.models.embedders.base import Preprocessing
from facebench.models.embedders.torch import TorchEmbedder

SMALL = Preprocessing(size=(4, 3), mean=(10, 20, 30), scale=(1, 2, 4))


def faces(n: int, size: tuple[int, int] = (4, 3), seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n, *size, 3), dtype=np.uint8)


def embedder(network: Callable[[Tensor], Any], **options: Any) -> TorchEmbedder:
    return TorchEmbedder("net", network, "ab" * 32, options.pop("preprocessing", SMALL), **options)


def test_pixels_are_centred_scaled_and_ordered() -> None:
    x = faces(3)
    out = embedder(lambda t: t.flatten(1)).embed(x).reshape(3, 3, 4, 3)
    want = (x.astype(np.float64) - (10, 20, 30)) / (1, 2, 4)
    np.testing.assert_allclose(out, want.transpose(0, 3, 1, 2), rtol=1e-6)
    assert out.dtype == np.float32
    bgr = Preprocessing(size=(4, 3), colour="bgr", mean=(10, 20, 30), scale=(1, 2, 4))
    out = embedder(lambda t: t.flatten(1), preprocessing=bgr).embed(x).reshape(3, 3, 4, 3)
    want = (x[..., ::-1].astype(np.float64) - (10, 20, 30)) / (1, 2, 4)
    np.testing.assert_allclose(out, want.transpose(0, 3, 1, 2), rtol=1e-6)


@pytest.mark.parametrize("channels_last", [True, False])
def test_memory_order_is_the_one_asked_for(channels_last: bool) -> None:
    orders = []

    def network(t: Tensor) -> Tensor:
        orders.append(t.is_contiguous(memory_format=torch.channels_last))
        orders.append(t.is_contiguous())
        return t.flatten(1)

    embedder(network, channels_last=channels_last).forward(faces(2))
    assert orders == [channels_last, not channels_last]


@pytest.mark.parametrize("rule", ["none", "add", "normalised-add", "concat"])
def test_flip_rules(rule: Any) -> None:
    x = faces(2)
    one = embedder(lambda t: t.flatten(1))
    two = embedder(
        lambda t: t.flatten(1),
        preprocessing=Preprocessing(size=(4, 3), mean=SMALL.mean, scale=SMALL.scale, flip=rule),
    )
    plain, mirrored = one.forward(x), one.forward(x[:, :, ::-1])
    want = {
        "none": plain,
        "add": plain + mirrored,
        "normalised-add": plain / np.linalg.norm(plain, axis=1, keepdims=True)
        + mirrored / np.linalg.norm(mirrored, axis=1, keepdims=True),
        "concat": np.concatenate([plain, mirrored], axis=1),
    }[rule]
    np.testing.assert_allclose(two.embed(x), want, rtol=1e-6)


def convnet(**options: Any) -> TorchEmbedder:
    torch.manual_seed(0)
    net = ConvNet(0.125).eval()
    prep = Preprocessing(size=(112, 96), flip="add")
    return embedder(net, preprocessing=prep, channels_last=True, **options)


def test_a_convnet_sees_what_training_shows_it() -> None:
    x = faces(2, (112, 96))
    torch.manual_seed(0)
    net = ConvNet(0.125).eval()
    with torch.inference_mode():
        want = net(to_input(torch.from_numpy(x))).numpy()
    np.testing.assert_allclose(convnet().forward(x), want, rtol=1e-4, atol=1e-5)


def test_an_embedding_does_not_depend_on_its_batch() -> None:
    model, x = convnet(), faces(7, (112, 96))
    whole = model.embed(x)
    alone = np.concatenate([model.embed(x[i : i + 1]) for i in range(7)])
    np.testing.assert_allclose(whole, alone, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.embed(x[::-1])[::-1], whole, rtol=1e-4, atol=1e-5)


def test_bfloat16_is_near_and_says_so() -> None:
    x = faces(3, (112, 96))
    exact, low = convnet(), convnet(precision="bfloat16")
    a, b = exact.embed(x), low.embed(x)
    assert b.dtype == np.float32 and not np.array_equal(a, b)
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert (cosine > 0.999).all()
    assert exact.signature.endswith(" float32") and low.signature.endswith(" bfloat16")


def test_no_gradients_and_threads_are_left_alone() -> None:
    threads = torch.get_num_threads()
    flags = []

    def network(t: Tensor) -> Tensor:
        flags.append(torch.is_inference_mode_enabled())
        return t.flatten(1)

    embedder(network).forward(faces(1))
    assert flags == [True] and torch.get_num_threads() == threads


def test_fixed_batch_empty_batch_and_read_only_faces() -> None:
    sizes = []

    def network(t: Tensor) -> Tensor:
        sizes.append(len(t))
        return t.flatten(1)

    model = embedder(network, batch=2)
    x = faces(5)
    x.flags.writeable = False
    assert model.forward(x).shape == (5, 36) and sizes == [2, 2, 2]
    np.testing.assert_array_equal(model.forward(x), embedder(network).forward(x))
    assert model.forward(x[:0]).shape == (0, 36)


@pytest.mark.parametrize(
    "output",
    [lambda t: (t.flatten(1), None), lambda t: [t.flatten(1)], lambda t: {"e": t.flatten(1)}],
)
def test_the_first_of_several_outputs(output: Callable[[Tensor], Any]) -> None:
    assert embedder(output).forward(faces(2)).shape == (2, 36)


def test_a_named_output() -> None:
    def network(t: Tensor) -> dict[str, Tensor]:
        return {"logits": t.flatten(1), "features": t.flatten(1)[:, :2]}

    assert embedder(network, output="features").forward(faces(2)).shape == (2, 2)
    with pytest.raises(UserError, match="no output 'feature', but logits, features"):
        embedder(network, output="feature").forward(faces(2))
    with pytest.raises(UserError, match="gave a str, not a tensor"):
        embedder(lambda t: "x").forward(faces(2))
    assert embedder(network).variant == "" and embedder(network, output="b").variant == "output=b"
    with pytest.raises(UserError, match="no output 'zz': it has one, without a name"):
        embedder(lambda t: t.flatten(1), output="zz").forward(faces(2))


def test_an_output_without_a_name_is_chosen_by_its_number() -> None:
    def network(t: Tensor) -> tuple[Tensor, Tensor]:
        return t.flatten(1)[:, :2], t.flatten(1)[:, :5]

    first = embedder(network)
    assert first.forward(faces(2)).shape == (2, 2) and first.outputs == ("0", "1")
    assert first.giving("1").forward(faces(2)).shape == (2, 5)
    assert embedder(network, output="1").variant == first.giving("1").variant == "output=1"
    with pytest.raises(UserError, match="no output '2', but 0, 1"):
        embedder(network, output="2").forward(faces(2))


def test_nan_is_an_error_that_names_the_model() -> None:
    def network(t: Tensor) -> Tensor:
        out = t.flatten(1)
        out[1] = float("nan")
        return out

    with pytest.raises(UserError, match="model net gave NaN for 1 of 3 faces"):
        embedder(network).embed(faces(3))


def test_a_network_that_fails_is_one_line() -> None:
    with pytest.raises(UserError, match="model net failed on 2 faces: RuntimeError: mat1 and mat2"):
        embedder(nn.Sequential(nn.Flatten(), nn.Linear(5, 2))).forward(faces(2))


def test_an_absent_device_is_refused() -> None:
    if not torch.cuda.is_available():
        with pytest.raises(UserError, match="no CUDA GPU"):
            embedder(nn.Identity(), device="cuda")
    with pytest.raises(UserError, match="not cpu, cuda or cuda:N"):
        embedder(nn.Identity(), device="tpu")
