"""ONNX files whose weights lie beside them, as torch writes them since 2.9: ``model.onnx`` and
``model.onnx.data``.

ONNX Runtime would read the file beside by itself, and no hash would say what it read. So it is read
here, once, and put into the graph.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from facebench.base.errors import UserError
from facebench.base.opening import MODEL, read_bytes, size_words


@dataclass(frozen=True)
class WholeFile:
    """An ONNX file with its weights inside. sha256: over the files as they lie there; size: of all
    of them, in bytes.
    """

    data: bytes
    sha256: str
    size: int


def whole_onnx(path: Path) -> WholeFile:
    """The bytes of an ONNX file, with the weights that lie in files beside it.

    UserError: it or a file beside it cannot be read, is too short, or lies in another folder. What
    is no ONNX file comes as it is.
    """
    data = read_bytes(path, "the model", MODEL)
    sha256, size = hashlib.sha256(data).hexdigest(), len(data)
    outside = list(_outside(model := _parsed(data)))
    if not outside:
        return WholeFile(data, sha256, size)
    read = {name: _beside(path, name) for name in sorted({_fields(t)["location"] for t in outside})}
    total = hashlib.sha256(sha256.encode())
    for name, part in read.items():
        total.update(f"\n{name} {hashlib.sha256(part).hexdigest()}".encode())
        size += len(part)
    if size > MODEL:
        raise UserError(f"{path}: with its weights it is longer than {size_words(MODEL)}")
    for tensor in outside:
        _take_in(path, tensor, read)
    return WholeFile(model.SerializeToString(), total.hexdigest(), size)


def onnx_size(path: Path) -> int:
    """Bytes of an ONNX file and of those beside it that it names; OSError: it is not there."""
    size = path.stat().st_size
    if size <= MODEL:
        model = _parsed(path.read_bytes())
        names = {_fields(tensor).get("location", "") for tensor in _outside(model)}
        beside = [path.parent / name for name in names if _is_inside(name)]
        size += sum(file.stat().st_size for file in beside if file.is_file())
    return size


def _parsed(data: bytes) -> Any:
    """The model, None: the package is absent, or it is none; ONNX Runtime says what is wrong."""
    try:
        import onnx

        return onnx.load_model_from_string(data)
    except Exception:
        return None


def _outside(model: Any) -> Iterator[Any]:
    """The tensors whose values lie in other files."""
    if model is None:
        return
    graphs = [model.graph, *model.functions]
    while graphs:
        graph = graphs.pop()
        tensors = list(getattr(graph, "initializer", ()))
        for sparse in getattr(graph, "sparse_initializer", ()):
            tensors += [sparse.values, sparse.indices]
        for attribute in (one for node in graph.node for one in node.attribute):
            tensors += [attribute.t, *attribute.tensors]
            graphs += [one for one in (attribute.g, *attribute.graphs) if one.node]
        yield from (tensor for tensor in tensors if tensor.data_location == tensor.EXTERNAL)


def _fields(tensor: Any) -> dict[str, str]:
    return {"location": ""} | {entry.key: entry.value for entry in tensor.external_data}


def _is_inside(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return bool(parts) and ".." not in parts and not name.startswith("/") and "\\" not in name


def _beside(path: Path, name: str) -> bytes:
    if not _is_inside(name):
        raise UserError(
            f"{path}: its weights are in {name!r}, outside its folder; save the model as one file, "
            "or with its weights beside it"
        )
    file = path.parent / name
    if not file.exists():
        raise UserError(
            f"{path}: its weights are in {name}, which is not beside it; copy that file there too, "
            "or save the model as one file (torch.onnx.export(..., external_data=False))"
        )
    return read_bytes(file, "the weights", MODEL)


def _take_in(path: Path, tensor: Any, read: dict[str, bytes]) -> None:
    fields = _fields(tensor)
    values = read[fields["location"]]
    try:
        start = int(fields.get("offset", 0))
        end = start + int(fields["length"]) if "length" in fields else len(values)
    except ValueError:
        start, end = 0, -1
    if not 0 <= start <= end <= len(values):
        raise UserError(
            f"{path}: {fields['location']} does not hold all of its weights: it was cut short, or "
            "is of another model; save both again"
        )
    tensor.raw_data = values[start:end]
    tensor.ClearField("external_data")
    tensor.ClearField("data_location")
