"""The few global names a pickle of plain data may use, and what each stands for.

NumPy's own functions are never called with arguments from a file: arrays and dtypes are rebuilt
from values that were checked here (NEP 1 and numpy/_core/_methods of NumPy describe the states).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")
_NUMERIC = ("numpy.core.numeric", "numpy._core.numeric")
_PLAIN = frozenset(
    kind + size
    for kind, sizes in {"b": "1", "u": "1248", "i": "1248", "f": "248"}.items()
    for size in sizes
)
_MAX_DIMENSIONS = 4


class Name(NamedTuple):
    """A global name in the file; only a name, never the thing."""

    module: str
    name: str


@dataclass
class PlainDtype:
    """A dtype of booleans or numbers, in the byte order of the file."""

    code: str
    order: str = "|"

    def dtype(self) -> np.dtype[np.generic]:
        return np.dtype(self.order + self.code)


@dataclass
class PlainArray:
    """An array while it is read: empty until its state was seen."""

    value: NDArray[np.generic] | None = None


def reduce(function: object, arguments: object) -> object:
    """What the pickle's call means; ValueError where it is not one of the few that are known."""
    if not isinstance(function, Name) or not isinstance(arguments, tuple):
        raise ValueError("it calls something that is not a name")
    module, name = function
    if name == "_reconstruct" and module in _MULTIARRAY:
        if arguments[:1] != (Name("numpy", "ndarray"),):
            raise ValueError("it holds an array of an unknown class")
        return PlainArray()
    if name == "scalar" and module in _MULTIARRAY and len(arguments) == 2:
        return _array(arguments[0], (), arguments[1], "C").item()
    if name == "_frombuffer" and module in _NUMERIC and len(arguments) == 4:
        data, dtype, shape, order = arguments
        return PlainArray(_array(dtype, shape, data, order))
    if function == ("numpy", "dtype") and arguments:
        return PlainDtype(_dtype_code(arguments[0]))
    if function == ("_codecs", "encode") and arguments[1:] in (("latin1",), (b"latin1",)):
        return _latin1(arguments[0])
    if module in ("builtins", "__builtin__") and name == "bytes" and not arguments:
        return b""
    raise ValueError(f"it calls {module[:40]!r}, {name[:40]!r}, which is refused")


def build(target: object, state: object) -> object:
    """Give an array or a dtype its state; ValueError for anything else."""
    if not isinstance(state, tuple):
        raise ValueError("it sets the state of an object")
    if isinstance(target, PlainDtype) and len(state) in (8, 9):
        order, *fields = state[1:5]
        order = order.decode("latin-1") if isinstance(order, bytes) else order
        if order not in ("<", ">", "|", "=") or any(field is not None for field in fields):
            raise ValueError("it holds an array whose dtype is not plain")
        target.order = order
    elif isinstance(target, PlainArray) and len(state) == 5:
        _, shape, dtype, fortran, data = state
        target.value = _array(dtype, shape, data, "F" if fortran is True else "C")
    else:
        raise ValueError("it sets the state of an object")
    return target


def _dtype_code(code: object) -> str:
    text = code.decode("latin-1") if isinstance(code, bytes) else code
    if not isinstance(text, str) or text.lstrip("|<>=") not in _PLAIN:
        raise ValueError("it holds an array of another dtype than booleans and numbers")
    return text.lstrip("|<>=")


def _latin1(text: object) -> bytes:
    if not isinstance(text, str):
        raise ValueError("it encodes something that is not text")
    return text.encode("latin-1")


def _array(dtype: object, shape: object, data: object, order: object) -> NDArray[np.generic]:
    if not (isinstance(dtype, PlainDtype) and isinstance(shape, tuple) and isinstance(data, bytes)):
        raise ValueError("it holds an array whose parts are not plain")
    if len(shape) > _MAX_DIMENSIONS or any(type(n) is not int or n < 0 for n in shape):
        raise ValueError("it holds an array of an impossible shape")
    kind = dtype.dtype()
    if math.prod(shape) * kind.itemsize != len(data):
        raise ValueError("it holds an array whose size does not fit its data")
    return np.frombuffer(data, kind).reshape(shape, order="F" if order in ("F", b"F") else "C")
