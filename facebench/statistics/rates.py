"""Two models' rates on the same mated comparisons or searches, in parts (draws or splits)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from facebench.statistics.checks import checked_level
from facebench.statistics.paired import Difference, difference_of_draws

_BLOCK = 100  # draws at a time


def paired_rate_difference(
    baseline: ArrayLike,
    candidate: ArrayLike,
    parts: ArrayLike,
    subjects: ArrayLike,
    *,
    draws: int = 1000,
    rng: np.random.Generator,
    level: float = 0.95,
) -> Difference:
    """Difference, candidate minus baseline, of a rate that is a mean over parts.

    baseline, candidate: bool[n], whether each model was right on mated comparison i; parts: int[n],
    its draw or split; subjects: [n], its person. Within a part the rate is the share that was
    right. People are drawn with replacement, the same for both models and all parts. Thresholds are
    held fixed, which leaves their own uncertainty out: for TAR at a low FAR intervals are several
    times too narrow then, so `paired_tar_differences` is right for it and this only where non-mated
    comparisons are not known. A part that a draw leaves empty takes no part in that draw's mean.
    ValueError: empty or of different lengths, draws below 1, level outside (0, 1).
    Source: Bolle, Ratha, Pankanti 2004; pairing as in Koehn 2004.
    """
    where = "paired_rate_difference"
    checked_level(level, where)
    one, other = np.asarray(baseline, np.int64), np.asarray(candidate, np.int64)
    _, part = np.unique(np.asarray(parts), return_inverse=True)
    people, person = np.unique(np.asarray(subjects), return_inverse=True)
    if not one.size or not one.size == other.size == part.size == person.size:
        raise ValueError(f"{where}: needs arrays of one length, at least 1")
    if draws < 1:
        raise ValueError(f"{where}: draws is {draws}; at least 1 is needed")
    shape = (int(part.max()) + 1, people.size)
    cell = part * people.size + person
    counts = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape)
    gains = np.bincount(cell, other - one, minlength=shape[0] * shape[1]).reshape(shape)
    values = []
    for start in range(0, draws, _BLOCK):
        size = min(_BLOCK, draws - start)
        weights = rng.multinomial(people.size, np.full(people.size, 1 / people.size), size=size)
        seen, gained = weights @ counts.T, weights @ gains.T
        rates = np.divide(gained, seen, out=np.full(seen.shape, np.nan), where=seen > 0)
        values.append(np.nanmean(rates, axis=1))
    drawn = np.concatenate(values)
    estimate = float(np.mean(gains.sum(axis=1) / counts.sum(axis=1)))
    return difference_of_draws(estimate, drawn, level, "subjects", people.size)
