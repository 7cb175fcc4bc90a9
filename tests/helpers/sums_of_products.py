"""Sums of products in other orders, as other processors' linear-algebra kernels take them.

A kernel sums the rows of whole blocks otherwise than rows left over, so the last bits of a face's
numbers depend on how many faces are beside it. Here a product whose rows fill blocks of ``ROWS`` is
summed one by one, any other in the order named; the same call gives the same bits, on any machine.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

ROWS = 4  # rows a kernel is said to take at once
MOST_STEPS = 256  # from twice as many products on, several are summed at a time, for speed
_AS_NUMBER, _MATMUL = 12, 34  # places in CPython's PyTypeObject and PyNumberMethods

Product = Callable[..., Any]
"""A product of arrays, all NumPy's or all torch's."""
Order = Callable[[Product, tuple[Any, ...], tuple[int, ...]], Any]
"""Gives ``product(*operands)``; the axes are those that are summed over, one an operand."""


def _in_blocks(
    product: Product, operands: tuple, axes: tuple[int, ...], block: int | None = None
) -> Any:
    length = operands[0].shape[axes[0]]
    block = block or max(8, length // MOST_STEPS)
    total = None
    for start in range(0, length, block):
        cut = slice(start, start + block)
        parts = [o[(slice(None),) * axis + (cut,)] for o, axis in zip(operands, axes, strict=True)]
        total = product(*parts) if total is None else total + product(*parts)
    return product(*operands) if total is None else total


def _one_by_one(product: Product, operands: tuple, axes: tuple[int, ...]) -> Any:
    return _in_blocks(product, operands, axes, max(1, operands[0].shape[axes[0]] // MOST_STEPS))


def _reversed(product: Product, operands: tuple, axes: tuple[int, ...]) -> Any:
    flip = torch.flip if isinstance(operands[0], torch.Tensor) else np.flip
    flipped = tuple(flip(o, (axis,)) for o, axis in zip(operands, axes, strict=True))
    return _one_by_one(product, flipped, axes)


def _rounded(product: Product, operands: tuple, axes: tuple[int, ...]) -> Any:
    if isinstance(operands[0], torch.Tensor):
        return product(*(o.double() for o in operands)).to(operands[0].dtype)
    wide = product(*(o.astype(np.float64) for o in operands))
    return wide.astype(np.result_type(*operands))


ORDERS: dict[str, Order] = {"reversed": _reversed, "blocks": _in_blocks, "rounded": _rounded}


def _floats(*operands: Any) -> bool:
    return all(isinstance(o, np.ndarray) and o.dtype.kind == "f" for o in operands)


class _NumpyProducts:
    """NumPy's products of arrays of floats."""

    def __init__(self, order: Order) -> None:
        self.order, self.own = order, {name: getattr(np, name) for name in _REPLACED}

    def _sum(self, rows: int, *asked: Any) -> Any:
        return (self.order if rows % ROWS else _one_by_one)(*asked)

    def matmul(self, a: Any, b: Any, out: Any = None, **keywords: Any) -> Any:
        plain = self.own["matmul"](a, b, out=out, **keywords)
        if not _floats(a, b) or keywords or not plain.size:
            return plain
        rows = a.shape[-2] if a.ndim > 1 else 1
        axes = (a.ndim - 1, max(b.ndim - 2, 0))
        result = self._sum(rows, self.own["matmul"], (a, b), axes).astype(plain.dtype)
        if out is None:
            return result
        np.copyto(out, result)
        return out

    def dot(self, a: Any, b: Any, *rest: Any) -> Any:
        matrices = not rest and _floats(a, b) and 0 < a.ndim < 3 and 0 < b.ndim < 3
        return self.matmul(a, b) if matrices else self.own["dot"](a, b, *rest)

    def einsum(self, subscripts: str, *operands: Any, **keywords: Any) -> Any:
        plain = self.own["einsum"](subscripts, *operands, **keywords)
        names, _, kept = subscripts.partition("->")
        terms = names.split(",")
        lost = [name for name in terms[0] if all(name in t for t in terms) and name not in kept]
        if not lost or not _floats(*operands) or not np.size(plain):
            return plain
        product = partial(self.own["einsum"], subscripts, **keywords)
        axes = tuple(term.index(lost[-1]) for term in terms)
        result = self._sum(plain.shape[0] if kept else 1, product, operands, axes)
        return result.astype(plain.dtype)


_REPLACED = ("matmul", "dot", "einsum")


def _plain(operand: Any) -> bool:
    """Whether it is a dense tensor of floats with values, not one that stands for others."""
    return (
        type(operand) in (torch.Tensor, torch.nn.Parameter)
        and operand.layout is torch.strided
        and operand.is_floating_point()
    )


class _TorchProducts(TorchDispatchMode):
    """Torch's products of matrices and convolutions."""

    def __init__(self, order: Order) -> None:
        super().__init__()
        self.order = order

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        bare = {"addmm": "mm", "baddbmm": "bmm", "addmv": "mv"}.get(name)
        if torch.jit.is_tracing() or not all(map(_plain, args[:2])):
            return func(*args, **(kwargs or {}))
        if name in ("mm", "bmm", "mv", "dot"):
            return self._matrices(func, *args)
        if bare and not kwargs:
            return args[0] + self._matrices(getattr(torch.ops.aten, bare).default, *args[1:3])
        if name == "convolution" and not args[6] and args[8] == 1:
            return self._convolution(func, *args)
        return func(*args, **(kwargs or {}))

    def _sum(self, rows: int, *asked: Any) -> Any:
        return (self.order if rows % ROWS else _one_by_one)(*asked)

    def _matrices(self, func: Any, a: Any, b: Any) -> Any:
        rows = a.shape[-2] if a.ndim > 1 else 1
        return self._sum(rows, func, (a, b), (a.ndim - 1, max(b.ndim - 2, 0)))

    def _convolution(self, func: Any, maps: Any, weights: Any, bias: Any, *rest: Any) -> Any:
        def product(x: Any, w: Any) -> Any:
            return func(x, w, None, *rest)

        result = self._sum(len(maps), product, (maps, weights), (1, 1))
        return result if bias is None else result + bias.reshape(-1, *[1] * (result.ndim - 2))


def apart(left: Any, right: Any, kind: Any = np.float32) -> Any:
    """How far two ways of summing ``left @ right`` in floats of a kind can differ, per number.

    Either is within n·u·Σ|left·right| of the exact sum; u is half of eps (Higham 2002, 3.1).
    """
    wide = np.abs(left).astype(np.float64) @ np.abs(right).astype(np.float64)
    return left.shape[-1] * np.finfo(kind).eps * wide


class _Numbers(ctypes.Structure):
    """As much of CPython's layout of a type as leads to its ``@``."""

    _fields_ = [("pointers", ctypes.c_void_p * (_MATMUL + 1))]


class _AsksPython:
    """A type whose ``@`` is looked up by name, as ndarray's is while it is replaced."""

    def __matmul__(self, other: Any) -> Any:
        return NotImplemented


def _pointers(kind: type) -> Any:
    address = _Numbers.from_address(id(kind)).pointers[_AS_NUMBER]
    return _Numbers.from_address(address or 0).pointers


@contextmanager
def _operator(product: Product) -> Iterator[None]:
    """Let ``a @ b`` of arrays call ``product``; a type written in C gives no other way to it."""
    (names,) = gc.get_referents(np.ndarray.__dict__)
    pointers, own = _pointers(np.ndarray), np.ndarray.__matmul__
    compiled = pointers[_MATMUL]
    names["__matmul__"] = lambda a, b: (product if isinstance(b, np.ndarray) else own)(a, b)
    pointers[_MATMUL] = _pointers(_AsksPython)[_MATMUL]
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(np.ndarray))
    try:
        yield
    finally:
        pointers[_MATMUL] = compiled
        names["__matmul__"] = own
        ctypes.pythonapi.PyType_Modified(ctypes.py_object(np.ndarray))


@contextmanager
def summed(order: str) -> Iterator[None]:
    """Take sums of products in an order of ``ORDERS``, NumPy's and torch's, in this process."""
    ours = _NumpyProducts(ORDERS[order])
    with _operator(ours.matmul), _TorchProducts(ORDERS[order]):
        for name in _REPLACED:
            setattr(np, name, getattr(ours, name))
        try:
            yield
        finally:
            for name, function in ours.own.items():
                setattr(np, name, function)
