"""The influence of every comparison on a statistic: float64[n] that sum to zero in each kind.

A statistic of scores differs from its true value by the sum of these, up to what is smaller in
large samples. A share: the comparison less the share, over their number. AUC: its placement among
the scores of the other kind (DeLong, DeLong, Clarke-Pearson 1988). TAR at a FAR: the mated
comparisons at the threshold, less the slope of the ROC times the FAR's own (the threshold is where
the FAR is the target, so its error is the FAR's over the density there). EER: the two error rates,
each in proportion to how steep the other one is at the threshold.

Slopes are of the secant over what the threshold may be by chance: `WIDTH` standard errors to either
side (Woodruff 1952, for the quantile that a threshold is).
"""

from __future__ import annotations

import numpy as np

from facebench.statistics.checks import AnyFloatArray, BoolArray, FloatArray, IntArray
from facebench.statistics.intervals.dyadic import Sharing
from facebench.statistics.roc import allowed_false_accepts

WIDTH = 1.5
# A threshold that no non-mated comparison passes is the highest of them. The end of a ROC is about
# straight over the logarithm of the share above; of that, the highest of many has the standard
# deviation pi / sqrt(6) (Gumbel 1958), and is 1 + 1/2 + ... + 1/k from the one after k others.
_OF_HIGHEST, _BELOW_HIGHEST = float(np.pi / np.sqrt(6)), 8


def of_share(right: BoolArray, mated: BoolArray, weights: FloatArray) -> FloatArray:
    """Of the weighted share of right bool[n]: each comparison less the mean of its kind.

    weights: float64[n], which sum to one; see `fold_weights`.
    """
    found = np.empty(right.size)
    for kind in (mated, ~mated):
        mean = np.average(right[kind], weights=weights[kind]) if kind.any() else 0.0
        found[kind] = weights[kind] * (right[kind] - mean)
    return found


def fold_weights(parts: IntArray) -> FloatArray:
    """float64[n]: what a comparison counts in a mean over parts of their own means, int[n]."""
    _, part, sizes = np.unique(parts, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / (sizes.size * sizes[part]))


def of_auc(scores: AnyFloatArray, mated: BoolArray) -> FloatArray:
    """Of `facebench.statistics.roc.auc`."""
    genuine, impostor = np.sort(scores[mated]), np.sort(scores[~mated])
    found = np.empty(scores.size)
    for kind, others, sign in ((mated, impostor, 1), (~mated, genuine, -1)):
        own = scores[kind]
        below = np.searchsorted(others, own, side="left") + np.searchsorted(
            others, own, side="right"
        )
        place = below / (2 * others.size)
        found[kind] = sign * (place - place.mean()) / own.size
    return found


def accepted_above(scores: AnyFloatArray, mated: BoolArray, allowed: int) -> BoolArray:
    """bool[n]: what is above the (allowed + 1)-th highest non-mated score; see `tar_at_far`."""
    impostor = scores[~mated]
    if allowed >= impostor.size:
        return np.asarray(scores > -np.inf)
    barrier = np.partition(impostor, impostor.size - 1 - allowed)[impostor.size - 1 - allowed]
    return np.asarray(scores > barrier)


def of_tar(
    scores: AnyFloatArray, mated: BoolArray, target: float, sharing: Sharing
) -> tuple[FloatArray, BoolArray]:
    """Of TAR at a FAR, and bool[n], what is accepted there."""
    n_nonmated = int(np.count_nonzero(~mated))
    allowed = allowed_false_accepts(target, n_nonmated)
    accepted = accepted_above(scores, mated, allowed)
    of_rate = _of_kind(accepted, mated)
    if not (accepted & ~mated).any():
        highest = scores >= scores[~mated].max()
        return of_rate - _slope_at_highest(scores, mated) * _of_kind(highest, ~mated), accepted
    of_far = _of_kind(accepted, ~mated)
    # Never less than one accept: of few the data hardly say how many it might have been.
    error = max(np.sqrt(sharing.variance(of_far)) * n_nonmated, np.sqrt(max(allowed, 1)))
    low = max(0, int(np.floor(allowed - WIDTH * error)))
    high = min(n_nonmated, int(np.ceil(allowed + WIDTH * error)))
    tars = [_tar(scores, mated, count) for count in (low, high)]
    slope = (tars[1] - tars[0]) / ((high - low) / n_nonmated)
    return of_rate - slope * of_far, accepted


def _slope_at_highest(scores: AnyFloatArray, mated: BoolArray) -> float:
    """By which the standard error of a FAR of one accept becomes that of a TAR without any."""
    n_nonmated = int(np.count_nonzero(~mated))
    below = min(_BELOW_HIGHEST, n_nonmated)
    tars = [_tar(scores, mated, count) for count in (0, below)]
    return _OF_HIGHEST * (tars[1] - tars[0]) / sum(1 / k for k in range(1, below + 1)) * n_nonmated


def of_eer(scores: AnyFloatArray, mated: BoolArray, eer: float, sharing: Sharing) -> FloatArray:
    """Of `facebench.statistics.roc.eer`, whose value is given."""
    genuine, impostor = np.sort(scores[mated]), np.sort(scores[~mated])
    at = impostor[min(impostor.size - 1, int((1 - eer) * impostor.size))]
    accepted = scores > at
    of_far, of_frr = _of_kind(accepted, ~mated), -_of_kind(accepted, mated)
    error = float(np.sqrt(sharing.variance(of_far - of_frr)))
    low, high = (
        impostor[int(np.clip(np.floor((1 - share) * impostor.size), 0, impostor.size - 1))]
        for share in (eer + WIDTH * error, eer - WIDTH * error)
    )
    far = (np.searchsorted(impostor, [low, high], side="right")) / impostor.size
    frr = (np.searchsorted(genuine, [low, high], side="right")) / genuine.size
    steps = abs(far[1] - far[0]), abs(frr[1] - frr[0])
    of_mated = steps[0] / (steps[0] + steps[1]) if sum(steps) else 0.5
    return np.asarray((1 - of_mated) * of_far + of_mated * of_frr)


def _of_kind(accepted: BoolArray, kind: BoolArray) -> FloatArray:
    """Of the share of a kind that is accepted."""
    share = np.count_nonzero(accepted & kind) / np.count_nonzero(kind)
    return np.where(kind, accepted - share, 0.0) / np.count_nonzero(kind)


def _tar(scores: AnyFloatArray, mated: BoolArray, allowed: int) -> float:
    accepted = accepted_above(scores, mated, allowed)
    return float(np.count_nonzero(accepted & mated) / np.count_nonzero(mated))
