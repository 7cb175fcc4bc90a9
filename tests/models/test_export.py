"""Networks as ONNX and torch.export programs: the same embeddings, at any batch size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from facebench.base.errors import UserError
from facebench.base.storage import sha256_file
from facebench.models.architectures.base import LocallyConnected2d
from facebench.models.architectures.convnet import ConvNet
from facebench.models.cards.names import card_for
from facebench.models.cards.publish import write_card
from facebench.models.embedders.base import Preprocessing
from facebench.models.export import (
    ENDINGS,
    EmbeddingCheck,
    ExportKind,
    PlainNetwork,
    _Slices,
    compare_embeddings,
    plain_network,
    program_bytes,
    program_card,
    twin_faces,
    without_masks,
)
from facebench.models.sparsity.masks import apply_masks
from facebench.models.zoo import load_model, load_network

MODULE = """
import torch
from torch import nn

class Net(nn.Module):
    input_size = (9, 8)
    def __init__(self):
        super().__init__()
        self.f = nn.Linear(3 * 9 * 8, 5)
    def forward(self, x):
        return self.f(x.view(x.size(0), -1))

def make():
    torch.manual_seed(0)
    return Net()

def pruned():  # its weights are computed before every pass
    net = make()
    torch.nn.utils.prune.l1_unstructured(net.f, "weight", amount=0.5)
    torch.nn.utils.prune.random_unstructured(net.f, "bias", amount=0.2)
    return net

def normalised():  # so are those of the older way to normalise weights
    net = make()
    torch.nn.utils.weight_norm(net.f)
    return net

class Fixed(Net):
    def forward(self, x):
        return self.f(x.reshape(2, -1))

def fixed():
    return Fixed()

def function():
    return lambda faces: faces.reshape(len(faces), -1).astype("float32")
"""


def export(spec: str, kind: ExportKind, folder: Path) -> Path:
    """The program of a model with its card beside it."""
    plain = plain_network(spec)
    path = folder / f"out{ENDINGS[kind]}"
    path.write_bytes(program_bytes(plain, kind))
    write_card(program_card(plain, kind, path.name, sha256_file(path)), path.with_suffix(".toml"))
    return path


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "exported_module.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", ["onnx", "torch-export"])
def test_a_sparse_convnet_gives_the_same(small_zoo: Path, tmp_path: Path, kind: ExportKind) -> None:
    if kind == "onnx":
        pytest.importorskip("onnx")
        pytest.importorskip("onnxruntime")
    path = export("small", kind, tmp_path)
    one, other = load_model("small"), load_model(str(path))
    assert other.id == "out" and other.preprocessing == one.preprocessing
    faces = np.random.default_rng(0).integers(0, 256, (5, 80, 80, 3), dtype=np.uint8)
    check = compare_embeddings(one, other, faces)
    assert check.equal, check.text
    for n in (1, 2, 5):  # the batch is open
        np.testing.assert_allclose(
            other.embed(faces[:n]), one.embed(faces[:n]), atol=1e-4 * check.magnitude
        )


def test_the_card_says_where_it_comes_from(small_zoo: Path) -> None:
    plain = plain_network("small")
    card = program_card(plain, "torch-export", "out.pt2", "ab" * 32)
    assert (card.architecture, card.parent, card.name) == ("export", "small", "out")
    assert (card.weights, card.sha256) == ("out.pt2", "ab" * 32)
    assert card.preprocessing.flip == "add" and card.licence == plain.card.licence
    assert program_card(plain, "onnx", "o.onnx", "ab" * 32).architecture == "onnx"


def test_masks_become_plain_zeros(tiny: tuple[ConvNet, dict[str, torch.Tensor]]) -> None:
    net, masks = tiny
    x = torch.randn(2, 3, 80, 80)
    apply_masks(net, masks)
    want = net(x)
    dense = without_masks(net)
    assert set(dict(dense.named_parameters())) == set(ConvNet(0.125, (80, 80)).state_dict())
    for name, mask in masks.items():
        weight = dense.get_submodule(name).weight
        assert int((weight != 0).sum()) <= int(mask.sum()) and not weight[~mask].any()
    torch.testing.assert_close(dense(x), want)
    assert not any(p.requires_grad for p in dense.parameters()) and not dense.training


@pytest.mark.parametrize(("size", "kernel"), [((7, 6), 3), ((5, 5), 3), ((4, 6), 2), ((3, 3), 1)])
def test_slices_are_the_locally_connected_layer(size: tuple[int, int], kernel: int) -> None:
    torch.manual_seed(0)
    layer = LocallyConnected2d(4, 5, size, kernel)
    nn.init.normal_(layer.bias)
    x = torch.randn(3, 4, *size)
    torch.testing.assert_close(_Slices(layer)(x), layer(x))


def test_the_graph_computes_no_shapes() -> None:
    onnx = pytest.importorskip("onnx")
    net = ConvNet(0.125, (80, 80)).eval()
    plain = PlainNetwork(plain_card(), net, Preprocessing((80, 80)))
    graph = onnx.load_from_string(program_bytes(plain, "onnx")).graph
    kinds = {node.op_type for node in graph.node}
    assert not kinds & {"Range", "Gather", "Shape", "Pad"} and "MatMul" in kinds
    dims = graph.input[0].type.tensor_type.shape.dim
    assert [d.dim_param or d.dim_value for d in dims] == ["batch", 3, 80, 80]
    assert [*net.state_dict()] == [*ConvNet(0.125, (80, 80)).state_dict()]  # left as it was


def plain_card() -> Any:
    from facebench.models.cards.names import card_for

    return card_for("baseline")


@pytest.mark.parametrize("kind", ["onnx", "torch-export"])
@pytest.mark.parametrize("made", ["make", "pruned", "normalised"])
def test_a_module_of_ones_own(module: Path, kind: ExportKind, made: str) -> None:
    if kind == "onnx":
        pytest.importorskip("onnx")
        pytest.importorskip("onnxruntime")
    path = export(f"exported_module:{made}", kind, module)
    assert card_for(str(path)).parent is None  # it is of no card
    faces = np.random.default_rng(0).integers(0, 256, (3, 9, 8, 3), dtype=np.uint8)
    want = load_model(f"exported_module:{made}").embed(faces)
    np.testing.assert_allclose(load_model(str(path)).embed(faces), want, rtol=1e-4, atol=1e-4)


def test_what_cannot_be_exported_is_one_line(module: Path) -> None:
    for spec, message in (
        ("exported_module:function", "size of its input is not known|not a torch module"),
        ("ensemble_5", "ensemble_5: is an ensemble of several networks"),
        ("region_left", "region_left: sees a region"),
        ("sparse_0741", "did you mean 'sparse_074'"),
    ):
        with pytest.raises(UserError, match=message) as caught:
            plain_network(spec)
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="cannot be written as torch-export") as caught:
        program_bytes(plain_network("exported_module:fixed"), "torch-export")
    assert "\n" not in str(caught.value)


def test_programs_are_not_exported_again(small_zoo: Path, tmp_path: Path) -> None:
    path = export("small", "torch-export", tmp_path)
    with pytest.raises(UserError, match=r"a program of its own already \(export\)"):
        plain_network(str(path))


def test_onnx_needs_its_package(small_zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="needs the package onnx: pip install onnx"):
        program_bytes(plain_network("small"), "onnx")


def test_differences_are_found(small_zoo: Path) -> None:
    one, faces = load_model("small"), twin_faces((80, 80), 3)
    assert faces.shape == (3, 80, 80, 3) and faces.dtype == np.uint8
    same = compare_embeddings(one, one, faces)
    assert same.largest < 1e-6 and same.cosine > 1 - 1e-12 and same.equal  # alone, in a batch
    other = load_model("small")
    net = load_network("small")
    with torch.no_grad():
        net.f.bias += 0.01
    other.network = net.eval()  # type: ignore[attr-defined]
    found = compare_embeddings(one, other, faces)
    assert not found.equal and found.largest >= 0.01 and "NOT THE SAME" in found.text
    assert not EmbeddingCheck(1, 0.5e-4, 1.0, 0.99998).equal
    assert EmbeddingCheck(1, 0.5e-4, 1.0, 0.999999).equal
    assert not EmbeddingCheck(1, 2e-4, 1.0, 1.0).equal
