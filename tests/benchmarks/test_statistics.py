"""Statistics beside the named alternatives; correctness is asserted. The large list is slow."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from facebench.statistics import tar_at_far, ten_fold_accuracy, verification_intervals


def lfw_like():
    """6,000 comparisons in 10 folds, 300 mated and 300 non-mated each, 400 people per fold."""
    rng = np.random.default_rng(0)
    folds = np.repeat(np.arange(10), 600)
    mated = np.tile(np.repeat([True, False], 300), 10)
    a = rng.integers(0, 400, 6000)
    b = np.where(mated, a, (a + rng.integers(1, 400, 6000)) % 400)
    scores = np.clip(np.where(mated, 0.6, 0.1) + rng.normal(0, 0.15, 6000), -1, 1)
    return scores, mated, folds, a + 400 * folds, b + 400 * folds


def loop_over_grid(scores, mated, folds):
    """What most scripts do: 400 thresholds on squared L2, each fold and each threshold in turn."""
    distances = 2 - 2 * scores
    out = []
    for j in range(10):
        train = folds != j
        shares = [((distances[train] < t) == mated[train]).mean() for t in np.arange(0, 4, 0.01)]
        t = np.arange(0, 4, 0.01)[int(np.argmax(shares))]
        out.append(((distances[~train] < t) == mated[~train]).mean())
    return float(np.mean(out))


def test_ten_folds_exact(beside):
    scores, mated, folds, *_ = lfw_like()
    result, others = beside(
        lambda: ten_fold_accuracy(scores, mated, folds),
        {"loop over 400 thresholds": lambda: loop_over_grid(scores, mated, folds)},
        rounds=5,
    )
    grid = others["loop over 400 thresholds"]
    beside.note(accuracy=round(result.accuracy, 4), on_the_grid=round(grid, 4))
    assert ten_fold_accuracy(scores, mated, folds, "facenet-grid").accuracy == pytest.approx(grid)


def test_intervals_of_a_thousand_draws(beside):
    scores, mated, folds, a, b = lfw_like()
    targets = (0.1, 0.01, 0.001)

    def intervals(draws=1000):
        rng = np.random.default_rng(1)
        return verification_intervals(scores, mated, a, b, folds, targets, draws, rng)

    def one_draw_by_repeating():
        rng = np.random.default_rng(1)
        w = np.bincount(rng.integers(0, 4000, 4000), minlength=4000)
        copies = np.where(mated, w[a], w[a] * w[b])
        s, m = np.repeat(scores, copies), np.repeat(mated, copies)
        far, tar, _ = roc_curve(m, s, drop_intermediate=False)
        return [tar[np.flatnonzero(far <= target)[-1]] for target in targets], np.trapezoid(
            tar, far
        )

    each = "a roc_curve for each draw"
    found, _ = beside(intervals, {each: one_draw_by_repeating}, repeated={each: 1000})
    assert set(found) == {"accuracy", "auc", "eer", *(f"tar@far={t}" for t in targets)}


@pytest.mark.slow
def test_tar_at_far_of_ijbc_size(beside):
    n, n_mated = 15_658_489, 19_557
    rng = np.random.default_rng(0)
    mated = np.zeros(n, dtype=bool)
    mated[rng.choice(n, n_mated, replace=False)] = True
    scores = rng.normal(0, 0.1, n).astype(np.float32)
    scores[mated] += np.float32(0.45)
    targets = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
    points, others = beside(
        lambda: tar_at_far(scores, mated, targets),
        {"roc_curve": lambda: roc_curve(mated, scores, drop_intermediate=False)},
    )
    far, tar, thresholds = others["roc_curve"]
    for point in points:
        i = np.flatnonzero(far <= point.target)[-1]
        assert (point.far, point.tar) == (far[i], tar[i])
        assert point.threshold == pytest.approx(thresholds[i], abs=0)
