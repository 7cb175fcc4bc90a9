"""Checks of the arrays that every statistic takes, with one clear sentence when they fail."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
AnyFloatArray = NDArray[np.floating[Any]]  # a statistic that keeps float32 says so


def checked_scores(scores: ArrayLike, where: str) -> AnyFloatArray:
    """Return scores as a 1-D float array (float32 stays float32), finite or -inf.

    ValueError names the first NaN or +inf; -inf is a comparison with a face that was not acquired.
    """
    array = np.asarray(scores)
    if array.ndim != 1:
        raise ValueError(f"{where}: scores must have one dimension, not shape {array.shape}")
    if array.size == 0:
        raise ValueError(f"{where}: scores is empty; pass at least one comparison of each kind")
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{where}: scores must be real numbers, not {array.dtype}")
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    highest = array.max()  # one pass: the maximum is NaN if any score is
    if np.isnan(highest):
        first = int(np.flatnonzero(np.isnan(array))[0])
        raise ValueError(
            f"{where}: scores has a NaN at index {first}; "
            "find where it came from, or give a comparison without a face the score -inf"
        )
    if highest == np.inf:
        first = int(np.argmax(array))
        raise ValueError(f"{where}: scores has +inf at index {first}; scores are finite or -inf")
    return array


def checked_flags(flags: ArrayLike, n: int, name: str, where: str) -> BoolArray:
    """Return flags as bool[n]; ValueError when the type or the length is another."""
    array = np.asarray(flags)
    if array.shape != (n,):
        raise ValueError(
            f"{where}: {name} has shape {array.shape} but there are {n} scores; "
            "pass one value per comparison"
        )
    if array.dtype != np.bool_:
        raise ValueError(f"{where}: {name} must be boolean, not {array.dtype}; pass {name} == 1")
    return array


def checked_comparisons(
    scores: ArrayLike, mated: ArrayLike, where: str
) -> tuple[AnyFloatArray, BoolArray]:
    """Return (scores float[n], mated bool[n]) with at least one comparison of each kind."""
    values = checked_scores(scores, where)
    flags = checked_flags(mated, values.size, "mated", where)
    n_mated = int(np.count_nonzero(flags))
    if n_mated in (0, flags.size):
        kind = "non-mated" if n_mated == 0 else "mated"
        raise ValueError(f"{where}: all {flags.size} comparisons are {kind}; both kinds are needed")
    return values, flags


def checked_folds(folds: ArrayLike, n: int, where: str) -> tuple[IntArray, IntArray]:
    """Return (labels int[k] ascending, fold int[n] as positions in labels), k >= 2."""
    array = np.asarray(folds)
    if array.shape != (n,):
        raise ValueError(
            f"{where}: folds has shape {array.shape} but there are {n} scores; "
            "pass the fold of every comparison, those that failed to acquire too"
        )
    if array.dtype.kind not in "iu":
        raise ValueError(f"{where}: folds must be whole numbers, not {array.dtype}")
    labels, fold = np.unique(array, return_inverse=True)
    if labels.size < 2:
        raise ValueError(
            f"{where}: there is one fold ({labels[0]}); "
            "at least two are needed, so that a threshold is never chosen where it is tested"
        )
    return labels.astype(np.int64), fold.astype(np.int64)


def checked_level(level: float, where: str) -> float:
    """Return the confidence level, strictly between 0 and 1."""
    if not isinstance(level, Real) or not 0.0 < level < 1.0:
        raise ValueError(f"{where}: level is {level}; give a share between 0 and 1, such as 0.95")
    return float(level)


def read_only(array: NDArray[Any]) -> Any:
    """Mark an array that a frozen result holds as not writable, and return it."""
    array.setflags(write=False)
    return array


def checked_alike(
    baseline: Sequence[object], candidate: Sequence[object], fields: Sequence[str], said: str
) -> None:
    """ValueError, as said, unless two models' parts (draws, splits; at least one) are as many and
    agree in the arrays of these fields, which may be None.
    """
    pairs = [
        (getattr(one, field), getattr(other, field))
        for one, other in zip(baseline, candidate, strict=False)
        for field in fields
    ]
    same = all(a is b if a is None or b is None else np.array_equal(a, b) for a, b in pairs)
    if not baseline or len(baseline) != len(candidate) or not same:
        raise ValueError(said)
