"""Numbers that say how far apart groups' rates are: one of all groups, each an extreme or a spread.

All are biased upwards where groups are small: rates of equal groups differ by chance. So each needs
what no difference would give (`facebench.statistics.groups.null`).

Sources: Pereira and Marcel 2021 (FDR, alpha 0.5); Howard et al. 2022 (GARBE: Gini coefficients with
the correction n / (n - 1) for few groups, alpha 0.5); Grother 2022, NIST IR 8429 (the worst over
the geometric mean); the worst less and over the best. Where a ratio or a geometric mean needs a
rate that is zero, half an error takes its place: 0.5 over the group's comparisons.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from facebench.statistics.checks import FloatArray

ALPHA = 0.5
FLOOR = 0.5  # errors in place of none, where a ratio is taken
WORST = ("worst_group_fmr", "worst_group_fnmr")
LARGER_IS_BETTER = ("fdr",)
RATIOS = ("fmr_ratio", "fmr_over_mean", "fnmr_ratio", "fnmr_over_mean")
_Rates = FloatArray


def gini(rates: ArrayLike) -> FloatArray:
    """Gini coefficients of float[..., groups], corrected for their number; 0 where all are zero."""
    x = np.asarray(rates, dtype=np.float64)
    n = x.shape[-1]
    apart = np.abs(x[..., :, None] - x[..., None, :]).sum(axis=(-1, -2))
    mean = x.mean(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = n / (n - 1) * apart / (2 * n * n * mean)
    return np.where(mean > 0, found, 0.0)


def fdr(fmr: ArrayLike, fnmr: ArrayLike, alpha: float = ALPHA) -> FloatArray:
    """Fairness discrepancy rate of float[..., groups]; 1: the groups' rates are equal."""
    return np.asarray(1 - (alpha * difference(fmr) + (1 - alpha) * difference(fnmr)))


def garbe(fmr: ArrayLike, fnmr: ArrayLike, alpha: float = ALPHA) -> FloatArray:
    """Gini aggregation rate of float[..., groups]; 0: the groups' rates are equal."""
    return np.asarray(alpha * gini(fmr) + (1 - alpha) * gini(fnmr))


def difference(rates: ArrayLike) -> FloatArray:
    """The worst less the best, of float[..., groups]."""
    x = np.asarray(rates, dtype=np.float64)
    return np.asarray(x.max(axis=-1) - x.min(axis=-1))


def ratio(rates: ArrayLike, floor: ArrayLike) -> FloatArray:
    """The worst over the best, of float[..., groups]; floor: float[groups], in place of zeros."""
    x = np.maximum(rates, floor)
    return np.asarray(x.max(axis=-1) / x.min(axis=-1))


def over_mean(rates: ArrayLike, floor: ArrayLike) -> FloatArray:
    """The worst over the geometric mean, of float[..., groups]; floor: as of `ratio`."""
    x = np.maximum(rates, floor)
    return np.asarray(x.max(axis=-1) / np.exp(np.log(x).mean(axis=-1)))


def _worst(rates: _Rates, _: _Rates) -> FloatArray:
    return np.asarray(rates.max(axis=-1))


_OF_ONE: MappingProxyType[str, Callable[[_Rates, _Rates], FloatArray]] = MappingProxyType(
    {
        "worst_group_{}": _worst,
        "{}_difference": lambda rates, _: difference(rates),
        "{}_ratio": ratio,
        "{}_over_mean": over_mean,
    }
)
_OF_BOTH = MappingProxyType({"fdr": fdr, "garbe": garbe})
SUMMARIES = (*_OF_BOTH, *(name.format(kind) for kind in ("fmr", "fnmr") for name in _OF_ONE))


def summaries(
    fmr: FloatArray, fnmr: FloatArray, fmr_floor: FloatArray, fnmr_floor: FloatArray
) -> dict[str, FloatArray]:
    """Every summary of rates float[..., groups] of each kind, by name; floors: float[groups].

    Those of a kind with fewer than two groups are left out, and so are those of both kinds then.
    """
    found: dict[str, FloatArray] = {}
    if min(fmr.shape[-1], fnmr.shape[-1]) > 1:
        found |= {name: function(fmr, fnmr) for name, function in _OF_BOTH.items()}
    for kind, rates, floor in (("fmr", fmr, fmr_floor), ("fnmr", fnmr, fnmr_floor)):
        if rates.shape[-1] > 1:
            found |= {name.format(kind): own(rates, floor) for name, own in _OF_ONE.items()}
    return found
