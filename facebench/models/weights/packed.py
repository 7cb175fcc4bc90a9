"""Packed weights: a safetensors file as small as the compression ratio promises.

A dense tensor lies in the file under its own name. The weight of a sparse layer ``NAME.weight`` is
two tensors: ``NAME.weight.kept``, the kept values in row-major order, and ``NAME.weight.bits`` or
``NAME.weight.gaps``, the dropping matrix (see `encode`). An int8 weight (see
`facebench.models.weights.quantise`) has its values as int8 in the same places, and
``NAME.weight.scale``.

The header's one metadata entry ``facebench`` is JSON: format, version, dtype of the float values,
shapes of the sparse weights, names of the int8 weights, and what the writer added. A file without
int8 weights is of version 1 and has no such names, so that older readers take it; one with them is
of version 2. The same state and masks always give the same bytes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import safetensors.numpy
import torch
from numpy.typing import NDArray
from torch import Tensor

from facebench.base.errors import UserError, nearest
from facebench.base.opening import note_in, tensors_in
from facebench.models.weights.files import weights_bytes
from facebench.models.weights.quantise import channel_axes, dequantise, is_quantised, quantise

FORMAT, VERSION, INT8_VERSION = "facebench-packed", 1, 2
Values = Literal["float16", "float32", "int8"]
AnyArray = NDArray[Any]
# A header may claim any shape, and empty gaps stand for any number of dropped weights. No face
# network is near this size: 268 million weights, 1 GiB in float32.
_MOST_ENTRIES = 1 << 28
_MOST_AXES = 8
_FEW_ENTRIES = 1 << 24  # are taken of a file of any size
_MOST_PER_BYTE = 1024  # a kept weight and its gap take three bytes or more: one kept in 3,000


@dataclass(frozen=True)
class PackedWeights:
    """What a packed file holds.

    state: state-dict name → tensor, floats as float32, dropped weights exactly zero; masks: module
    name → bool tensor in the shape of its weight, true where kept; metadata: what the writer added;
    sha256: of the file; dtype: of the weights in it.
    """

    state: dict[str, Tensor]
    masks: dict[str, Tensor]
    metadata: dict[str, Any]
    sha256: str
    dtype: Values = "float16"


class _BadFileError(Exception):
    """Why a file is not packed weights."""


def packed_bytes(
    state: Mapping[str, Tensor],
    masks: Mapping[str, Tensor],
    dtype: Values = "float16",
    metadata: Mapping[str, Any] | None = None,
) -> bytes:
    """A state dict and its dropping masks as one packed file.

    masks: module name → 0/1 or bool tensor in the shape of ``<name>.weight``, 1: kept. Floats are
    stored as dtype, rounded to nearest; with ``int8`` so are the weights, per channel, and the rest
    as float16. UserError where a value is NaN, infinite or beyond the range of dtype; ValueError
    where a mask fits no weight.
    """
    kept = {_weight_name(name, mask, state): mask for name, mask in masks.items()}
    tensors: dict[str, AnyArray] = {}
    parts = 0  # tensors that the state does not have under the same name
    for name, tensor in state.items():
        values, mask = _array(tensor), None
        if name in kept:
            mask = kept[name].detach().cpu().numpy().astype(np.bool_)
            code, coded = encode(mask.ravel())
            tensors[f"{name}.{code}"] = coded
            parts += 1
        if dtype == "int8" and is_quantised(name, values.shape):
            _finite(name, values if mask is None else values[mask])
            values, tensors[f"{name}.scale"] = quantise(values, mask)
            parts += 1
        stored = values if mask is None else values.ravel()[mask.ravel()]
        tensors[name if mask is None else f"{name}.kept"] = _stored(name, stored, dtype)
    if len(tensors) != len(state) + parts:
        raise ValueError(
            "a tensor of the state has the name of a packed part (.kept, .bits, .gaps, .scale)"
        )
    header: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "dtype": dtype,
        "sparse": {name: list(state[name].shape) for name in state if name in kept},
        "metadata": dict(metadata or {}),
    }
    if dtype == "int8":
        names = [name for name in state if is_quantised(name, tuple(state[name].shape))]
        header |= {"version": INT8_VERSION, "dtype": "float16", "int8": sorted(names)}
    text = json.dumps(header, sort_keys=True)  # one entry: safetensors orders several at random
    return safetensors.numpy.save(tensors, metadata={"facebench": text})


def load_packed(path: Path, sha256: str | None = None) -> PackedWeights:
    """Read a packed file, checking every claim it makes.

    ``sha256``: what the file's bytes must hash to. UserError in one line with the path where the
    file is absent, truncated, not packed weights, of another hash, or where shapes, counts, indices
    or values are wrong.
    """
    data, found = weights_bytes(path, sha256)
    try:
        return _unpacked(data, found)
    except _BadFileError as error:
        raise UserError(f"{path}: not usable as packed weights: {error}") from None


def _unpacked(data: bytes, sha256: str) -> PackedWeights:
    try:
        tensors = tensors_in(data)
    except ValueError as error:
        raise _BadFileError(str(error)) from None
    header = _header(data)
    _require_bounded(header, tensors)
    dtype = np.dtype(header["dtype"])
    state: dict[str, Tensor] = {}
    masks: dict[str, Tensor] = {}
    for name, shape in header["sparse"].items():
        own = np.dtype(np.int8) if name in header["int8"] else dtype
        weight, mask = _sparse(name, shape, tensors, own)
        state[name] = torch.from_numpy(weight)
        masks[name.removesuffix(".weight")] = torch.from_numpy(mask)
    for name in header["int8"]:
        if name not in state:
            state[name] = torch.from_numpy(_dense_int8(name, tensors))
    for name, array in tensors.items():
        if name in state or name.endswith((".kept", ".bits", ".gaps", ".weight.scale")):
            raise _BadFileError(f"unexpected tensor {name[:80]!r}")
        state[name] = torch.from_numpy(_loaded(name, array, dtype))
    values = cast(Values, "int8" if header["int8"] else header["dtype"])
    return PackedWeights(state, masks, header["metadata"], sha256, values)


def _header(data: bytes) -> dict[str, Any]:
    """Our metadata entry; the bytes have already passed the safetensors reader."""
    header = note_in(data, "facebench")
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise _BadFileError(f"safetensors without the {FORMAT} header")
    if (version := header.get("version")) not in (VERSION, INT8_VERSION):
        raise _BadFileError(
            f"version {version!r}; this facebench reads {VERSION} and {INT8_VERSION}"
        )
    if header.get("dtype") not in ("float16", "float32"):
        raise _BadFileError(f"values of type {header.get('dtype')!r}, not float16 or float32")
    if not isinstance(header.get("sparse"), dict) or not isinstance(header.get("metadata"), dict):
        raise _BadFileError("its header lacks the sparse shapes or the metadata")
    names = header.setdefault("int8", [] if version == VERSION else None)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise _BadFileError("its header lacks the names of the int8 weights")
    if (version == INT8_VERSION) != bool(names) or len(set(names)) < len(names):
        raise _BadFileError(f"int8 weights {names!r} in a file of version {version}")
    return header


def _require_bounded(header: dict[str, Any], tensors: dict[str, AnyArray]) -> None:
    """_BadFileError where the weights would unfold to more than any network has."""
    entries = sum(array.size for array in tensors.values())
    for name, shape in header["sparse"].items():
        if not isinstance(shape, list) or not all(type(n) is int and n > 0 for n in shape):
            raise _BadFileError(f"{name[:80]}: shape {str(shape)[:80]}")
        if len(shape) > _MOST_AXES or max(shape, default=1) > _MOST_ENTRIES:
            raise _BadFileError(f"{name[:80]}: a shape that no layer has")
        entries += math.prod(shape)
    size = sum(array.nbytes for array in tensors.values())
    most = min(_MOST_ENTRIES, max(_FEW_ENTRIES, _MOST_PER_BYTE * size))
    if entries > most:
        raise _BadFileError(f"unfolds to more than the {most:,} weights that are taken of its size")


def _sparse(
    name: str, shape: list[int], tensors: dict[str, AnyArray], dtype: np.dtype[Any]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """One sparse weight and its mask; takes its parts out of ``tensors``."""
    if not name.endswith(".weight"):
        raise _BadFileError(f"{name!r} is sparse but not a layer's weight")
    entries = math.prod(shape)
    codes = [code for code in ("bits", "gaps") if f"{name}.{code}" in tensors]
    if len(codes) != 1 or f"{name}.kept" not in tensors:
        raise _BadFileError(f"{name}: needs .kept and one of .bits and .gaps")
    code = cast(Code, codes[0])
    try:
        mask = decode(code, tensors.pop(f"{name}.{code}"), entries)
    except ValueError as error:
        raise _BadFileError(f"{name}: {error}") from None
    kept = tensors.pop(f"{name}.kept")
    if kept.shape != (count := int(mask.sum()),):
        raise _BadFileError(f"{name}: {kept.shape} kept values for {count} kept entries")
    if kept.dtype != dtype:
        raise _BadFileError(f"{name}: {kept.dtype} values in place of {dtype}")
    values: AnyArray = np.zeros(entries, dtype=np.int8 if dtype == np.int8 else np.float32)
    values[mask] = _loaded(name, kept, dtype)
    values, mask = values.reshape(shape), mask.reshape(shape)
    return (_scaled(name, values, tensors) if dtype == np.int8 else values), mask


def _dense_int8(name: str, tensors: dict[str, AnyArray]) -> NDArray[np.float32]:
    """One int8 weight without a mask; takes its parts out of ``tensors``."""
    values = tensors.pop(name, None)
    if values is None or values.dtype != np.int8:
        found = "it has none" if values is None else f"they are {values.dtype}"
        raise _BadFileError(f"{name}: its header says int8 values; {found}")
    return _scaled(name, values, tensors)


def _scaled(name: str, values: AnyArray, tensors: dict[str, AnyArray]) -> NDArray[np.float32]:
    """int8 values times their scales, which are taken out of ``tensors``."""
    scales, wanted = tensors.pop(f"{name}.scale", None), values.shape[: channel_axes(values.shape)]
    if scales is None or scales.dtype != np.float32 or scales.shape != wanted:
        raise _BadFileError(f"{name}: needs float32 scales of shape {wanted}")
    if not np.isfinite(scales).all() or (scales < 0).any():
        raise _BadFileError(f"{name}: a scale is NaN, infinite or negative")
    with np.errstate(over="ignore"):
        weight = dequantise(values, scales)
    return np.asarray(_loaded(name, weight, np.dtype(np.float32)))


def _loaded(name: str, array: AnyArray, dtype: np.dtype[Any]) -> AnyArray:
    if array.dtype.kind != "f":
        return array.copy()
    if array.dtype != dtype:
        raise _BadFileError(f"{name}: {array.dtype} values in place of {dtype}")
    if not np.isfinite(array).all():
        raise _BadFileError(f"{name}: holds NaN or infinite values")
    return array.astype(np.float32)


def _stored(name: str, values: AnyArray, dtype: Values) -> AnyArray:
    if values.dtype.kind != "f":
        return np.asarray(values, order="C")  # ascontiguousarray would give a scalar one dimension
    _finite(name, values)
    kind = "float16" if dtype == "int8" else dtype
    with np.errstate(over="ignore"):
        stored = np.asarray(values.astype(kind), order="C")
    if not np.isfinite(stored).all():
        raise UserError(f"{name} holds weights beyond {kind}'s range; save it as float32")
    return stored


def _finite(name: str, values: AnyArray) -> None:
    if not np.isfinite(values).all():
        raise UserError(f"{name} holds NaN or infinite weights; the training diverged, do not save")


def _array(tensor: Tensor) -> AnyArray:
    tensor = tensor.detach().cpu().contiguous()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def _weight_name(module: str, mask: Tensor, state: Mapping[str, Tensor]) -> str:
    name = f"{module}.weight"
    if name not in state:
        modules = [n.removesuffix(".weight") for n in state if n.endswith(".weight")]
        raise ValueError(f"no layer {module!r} to mask{nearest(module, modules)}")
    if mask.shape != state[name].shape:
        raise ValueError(f"{name}: mask {tuple(mask.shape)}, weight {tuple(state[name].shape)}")
    return name


Code = Literal["bits", "gaps"]
# A gap that does not fit 16 bits: skip this many entries, none of which is kept.
ESCAPE = 0xFFFF


def encode(kept: NDArray[np.bool_]) -> tuple[Code, NDArray[np.uint8] | NDArray[np.uint16]]:
    """A flat dropping matrix (bool N, true: kept) in its smaller code; bits where both are equal.

    ``bits``: uint8 ⌈N/8⌉, first entry in the lowest bit. ``gaps``: uint16, one per kept entry: how
    many dropped ones lie between it and the kept one before; 65535 skips 65535 entries.
    """
    gaps = _to_gaps(np.flatnonzero(kept))
    bits = np.packbits(kept, bitorder="little")
    return ("bits", bits) if bits.nbytes <= gaps.nbytes else ("gaps", gaps)


def decode(code: Code, data: NDArray[np.generic], entries: int) -> NDArray[np.bool_]:
    """The flat dropping matrix (bool, ``entries`` long) back from its code.

    ValueError where the code cannot have come from `encode`: wrong type or length, an index out of
    range, bits set after the end.
    """
    if data.ndim != 1:
        raise ValueError(f"its {code} are not one-dimensional")
    if code == "bits":
        return _from_bits(data, entries)
    return _from_gaps(data, entries)


def _from_bits(data: NDArray[np.generic], entries: int) -> NDArray[np.bool_]:
    if data.dtype != np.uint8 or data.size != (entries + 7) // 8:
        raise ValueError(f"{data.size} bytes of bits for {entries} entries")
    bits = np.unpackbits(data.astype(np.uint8), bitorder="little").astype(np.bool_)
    if bits[entries:].any():
        raise ValueError("bits are set after its last entry")
    return bits[:entries]


def _to_gaps(positions: NDArray[np.int64]) -> NDArray[np.uint16]:
    gaps = np.diff(positions, prepend=-1) - 1
    escapes, rest = np.divmod(gaps, ESCAPE)
    codes = np.full(len(gaps) + int(escapes.sum()), ESCAPE, dtype=np.uint16)
    codes[np.cumsum(escapes + 1) - 1] = rest
    return codes


def _from_gaps(data: NDArray[np.generic], entries: int) -> NDArray[np.bool_]:
    if data.dtype != np.uint16:
        raise ValueError(f"its gaps are {data.dtype}, not uint16")
    codes = data.astype(np.int64)
    escape = codes == ESCAPE
    if escape.size and escape[-1]:
        raise ValueError("its gaps end in a skip")
    positions = (np.cumsum(np.where(escape, ESCAPE, codes + 1)) - 1)[~escape]
    if positions.size and positions[-1] >= entries:
        raise ValueError(f"index {positions[-1]} lies outside its {entries} entries")
    kept = np.zeros(entries, dtype=np.bool_)
    kept[positions] = True
    return kept
