"""Reads the plain data of a pickle without Python's unpickler: nothing in the file is ever called.

A small interpreter of the opcodes that bytes, text, numbers, booleans, lists, tuples and NumPy
arrays of these need (protocols 0 to 5, written by Python 2 or 3). A global name is pushed as a name
and means something only to the rules of `reduce`; every other opcode (EXT, PERSID, INST, OBJ,
NEWOBJ, dicts, sets, ...) is refused. Memory stays near the file's size.
"""

from __future__ import annotations

import codecs
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MAX_PROTOCOL = 5
_MAX_LINE = 40  # digits of a textual number; longer ones are attacks on int()
_MAX_STEPS = 10_000_000  # 14,000 images as arrays take 300,000; bounds the memory of empty lists


class PlainPickleError(Exception):
    """The bytes are not a pickle of plain data; the text says what was found."""


class _Mark:
    """Where a tuple or list begins on the stack."""


def loads(data: bytes) -> object:
    """The plain value pickled in ``data``; Python 2 strings come as bytes.

    PlainPickleError for anything else, and for truncated data.
    """
    machine = _Machine(data)
    try:
        return machine.run()
    except PlainPickleError:
        raise
    except (IndexError, struct.error) as error:
        raise PlainPickleError("it is truncated or damaged") from error
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise PlainPickleError(str(error)) from error


class _Machine:
    """Stack, memo and position while a pickle is read."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at, self.made = data, 0, 0
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> object:
        steps = 0
        while (code := self.take(1)) != b".":
            steps += 1
            if steps > _MAX_STEPS:
                raise PlainPickleError("it has too many parts")
            step = _STEPS.get(code)
            if step is None:
                raise PlainPickleError(f"opcode {code!r} is not plain data")
            step(self)
        if len(self.stack) != 1:
            raise PlainPickleError("it ends with more than one value")
        return self.stack.pop()

    def take(self, count: int) -> bytes:
        if not 0 <= count <= len(self.data) - self.at:
            raise PlainPickleError("it is truncated or damaged")
        piece = self.data[self.at : self.at + count]
        self.at += count
        return piece

    def line(self) -> bytes:
        end = self.data.find(b"\n", self.at)
        if end < 0:
            raise PlainPickleError("it is truncated or damaged")
        return self.take(end + 1 - self.at)[:-1]

    def number(self, form: str) -> int:
        value: int = struct.unpack(form, self.take(struct.calcsize(form)))[0]
        return value

    def textual(self) -> int | bool:
        text = self.line().removesuffix(b"L")
        if len(text) > _MAX_LINE:
            raise PlainPickleError("a number is too long")
        return text == b"01" if text in (b"00", b"01") else int(text)

    def since_mark(self) -> list[Any]:
        for place in range(len(self.stack) - 1, -1, -1):
            if isinstance(self.stack[place], _Mark):
                items = self.stack[place + 1 :]
                del self.stack[place:]
                return items
        raise PlainPickleError("it is truncated or damaged")

    def top(self, count: int) -> tuple[Any, ...]:
        if len(self.stack) < count:
            raise PlainPickleError("it is truncated or damaged")
        items = tuple(self.stack[len(self.stack) - count :])
        del self.stack[len(self.stack) - count :]
        return items

    def call(self) -> object:
        made = reduce(*self.top(2))
        self.made += len(made) if isinstance(made, bytes) else 0
        if self.made > len(self.data):  # one text, encoded again and again
            raise PlainPickleError("it repeats its parts so that they outgrow the file")
        return made

    def list_on_top(self) -> list[Any]:
        target = self.stack[-1]
        if not isinstance(target, list):
            raise PlainPickleError("something other than a list is appended to")
        return target


def _push(make: Callable[[_Machine], object]) -> Callable[[_Machine], None]:
    def step(machine: _Machine) -> None:
        machine.stack.append(make(machine))

    return step


def _put(index: Callable[[_Machine], int]) -> Callable[[_Machine], None]:
    def step(machine: _Machine) -> None:
        machine.memo[index(machine)] = machine.stack[-1]

    return step


def _append(machine: _Machine) -> None:
    (item,) = machine.top(1)
    machine.list_on_top().append(item)


def _extend(machine: _Machine) -> None:
    items = machine.since_mark()
    machine.list_on_top().extend(items)


def _protocol(machine: _Machine) -> None:
    if (protocol := machine.number("B")) > MAX_PROTOCOL:
        raise PlainPickleError(f"its protocol {protocol} is unknown")


def _quoted(machine: _Machine) -> bytes:
    text = machine.line()
    if len(text) < 2 or text[:1] != text[-1:] or text[:1] not in b"'\"":
        raise PlainPickleError("a string is not quoted")
    return codecs.escape_decode(text[1:-1])[0]


def _drop(_: object) -> None:
    """Forget a value that was taken."""


def _name(machine: _Machine) -> GlobalName:
    module, name = machine.line(), machine.line()
    return GlobalName(module.decode(), name.decode())


def _stack_name(machine: _Machine) -> GlobalName:
    module, name = machine.top(2)
    if not (isinstance(module, str) and isinstance(name, str)):
        raise PlainPickleError("a global name is not text")
    return GlobalName(module, name)


def _text(machine: _Machine, form: str) -> str:
    return machine.take(machine.number(form)).decode("utf-8", "surrogatepass")


def _long(machine: _Machine) -> int:
    return int.from_bytes(machine.take(machine.number("B")), "little", signed=True)


_STEPS: dict[bytes, Callable[[_Machine], None]] = {
    b"\x80": _protocol,
    b"\x95": lambda m: _drop(m.take(8)),  # FRAME: a hint about lengths
    b"(": lambda m: m.stack.append(_Mark()),
    b"0": lambda m: _drop(m.top(1)),
    b"1": lambda m: _drop(m.since_mark()),
    b"2": _push(lambda m: m.stack[-1]),
    b"N": _push(lambda m: None),
    b"\x88": _push(lambda m: True),
    b"\x89": _push(lambda m: False),
    b"I": _push(_Machine.textual),
    b"L": _push(_Machine.textual),
    b"J": _push(lambda m: m.number("<i")),
    b"K": _push(lambda m: m.number("B")),
    b"M": _push(lambda m: m.number("<H")),
    b"\x8a": _push(_long),
    b"G": _push(lambda m: m.number(">d")),
    b"F": _push(lambda m: float(m.line())),
    b"S": _push(_quoted),
    b"T": _push(lambda m: m.take(m.number("<i"))),
    b"U": _push(lambda m: m.take(m.number("B"))),
    b"B": _push(lambda m: m.take(m.number("<I"))),
    b"C": _push(lambda m: m.take(m.number("B"))),
    b"\x8e": _push(lambda m: m.take(m.number("<Q"))),
    b"\x96": _push(lambda m: m.take(m.number("<Q"))),  # a bytearray, kept as bytes
    b"V": _push(lambda m: m.line().decode("raw-unicode-escape")),
    b"X": _push(lambda m: _text(m, "<I")),
    b"\x8c": _push(lambda m: _text(m, "B")),
    b"\x8d": _push(lambda m: _text(m, "<Q")),
    b"]": _push(lambda m: []),
    b"l": _push(_Machine.since_mark),
    b"a": _append,
    b"e": _extend,
    b")": _push(lambda m: ()),
    b"t": _push(lambda m: tuple(m.since_mark())),
    b"\x85": _push(lambda m: m.top(1)),
    b"\x86": _push(lambda m: m.top(2)),
    b"\x87": _push(lambda m: m.top(3)),
    b"p": _put(_Machine.textual),
    b"q": _put(lambda m: m.number("B")),
    b"r": _put(lambda m: m.number("<I")),
    b"\x94": _put(lambda m: len(m.memo)),
    b"g": _push(lambda m: m.memo[m.textual()]),
    b"h": _push(lambda m: m.memo[m.number("B")]),
    b"j": _push(lambda m: m.memo[m.number("<I")]),
    b"c": _push(_name),
    b"\x93": _push(_stack_name),
    b"R": _push(_Machine.call),
    b"b": _push(lambda m: build(*m.top(2))),
}


_MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")
_NUMERIC = ("numpy.core.numeric", "numpy._core.numeric")
_PLAIN = frozenset(
    kind + size
    for kind, sizes in {"b": "1", "u": "1248", "i": "1248", "f": "248"}.items()
    for size in sizes
)
_OBJECTS = ("O", "O4", "O8")
_MAX_DIMENSIONS = 4


class GlobalName(NamedTuple):
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
    """An array while it is read: empty until its state was seen. items: of one of objects."""

    value: NDArray[np.generic] | None = None
    items: list[Any] | None = None


def reduce(function: object, arguments: object) -> object:
    """What the pickle's call means; ValueError where it is not one of the few that are known."""
    if not isinstance(function, GlobalName) or not isinstance(arguments, tuple):
        raise ValueError("it calls something that is not a name")
    module, name = function
    if name == "_reconstruct" and module in _MULTIARRAY:
        if arguments[:1] != (GlobalName("numpy", "ndarray"),):
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
        if isinstance(dtype, PlainDtype) and dtype.code in _OBJECTS:
            target.items = _items(shape, data)
            return target
        target.value = _array(dtype, shape, data, "F" if fortran is True else "C")
    else:
        raise ValueError("it sets the state of an object")
    return target


def _dtype_code(code: object) -> str:
    text = code.decode("latin-1") if isinstance(code, bytes) else code
    if not isinstance(text, str) or text.lstrip("|<>=") not in (*_PLAIN, *_OBJECTS):
        raise ValueError("it holds an array of another dtype than booleans, numbers and objects")
    return text.lstrip("|<>=")


def _latin1(text: object) -> bytes:
    if not isinstance(text, str):
        raise ValueError("it encodes something that is not text")
    return text.encode("latin-1")


def _items(shape: object, data: object) -> list[Any]:
    """What a one-dimensional array of objects holds: plain values, as all in the file."""
    if not (isinstance(data, list) and shape in ((len(data),), (len(data), 1), (1, len(data)))):
        raise ValueError("it holds an array of objects that is no list")
    return data


def _array(dtype: object, shape: object, data: object, order: object) -> NDArray[np.generic]:
    if not (isinstance(dtype, PlainDtype) and isinstance(shape, tuple) and isinstance(data, bytes)):
        raise ValueError("it holds an array whose parts are not plain")
    if len(shape) > _MAX_DIMENSIONS or any(type(n) is not int or n < 0 for n in shape):
        raise ValueError("it holds an array of an impossible shape")
    if dtype.code in _OBJECTS:
        raise ValueError("it holds an array whose parts are not plain")
    kind = dtype.dtype()
    if math.prod(shape) * kind.itemsize != len(data):
        raise ValueError("it holds an array whose size does not fit its data")
    return np.frombuffer(data, kind).reshape(shape, order="F" if order in ("F", b"F") else "C")
