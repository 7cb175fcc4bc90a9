"""The largest weights, positive and negative ones apart."""

from __future__ import annotations

from facebench.pruning.ranking import largest, whole
from facebench.pruning.task import Mask, Task


def magnitude(task: Task) -> Mask:
    """S·|W⁺| positive and S·|W⁻| negative weights with the largest absolute values.

    Over the layer, not per neuron. Rounding: the layer keeps S·|W| and the positive ones S·|W⁺|,
    both to the nearest whole number, a half up; the negative ones are the rest. Zeros count as
    positive; of equal weights the first stay.

    Source: Sun, Wang, Tang 2015, Section 5.4; Collins, Kohli 2014.
    """
    weight, allowed = task.weight, task.allowed
    positive = allowed & (weight >= 0)
    negative = allowed & (weight < 0)
    total = whole(task.keep, weight.size)
    # Where a layer is made sparser once more, the share of what it still has.
    share = task.keep * weight.size / int(allowed.sum())
    above = min(int(positive.sum()), total, int(share * int(positive.sum()) + 0.5))
    above = max(above, total - int(negative.sum()))
    return largest(weight, above, positive) | largest(-weight, total - above, negative)
