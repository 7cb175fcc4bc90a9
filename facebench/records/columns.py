"""Columns of numbers in few bytes, and back to the bit.

A column is kept in the narrowest type that holds each of its values exactly, e.g. a float64 that
came from float32 as float32, and is deflated byte plane by byte plane: the high bytes of scores
repeat, the low ones do not. The file is safetensors; its one metadata entry ``facebench`` is JSON:
format, version, rows, the types, and what else the writer has to say.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facebench.base.opening import note_in, tensors_in

FORMAT, VERSION = "facebench-columns", 1
Columns = dict[str, NDArray[Any]]
_ENTRY = "facebench"
# Of a column's type: the types that may hold it, the narrowest first.
_HOLDERS: MappingProxyType[str, tuple[str, ...]] = MappingProxyType(
    {
        "bool": ("bits",),
        "uint32": ("uint8", "uint16", "uint32"),
        "int64": ("uint8", "uint16", "uint32", "int64"),
        "float32": ("float32",),
        "float64": ("float32", "float64"),
    }
)
_NAMES = MappingProxyType(
    {"bool": "BOOL", "uint8": "U8", "uint32": "U32", "int64": "I64", "float32": "F32"}
    | {"float64": "F64"}
)


class DamagedColumnsError(ValueError):
    """Bytes that are no file of columns; the message says why."""


def packed(columns: Mapping[str, NDArray[Any]], facts: Mapping[str, object]) -> bytes:
    """The file of columns of one length; facts: what else its header says.

    The columns are bool, uint32, int64, float32 or float64[n]. The same columns, the same bytes.
    """
    holders = {name: _narrowest(column) for name, column in columns.items()}
    header = {
        "format": FORMAT,
        "version": VERSION,
        "rows": len(next(iter(columns.values()))),
        "types": {name: [columns[name].dtype.name, held] for name, held in holders.items()},
        **facts,
    }
    tensors = {
        name: np.frombuffer(_deflated(column, holders[name]), np.uint8)
        for name, column in columns.items()
    }
    return tensor_bytes(tensors, {_ENTRY: json.dumps(header, sort_keys=True)})


def unpacked(data: bytes, limit: int) -> Columns:
    """The columns in a file's bytes; limit: the most bytes that they may take.

    `DamagedColumnsError`: no such file, or longer or shorter columns than its header says.
    """
    header = header_of(data)
    if header is None:
        raise DamagedColumnsError(f"it lacks the header of {FORMAT}")
    tensors = loaded(data)
    rows, types = header.get("rows"), header.get("types")
    if type(rows) is not int or rows < 0 or not isinstance(types, dict):
        raise DamagedColumnsError("its header lacks rows or types")
    if set(types) != set(tensors):
        raise DamagedColumnsError(f"its header tells of other columns than {sorted(tensors)}")
    kinds = {name: _kind(name, types[name]) for name in types}
    if rows * sum(np.dtype(full).itemsize for full, _ in kinds.values()) > limit:
        raise DamagedColumnsError(f"its {rows:,} rows are more than are taken")
    return {
        name: _inflated(name, tensors[name], full, held, rows)
        for name, (full, held) in kinds.items()
    }


def header_of(data: bytes) -> dict[str, Any] | None:
    """What the first bytes of a file say of its columns, without a look at these; None: it is none.

    `DamagedColumnsError`: of another version.
    """
    header = note_in(data, _ENTRY)
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        return None
    if header.get("version") != VERSION:
        raise DamagedColumnsError(
            f"version {header.get('version')!r}, and this facebench reads {VERSION}"
        )
    return header


def loaded(data: bytes) -> Columns:
    """The tensors of safetensors; `DamagedColumnsError`: the bytes are none."""
    try:
        return tensors_in(data)
    except ValueError as error:
        raise DamagedColumnsError(str(error)) from None


def tensor_bytes(
    tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str] | None = None
) -> bytes:
    """Tensors as safetensors in their order.

    By the format's text and not by its library: SHA-256 of such bytes are kept, and must not change
    with the library's version.
    """
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    parts, end = [], 0
    for name, tensor in tensors.items():
        raw = np.ascontiguousarray(tensor, tensor.dtype.newbyteorder("<")).tobytes()
        start, end = end, end + len(raw)
        header[name] = {
            "dtype": _NAMES[tensor.dtype.name],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
        parts.append(raw)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, *parts])


def _narrowest(column: NDArray[Any]) -> str:
    """The first type that gives the column's values back, to the bit."""
    holders = _HOLDERS[column.dtype.name]
    return next(held for held in holders if held == "bits" or _holds(column, held))


def _holds(column: NDArray[Any], held: str) -> bool:
    with np.errstate(over="ignore", invalid="ignore"):
        back = column.astype(held).astype(column.dtype)
    return back.tobytes() == column.tobytes()  # of floats: signs of zero and NaNs, too


def _deflated(column: NDArray[Any], held: str) -> bytes:
    deflater = zlib.compressobj(9)
    if held == "bits":
        return deflater.compress(np.packbits(column).tobytes()) + deflater.flush()
    little = np.ascontiguousarray(column, np.dtype(held).newbyteorder("<"))
    planes = little.view(np.uint8).reshape(-1, little.itemsize).T[::-1]  # high bytes first
    parts = []
    for plane in planes:  # each with a code of its own: they have nothing in common
        parts += [deflater.compress(plane.tobytes()), deflater.flush(zlib.Z_FULL_FLUSH)]
    return b"".join([*parts, deflater.flush()])


def _inflated(name: str, data: NDArray[Any], full: str, held: str, rows: int) -> NDArray[Any]:
    if data.dtype != np.uint8 or data.ndim != 1:
        raise DamagedColumnsError(f"{name} is {data.dtype}{data.shape}, not bytes")
    size = math.ceil(rows / 8) if held == "bits" else rows * np.dtype(held).itemsize
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(data.tobytes(), size + 1)  # no more than that is unfolded
    except zlib.error as error:
        raise DamagedColumnsError(f"{name} is damaged ({error})") from None
    if len(raw) != size or not inflater.eof or inflater.unused_data:
        raise DamagedColumnsError(f"{name} does not have {rows:,} rows")
    whole = np.frombuffer(raw, np.uint8)
    if held == "bits":
        return np.unpackbits(whole, count=rows).astype(np.bool_)
    little = np.ascontiguousarray(whole.reshape(np.dtype(held).itemsize, rows)[::-1].T)
    return little.view(np.dtype(held).newbyteorder("<")).reshape(rows).astype(full)


def _kind(name: str, told: object) -> tuple[str, str]:
    """A column's type and the one that holds it."""
    match told:
        case [str(full), str(held)] if held in _HOLDERS.get(full, ()):
            return full, held
    raise DamagedColumnsError(f"{name[:80]} is of type {str(told)[:80]}")
