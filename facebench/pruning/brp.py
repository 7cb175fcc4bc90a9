"""Bayesian regularisation and pruning: weights that an L1 penalty shrinks are removed for good."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from facebench.pruning.ranking import largest, whole
from facebench.pruning.task import Mask, Task

BELOW = Fraction(1, 10)
PENALTY, GROWTH, ROUNDS = 1e-4, 1.3, 60


def brp(task: Task) -> Mask:
    """Connections left when learning under L1, and removing the smallest, has reached S.

    The network learns on between removals, so the retrained one starts from what it has become.
    The penalty grows by 30% from round to round: the paper's "repeated until S" says nothing of
    its strength, and with a constant one the removals may cease. After 60 rounds the largest
    weights left are taken. The last removal keeps exactly S·|W|, to the nearest whole number, a
    half up.

    Source: Williams 1995, Sections 4 and 5; Sun, Wang, Tang 2015, Section 5.4.
    """
    if task.learn is None:
        raise ValueError("brp learns while it prunes: it needs training data")
    learn, count = task.learn, whole(task.keep, task.weight.size)
    return until(
        count, task.allowed, lambda kept, number: learn(kept, strength(number), number), ROUNDS
    )


def strength(number: int) -> float:
    """Factor of the sum of absolute weights in the loss of a round."""
    return float(PENALTY * GROWTH**number)


def until(
    count: int,
    kept: Mask,
    learn: Callable[[Mask, int], NDArray[np.float32]],
    rounds: int,
) -> Mask:
    """Learn and remove, round by round, until ``count`` connections are left."""
    for number in range(rounds):
        weight = learn(kept, number)
        kept = remove(weight, kept, count)
        if kept.sum() <= count:
            return kept
    return largest(np.abs(weight), count, kept)


def remove(weight: NDArray[np.floating], kept: Mask, least: int) -> Mask:
    """Without the weights below 10% of the mean absolute value of those kept; ``least`` stay.

    Source: Sun, Wang, Tang 2015, Section 5.4.
    """
    size = np.abs(weight)
    left = kept & (size >= float(BELOW) * size[kept].mean())
    return left if left.sum() >= least else largest(size, least, kept)
