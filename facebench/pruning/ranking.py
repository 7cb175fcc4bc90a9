"""Keeping the largest of a layer, with a count that is exact."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray


def whole(share: Fraction, count: int) -> int:
    """share · count as a whole number: the nearest one, a half goes up; at least 1."""
    return max(1, int(share * count + Fraction(1, 2)))


def largest(
    values: NDArray[np.floating], count: int, allowed: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Mask of the ``count`` largest values among those allowed; of equal ones the first."""
    flat, places = values.ravel(), np.flatnonzero(allowed)
    order = places[np.argsort(-flat[places], kind="stable")]
    kept = np.zeros(values.size, bool)
    kept[order[:count]] = True
    return kept.reshape(values.shape)
