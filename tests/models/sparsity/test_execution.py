"""Sparse execution: the dense layers' numbers, face by face, by the path that the rule says."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from facebench.models.architectures.base import LocallyConnected2d
from facebench.models.architectures.convnet import ConvNet
from facebench.models.sparsity import execution as sparse_execution
from facebench.models.sparsity.execution import (
    SparseLinear,
    SparseLocallyConnected2d,
    accelerate,
    chosen_path,
    execution_of,
)
from facebench.models.sparsity.masks import apply_masks, freeze

SIZE = (80, 80)
BATCHES = (1, 7, 8, 32)
NOMINAL = (1, 32)
SPARSE = ("sparse_096", "sparse_076", "sparse_074", "sparse_043", "sparse_026", "sparse_018",
          "sparse_014", "sparse_012", "region_face", "region_wide", "region_inner", "region_upper",
          "region_left")  # fmt: skip
needs_mkl = pytest.mark.skipif(not torch.backends.mkl.is_available(), reason="CSR needs MKL")


def faces(n: int, seed: int = 1) -> Tensor:
    drawn = torch.randn(n, 3, *SIZE, generator=torch.Generator().manual_seed(seed))
    return drawn.to(memory_format=torch.channels_last)


def close(found: Tensor, wanted: Tensor) -> None:
    """Equal to 1e-5 of the largest value."""
    assert found.shape == wanted.shape and found.dtype == torch.float32
    assert (found - wanted).abs().max() <= 1e-5 * wanted.abs().max().clamp(min=1)


def pair(net: ConvNet, masks: dict[str, Tensor], batch: int) -> tuple[nn.Module, nn.Module]:
    """The network masked and dense, and its accelerated copy."""
    apply_masks(net, masks)
    freeze(net).to(memory_format=torch.channels_last)
    return net, accelerate(copy.deepcopy(net), batch=batch)


@pytest.mark.parametrize(
    ("share", "batch", "path"),
    [
        (0.12, 32, "bag"),
        (0.12, 8, "bag"),
        (0.125, 32, "dense"),
        (1.0, 32, "dense"),
        pytest.param(0.24, 1, "csr", marks=needs_mkl),
        pytest.param(0.24, 7, "csr", marks=needs_mkl),
        pytest.param(0.25, 1, "dense", marks=needs_mkl),
    ],
)
def test_the_measured_rule(share: float, batch: int, path: str) -> None:
    assert chosen_path(share, batch) == path


def test_without_mkl_small_passes_go_by_embedding_bag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: False)
    assert chosen_path(0.1, 1) == "bag"


@pytest.mark.parametrize("nominal", NOMINAL)
@pytest.mark.parametrize(
    ("width", "sparsity"),
    [
        (0.125, {"f": 1 / 9, "5b": 1 / 16, "4b": 1 / 2}),
        (0.25, {"f": 1 / 256, "5b": 1 / 128, "5a": 1 / 32}),
    ],
)
def test_networks_give_the_dense_embeddings(
    width: float,
    sparsity: dict[str, float],
    nominal: int,
    make_masks: Callable[..., dict[str, Tensor]],
) -> None:
    torch.manual_seed(3)
    net = ConvNet(width, SIZE)
    dense, sparse = pair(net, make_masks(net, sparsity), nominal)
    assert isinstance(sparse.f, SparseLinear) and sparse.features == dense.features  # type: ignore
    assert isinstance(sparse.local5b, SparseLocallyConnected2d)
    assert isinstance(sparse.conv4b, nn.Conv2d)  # convolutions stay dense
    assert isinstance(sparse.local5a, SparseLocallyConnected2d) == ("5a" in sparsity)
    with torch.inference_mode():
        for batch in BATCHES:
            close(sparse(faces(batch)), dense(faces(batch)))


def uneven(shape: tuple[int, ...], seed: int) -> Tensor:
    """A mask with anything from no kept weight to a third of them per neuron."""
    drawn = torch.Generator().manual_seed(seed)
    share = torch.rand(shape[:-1], generator=drawn) / 3
    mask = torch.rand(shape, generator=drawn) < share[..., None]
    mask.view(-1, shape[-1])[::3] = False
    return mask


@pytest.mark.parametrize("path", ["bag", pytest.param("csr", marks=needs_mkl)])
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("bias", [True, False])
def test_linear_layers_of_uneven_counts(path: str, batch: int, bias: bool) -> None:
    torch.manual_seed(batch)
    layer, mask = nn.Linear(37, 23, bias=bias).eval(), uneven((23, 37), batch)
    x = torch.randn(batch, 37)
    with torch.inference_mode():
        layer.weight.copy_(torch.where(mask, layer.weight, 0.0))
        found = SparseLinear(layer, mask, path)(x)  # type: ignore[arg-type]
        close(found, layer(x))
        assert found.is_contiguous()


@pytest.mark.parametrize("path", ["bag", pytest.param("csr", marks=needs_mkl)])
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize(
    ("channels", "size", "kernel"), [((5, 9), (6, 4), 3), ((2, 3), (5, 7), 2), ((4, 1), (3, 3), 3)]
)
def test_locally_connected_layers_of_uneven_counts(
    path: str, batch: int, channels: tuple[int, int], size: tuple[int, int], kernel: int
) -> None:
    torch.manual_seed(batch)
    layer = LocallyConnected2d(*channels, size, kernel).eval()
    mask = uneven(tuple(layer.weight.shape), batch)
    x = torch.randn(batch, channels[0], *size)
    with torch.inference_mode():
        nn.init.normal_(layer.bias)
        layer.weight.copy_(torch.where(mask, layer.weight, 0.0))
        sparse = SparseLocallyConnected2d(layer, mask, path)  # type: ignore[arg-type]
        close(sparse(x), layer(x))
        close(sparse(x.to(memory_format=torch.channels_last)), layer(x))


@pytest.mark.parametrize("nominal", NOMINAL)
def test_a_layer_that_keeps_nothing_gives_its_bias(nominal: int) -> None:
    net = nn.Sequential(nn.Linear(4, 3)).eval()
    accelerate(net, {"0": torch.zeros(3, 4)}, nominal)
    assert isinstance(net[0], SparseLinear) and net[0](torch.ones(2, 4)).shape == (2, 3)
    assert torch.equal(net[0](torch.ones(2, 4))[1], net[0].bias.ravel())
    assert net[0](torch.ones(0, 4)).shape == (0, 3)


def test_by_hand() -> None:
    layer = nn.Linear(3, 2).eval()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, 2, 3], [4, 5, 6]]))
        layer.bias.copy_(torch.tensor([0.5, -1]))
    sparse = SparseLinear(layer, torch.tensor([[0, 0, 1], [1, 0, 1]]), "bag")
    assert sparse.first.tolist() == [0, 1, 3] and sparse.inputs.tolist() == [2, 0, 2]
    # 3·30 + 0.5 and 4·10 + 6·30 - 1
    assert sparse(torch.tensor([[10.0, 20, 30]])).tolist() == [[90.5, 219.0]]


@pytest.mark.parametrize("path", ["bag", pytest.param("csr", marks=needs_mkl)])
def test_a_faces_result_does_not_depend_on_its_batch(path: str) -> None:
    """Bit for bit: 512 inputs, of which each of 96 neurons keeps a different number."""
    torch.manual_seed(0)
    layer, mask = nn.Linear(512, 96).eval(), uneven((96, 512), 5)
    sparse = SparseLinear(layer, mask, path)  # type: ignore[arg-type]
    x = torch.randn(32, 512)
    with torch.inference_mode():
        whole = sparse(x)
        for n in (1, 2, 5, 7, 8, 31):
            assert torch.equal(sparse(x[-n:]), whole[-n:])


def test_the_path_is_the_networks_not_the_batchs(
    tiny: tuple[ConvNet, dict[str, Tensor]], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, sparse = pair(*tiny, 32)
    monkeypatch.setattr(sparse_execution, "chosen_path", None)  # not asked again
    with torch.inference_mode():
        for n in BATCHES:
            sparse(faces(n))
    assert execution_of(sparse) == "sparse bag:local5b"  # f keeps 1/4, which is no gain


@needs_mkl
def test_what_runs_how_in_words(tiny: tuple[ConvNet, dict[str, Tensor]]) -> None:
    dense, sparse = pair(*tiny, 1)
    assert execution_of(sparse) == "sparse csr:local5b"  # f keeps 1/4, which is no gain here
    assert execution_of(dense) == ""


def test_nested_layers_and_masks_of_0_and_1() -> None:
    net = nn.Sequential(nn.Sequential(nn.Linear(16, 16), nn.ReLU()), nn.Linear(16, 2)).eval()
    mask = torch.eye(16)
    with torch.no_grad():
        net[0][0].weight.mul_(mask)
    wanted = net(torch.ones(3, 16))
    accelerate(net, {"0.0": mask})
    assert execution_of(net) == "sparse bag:0.0"
    close(net(torch.ones(3, 16)), wanted)


def test_half_precision_inputs_are_computed_in_float32() -> None:
    layer, mask = nn.Linear(64, 8).eval(), uneven((8, 64), 2)
    sparse = SparseLinear(layer, mask, "bag")
    x = torch.randn(4, 64).bfloat16()
    assert torch.equal(sparse(x), sparse(x.float()))


def test_only_for_inference() -> None:
    with pytest.raises(ValueError, match="freeze"):
        accelerate(ConvNet(0.125, SIZE).train())


def test_memory_follows_the_kept_weights(tiny: tuple[ConvNet, dict[str, Tensor]]) -> None:
    net, masks = tiny
    sparse = pair(net, masks, 32)[1]
    kept = int(masks["local5b"].sum())
    held = list(sparse.get_submodule("local5b").buffers())
    assert sum(t.numel() for t in held) < 2 * kept + 600  # values, inputs, first and bias
    assert not list(sparse.get_submodule("local5b").parameters())


def test_loaded_models_run_sparsely(small_zoo: Path) -> None:
    """Card to embedding, beside the dense network of the same card."""
    from facebench.models.embedders.options import ModelOptions
    from facebench.models.embedders.torch import TorchEmbedder
    from facebench.models.zoo import load_model, load_network

    embedder = load_model("small")
    net = freeze(load_network("small"))
    dense = TorchEmbedder("small", net, "", embedder.preprocessing, channels_last=True)
    x = torch.randint(0, 256, (9, *SIZE, 3), dtype=torch.uint8).numpy()
    close(torch.from_numpy(embedder.embed(x)), torch.from_numpy(dense.embed(x)))
    assert embedder.runtime == f"torch {torch.__version__}, sparse bag:local5b"
    assert dense.signature.split()[1:] == embedder.signature.split()[1:]
    assert load_model("small", ModelOptions(precision="bfloat16")).runtime == ""
    one = load_model("small", ModelOptions(batch=1))
    close(torch.from_numpy(one.embed(x[:1])), torch.from_numpy(dense.embed(x[:1])))
    assert one.runtime != embedder.runtime


@pytest.mark.parametrize("batch", [1, 32])
@pytest.mark.parametrize("name", SPARSE)
def test_every_published_model_gives_the_dense_embeddings(name: str, batch: int) -> None:
    from facebench.models.zoo import load_network

    net = freeze(load_network(name)).eval().to(memory_format=torch.channels_last)
    sparse = accelerate(copy.deepcopy(net), batch=batch)
    assert bool(execution_of(sparse)) == (batch == 1 or name.startswith("sparse"))
    x = torch.randn(3, 3, *net.input_size).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        close(sparse(x), net(x))
