"""What the reader of plain pickles reads, and that nothing hostile runs."""

from __future__ import annotations

import contextlib
import copyreg
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facebench.faces.bin.pickle import PlainArray, PlainPickleError, loads

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False)
    | st.binary(max_size=300)
    | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=5) | st.lists(inner, max_size=4).map(tuple),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(PLAIN, st.sampled_from(PROTOCOLS))
def test_plain_data_comes_as_python_would_read_it(value: object, protocol: int) -> None:
    assert loads(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("dtype", ["u1", "?", "<i8", ">i2", "f4", "<f8"])
def test_arrays_of_plain_dtypes(protocol: int, dtype: str) -> None:
    for array in (np.arange(12).astype(dtype), np.arange(12).astype(dtype).reshape(3, 4).T,
                  np.zeros((0,), dtype)):  # fmt: skip
        if protocol == 0 and array.tobytes().find(b"\n") >= 0:
            continue
        found = loads(pickle.dumps([array, array], protocol))
        assert isinstance(found, list) and isinstance(found[0], PlainArray)
        for item in found:
            np.testing.assert_array_equal(item.value, array)
            assert item.value.dtype == array.dtype


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_scalars_of_numpy(protocol: int) -> None:
    assert loads(pickle.dumps([np.bool_(True), np.int64(-5)], protocol)) == [True, -5]


def test_files_of_python_2() -> None:
    # pickle.dumps((['\xff\xd8\n', 'b'], [True, False]), 0), 1 and 2 of Python 2.7
    assert loads(b"((lp0\nS'\\xff\\xd8\\n'\np1\naS'b'\np2\na(lp3\nI01\naI00\natp4\n.") == (
        [b"\xff\xd8\n", b"b"],
        [True, False],
    )
    assert loads(b"(]q\x00(U\x03\xff\xd8\nq\x01U\x01bq\x02e]q\x03(I01\nI00\netq\x04.") == (
        [b"\xff\xd8\n", b"b"],
        [True, False],
    )
    assert loads(b"\x80\x02]q\x00(U\x03\xff\xd8\nq\x01U\x01bq\x02e]q\x03(\x88\x89e\x86q\x04.") == (
        [b"\xff\xd8\n", b"b"],
        [True, False],
    )
    array = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b"
        b"\x87Rq\x03(K\x01K\x03\x85cnumpy\ndtype\nq\x04U\x02u1K\x00K\x01\x87Rq\x05(K\x03U\x01|NNN"
        b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x03\xff\xd8\x01tb."
    )
    found = loads(array)
    assert isinstance(found, PlainArray) and found.value is not None
    assert found.value.tolist() == [255, 216, 1]


class Hostile:
    """Pickles as a call."""

    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.call


class Named:
    """An ordinary class of the test module."""


def hostile_pickles(canary: Path) -> dict[str, bytes]:
    command = f"touch {canary}"
    text = command.encode()
    return {
        "reduce os.system": pickle.dumps(Hostile(os.system, (command,))),
        "reduce protocol 0": pickle.dumps(Hostile(os.system, (command,)), 0),
        "reduce eval": pickle.dumps(Hostile(eval, (f"open({str(canary)!r}, 'w')",))),
        "inside a list": pickle.dumps(([b"x", Hostile(os.system, (command,))], [True])),
        "inside an object array": pickle.dumps(
            np.array([Hostile(os.system, (command,)), None], dtype=object)
        ),
        "inst": b"(S'" + text + b"'\nios\nsystem\n.",
        "obj": b"(cos\nsystem\nS'" + text + b"'\no.",
        "global then reduce": b"cposix\nsystem\n(S'" + text + b"'\ntR.",
        "dotted name": b"\x80\x04\x8c\x05numpy\x8c\x0bf2py.os.sys\x93\x8c\x01x\x85R.",
        "dotted ndarray": b"\x80\x04\x8c\x05numpy\x8c\x0fndarray.__new__\x93)R.",
        "attribute of an allowed module": b"cnumpy\nload\n(S'" + str(canary).encode() + b"'\ntR.",
        "numpy.core.multiarray.fromfile": b"cnumpy.core.multiarray\nfromfile\n(S'/etc/passwd'\ntR.",
        "encode with another codec": b"c_codecs\nencode\n(Vabc\nVzlib\ntR.",
        "encode of bytes": b"c_codecs\nencode\n(S'abc'\nVlatin1\ntR.",
        "bytes of a size": b"c__builtin__\nbytes\n(I1000000000000\ntR.",
        "persistent id": b"P0\n.",
        "binary persistent id": b"K\x00Q.",
        "extension registry": b"\x80\x02\x82\xf0)R.",
        "newobj": pickle.dumps(Named(), 2),
        "newobj_ex": b"\x80\x04cnumpy\nndarray\n)}\x92.",
        "build on a name": b"cnumpy\nndarray\n}S'x'\nK\x01sb.",
        "build on a list": b"](K\x01tb.",
        "state of a name": b"cnumpy\ndtype\n(K\x03S'|'\nNNNK\x00K\x00K\x00tb.",
        "call of a result": b"cnumpy\ndtype\n(S'u1'\nK\x00K\x01tR(S'x'\ntR.",
        "memoized name called": b"cos\nsystem\np0\n0g0\n(S'" + text + b"'\ntR.",
        "deep dtype": b"cnumpy\ndtype\n" + b")" + 50_000 * b"\x85" + b"\x85R.",
        "line breaks in a name": b"\x80\x04\x8c\x03a\nb\x8c\x01c\x93)R.",
        "dict": pickle.dumps({"a": 1}),
        "set": pickle.dumps({1, 2}),
        "subclass of ndarray": (
            b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nmatrix\n(I0\ntS'b'\ntR."
        ),
        "record dtype": pickle.dumps(np.zeros(2, "u1,u1")),
        "objects in rows": pickle.dumps(np.zeros((2, 3), object)),
        "datetime dtype": pickle.dumps(np.zeros(2, "M8[s]")),
        "string dtype": pickle.dumps(np.array(["ab"])),
        "array larger than its data": array_pickle((10**12,), b"abc"),
        "array smaller than its data": array_pickle((2,), b"abc"),
        "array of negative shape": array_pickle((-3,), b"abc"),
        "array of many dimensions": array_pickle((1,) * 33, b"a"),
        "array of text": array_pickle((3,), "abc"),
        "object dtype by state": array_pickle((3,), b"abc").replace(b"\x8c\x02u1", b"\x8c\x02O8"),
    }  # fmt: skip


def array_pickle(shape: tuple[int, ...], data: object) -> bytes:
    """A protocol-4 pickle of a uint8 array with any shape and data."""

    class State:
        def __reduce_ex__(self, protocol: Any) -> Any:
            rebuild, arguments = np.zeros(1, np.uint8).__reduce__()[:2]
            return rebuild, arguments, (1, shape, np.dtype("u1"), False, data)

    return pickle.dumps(State(), 4)


def test_the_helper_makes_good_arrays_too() -> None:
    found = loads(array_pickle((3,), b"abc"))
    assert isinstance(found, PlainArray) and found.value is not None
    assert found.value.tolist() == [97, 98, 99]


HOSTILE_NAMES = sorted(hostile_pickles(Path("/x")))


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_pickles_run_nothing(tmp_path: Path, name: str) -> None:
    canary = tmp_path / "ran"
    with pytest.raises(PlainPickleError) as caught:
        loads(hostile_pickles(canary)[name])
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200
    assert not canary.exists()


def test_the_extension_registry_is_not_asked() -> None:
    copyreg.add_extension("os", "system", 0xF0)
    try:
        pickle.loads(b"\x80\x02\x82\xf0.")  # now it is in the unpickler's own cache
        with pytest.raises(PlainPickleError, match="not plain data"):
            loads(b"\x80\x02\x82\xf0(S'true'\ntR.")
    finally:
        copyreg.remove_extension("os", "system", 0xF0)


def test_lengths_and_memo_places_of_absurd_size_cost_nothing() -> None:
    for data in (
        b"\x8e" + struct.pack("<Q", 1 << 62) + b"abc.",
        b"B" + struct.pack("<I", 0xFFFFFFFF) + b"abc.",
        b"T" + struct.pack("<i", -5) + b"abc.",
        b"I" + b"9" * 100_000 + b"\n.",
        b"\x80\x09N.",
        b"\x8a\xff",
    ):
        with pytest.raises(PlainPickleError):
            loads(data)
    assert loads(b"]r" + struct.pack("<I", 0xFFFFFFFF) + b".") == []


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_noise_never_escapes_as_another_error(data: bytes) -> None:
    with contextlib.suppress(PlainPickleError):
        loads(data)


def test_every_truncation_and_many_mutations_end_in_one_kind_of_error() -> None:
    whole = pickle.dumps(([np.arange(20, dtype=np.uint8), b"abc"], [True, np.bool_(False)]), 4)
    for end in range(len(whole)):
        with pytest.raises(PlainPickleError):
            loads(whole[:end])
    rng = np.random.default_rng(0)
    for _ in range(3000):
        changed = bytearray(whole)
        changed[rng.integers(len(whole))] = rng.integers(256)
        with contextlib.suppress(PlainPickleError):
            loads(bytes(changed))
