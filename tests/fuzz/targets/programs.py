"""Models that are programs: ONNX (run), TorchScript and torch.export (loaded, not run), and what is
handed over in their place, such as state dicts and pickled modules.
"""

from __future__ import annotations

import copy
import io
import pickle
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import onnx
import safetensors.torch
import torch
from onnx import TensorProto, helper, numpy_helper

from facebench.embedding.stream import answer_of
from facebench.models.counting.graph import graph_counts
from facebench.models.embedders.options import ModelOptions
from facebench.models.embedders.programs import load_exported, load_torchscript
from facebench.models.weights.brought import brought_bytes
from facebench.models.weights.checkpoint import load_state, state_in
from facebench.models.zoo import load_model
from tests.fuzz.mutations import bytes_changed, tensors_changed, zip_changed
from tests.fuzz.target import Files, Target


@lru_cache(maxsize=1)
def flat_onnx() -> bytes:
    """A matrix product of all pixels of an 8×8 face."""
    drawn = np.random.default_rng(0).normal(size=(3 * 8 * 8, 4)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["x"], ["f"]),
            helper.make_node("MatMul", ["f", "W"], ["y"]),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4])],
        [numpy_helper.from_array(drawn, "W")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return bytes(model.SerializeToString())


def _onnx(rng: Random) -> Files:
    if rng.random() < 0.5:
        return {"own.onnx": bytes_changed(rng, flat_onnx())}
    model = onnx.load_from_string(flat_onnx())
    graph = model.graph
    weight = graph.initializer[0]
    match rng.randrange(9):
        case 0:
            _move_outside(rng, weight)
        case 1:
            shapes = ([2**40, 2**20], [-1, 4], [0], [192, 4, 1], [1] * 100)
            del weight.dims[:]
            weight.dims.extend(rng.choice(shapes))
        case 2:
            kinds = (
                *("Evil", "Loop", "If", "Reshape", "Conv", "Identity", "Tile", "Expand"),
                "ConstantOfShape",
            )
            graph.node[0].op_type = rng.choice(kinds)
        case 3:
            graph.node[1].domain = rng.choice(("evil.domain", "com.microsoft", "ai.onnx.ml"))
        case 4:
            graph.node[1].input[1] = "y"
        case 5:
            dims = graph.input[0].type.tensor_type.shape.dim
            dims[rng.randrange(4)].dim_value = rng.choice((0, -1, 2**40, 1, 5))
        case 6:
            model.opset_import[0].version = rng.choice((0, 1, 99, -1, 2**31))
        case 7:
            model.ir_version = rng.choice((0, 1, 99))
        case _:
            graph.output[0].name = "zzz"
    return {"own.onnx": model.SerializeToString(), "own.bin": b"\x01" * 4000}


def _move_outside(rng: Random, weight: Any) -> None:
    """The weight in another file, as torch.onnx does above 2 GB, or in one that is not the user's
    to give.
    """
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    places = (
        *("own.bin", "a/own.bin", "../../../etc/passwd", "/etc/passwd", "*/_ORT_MEM_ADDR_/*"),
        "\0",
    )
    told = {
        "location": rng.choice(places),
        "offset": rng.choice(("0", "-1", "99999999999")),
        "length": rng.choice(("3072", "0", "999999999999")),
    }
    for key, value in told.items():
        entry = weight.external_data.add()
        entry.key, entry.value = key, value


def _read_onnx(folder: Path) -> None:
    path = folder / "own.onnx"
    graph_counts(path, (8, 8))
    embedder = load_model(str(path), ModelOptions(size=(8, 8)))
    assert np.isfinite(answer_of(embedder, np.zeros((2, 8, 8, 3), np.uint8))).all()


class _Flat(torch.nn.Module):
    """A linear layer of all pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(192, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x.flatten(1))


@lru_cache(maxsize=1)
def _net() -> _Flat:
    torch.manual_seed(0)
    return _Flat().eval()


@lru_cache(maxsize=1)
def script_bytes() -> bytes:
    out = io.BytesIO()
    torch.jit.save(torch.jit.trace(_net(), torch.zeros(1, 3, 8, 8)), out)
    return out.getvalue()


@lru_cache(maxsize=1)
def _exported() -> bytes:
    out = io.BytesIO()
    free = ({0: torch.export.Dim("b", min=1)},)
    torch.export.save(
        torch.export.export(_net(), (torch.zeros(2, 3, 8, 8),), dynamic_shapes=free), out
    )
    return out.getvalue()


_FOREIGN = (
    *("data/weights/evil.pt", "data/constants/opaque_obj_0", "data/aotinductor/model/x.so"),
    *("extra/x", "../x"),
)


class Loaded:
    """What a pickle would call."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("called",))


def saved(value: Any, legacy: bool = False) -> bytes:
    """What torch.save writes."""
    out = io.BytesIO()
    torch.save(value, out, _use_new_zipfile_serialization=not legacy)
    return out.getvalue()


def foreign_torch_file(rng: Random) -> bytes:
    """A state dict, a pickled module, a list: what people call .pt, too; whole or damaged."""
    held: tuple[Any, ...] = (
        *(_net().state_dict(), {"state_dict": _net().state_dict()}, [1, 2], Loaded(), {}),
        {"net": torch.ones(2)},
    )
    data = saved(rng.choice(held), rng.random() < 0.4)
    if rng.random() < 0.1:
        data = pickle.dumps({"a": 1})
    return bytes_changed(rng, data) if rng.random() < 0.4 else data


def _program(name: str, right: Any) -> Any:
    def make(rng: Random) -> Files:
        if rng.random() < 0.2:
            return {name: foreign_torch_file(rng)}
        return {name: zip_changed(rng, right(), _FOREIGN)}

    return make


def _state(rng: Random) -> Files:
    """A state dict for the network of `_net`, in a file of each kind, whole or damaged."""
    match rng.randrange(4):
        case 0:
            return {"own.pt": foreign_torch_file(rng)}
        case 1:
            packed = brought_bytes(_net().state_dict(), rng.choice(("float16", "int8")))
            return {"own.safetensors": tensors_changed(rng, packed)}
        case 2:
            plain = safetensors.torch.save(_net().state_dict())
            return {"own.safetensors": tensors_changed(rng, plain, None)}
    return {"own.pt": zip_changed(rng, saved({"state_dict": _net().state_dict()}), _FOREIGN)}


def _read_state(folder: Path) -> None:
    (path,) = folder.iterdir()
    load_state(copy.deepcopy(_net()), state_in(path), str(path))


TARGETS = (
    Target("ONNX", _onnx, _read_onnx, 0.7),
    Target(
        "TorchScript",
        _program("own.pt", script_bytes),
        lambda folder: load_torchscript(folder / "own.pt"),
        0.5,
    ),
    Target("state dicts", _state, _read_state, 0.5),
    Target(
        "torch.export",
        _program("own.pt2", _exported),
        lambda folder: load_exported(folder / "own.pt2"),
        0.3,
    ),
)
