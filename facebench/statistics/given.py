"""What people pass: lists, tensors and columns of tables become the arrays that statistics take."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facebench.base.errors import UserError
from facebench.statistics.checks import AnyFloatArray, BoolArray, checked_flags, checked_scores

# The person on either side of every comparison: two lists [n] of names or whole numbers.
SubjectPair = tuple[ArrayLike, ArrayLike] | Sequence[ArrayLike]
_WHERE = "given"
_MOST = int(np.iinfo(np.int64).max)
_FUNCTION = re.compile(r"\A[a-z_][a-z0-9_]*: ")  # statistics begin their errors with their name


def given_array(values: ArrayLike, name: str) -> NDArray[Any]:
    """An array of whatever type; ValueError names what cannot be read as one, e.g. a tensor that
    lies on a GPU.
    """
    try:
        return np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        why = str(error).splitlines()[0]
        raise ValueError(f"{name} cannot be read as an array: {why}") from error


def given_scores(values: ArrayLike) -> AnyFloatArray:
    """float32 or float64[n], finite, or -inf for a failure to acquire; ValueError: others."""
    array = given_array(values, "scores")
    if array.dtype == np.bool_:
        raise ValueError(
            "scores are true or false, which is no score; scores come first, then which "
            "comparisons are mated"
        )
    return checked_scores(array, _WHERE)


def given_mated(values: ArrayLike, n: int) -> BoolArray:
    """bool[n] of booleans, or of 1 and 0; ValueError: of anything else."""
    array = given_array(values, "mated")
    if array.shape == (n,) and array.dtype.kind in "iuf":
        other = np.flatnonzero((array != 0) & (array != 1))
        if other.size:
            raise ValueError(
                f"mated has {array[other[0]]} at index {other[0]}; give true for mated "
                "comparisons and false for the others, or 1 and 0"
            )
        array = array == 1
    return checked_flags(array, n, "mated", _WHERE)


def given_people(values: ArrayLike, n: int, name: str) -> NDArray[Any]:
    """Names or whole numbers [n]; ValueError: of another length, missing, or of another type."""
    array = given_array(values, name)
    if array.shape != (n,):
        raise ValueError(f"{name} has shape {array.shape}, but {n} people are needed")
    if array.dtype.kind == "O":
        odd = next((i for i, one in enumerate(array) if not isinstance(one, str)), None)
        if odd is None:
            array = array.astype(np.str_)
        else:
            raise ValueError(f"{name} has {array[odd]!r} at index {odd}, not a name")
    if array.dtype.kind not in "iuUS":
        raise ValueError(f"{name} must be names or whole numbers, not {array.dtype}")
    if array.dtype.kind == "u":  # beside signed numbers they would become floats, and two one
        if array.size and array.max() > _MOST:
            raise ValueError(f"{name} has numbers above {_MOST}; give them as text")
        return array.astype(np.int64)
    return array


def given_fars(fars: Sequence[float]) -> tuple[float, ...]:
    """FARs as numbers; ValueError: no list of numbers, or two of the same name ``TAR@FAR=…``."""
    array = given_array(fars, "fars")
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iuf"):
        raise ValueError(f"fars is {fars!r}; give a list of numbers, such as [0.1, 0.01]")
    named: dict[str, float] = {}
    for far in array.tolist():
        if named.setdefault(f"{far:g}", far) != far:
            raise ValueError(f"fars has {named[f'{far:g}']!r} and {far!r}, both called {far:g}")
    return tuple(array.tolist())


def given_subjects(
    subjects: SubjectPair | None, n: int
) -> tuple[NDArray[Any], NDArray[Any]] | tuple[None, None]:
    """The people on the left and on the right [n], or None for both; ValueError: no such pair."""
    if subjects is None:
        return None, None
    if not hasattr(subjects, "__len__") or len(subjects) != 2:
        parts = f"{len(subjects)} parts" if hasattr(subjects, "__len__") else "no parts"
        raise ValueError(
            f"subjects has {parts}; give a pair (left, right) of {n} people each, "
            "the person on either side of every comparison"
        )
    left, right = subjects
    return given_people(left, n, "subjects[0]"), given_people(right, n, "subjects[1]")


@contextmanager
def refused_in(where: str) -> Iterator[None]:
    """What statistics refuse, as one line for the user under the name of what was called."""
    try:
        yield
    except ValueError as error:
        line = _FUNCTION.sub("", str(error)).partition("\n")[0]
        raise UserError(f"{where}: {line}") from error
