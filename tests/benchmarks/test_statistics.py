"""Statistics: time beside the named alternative, printed as a ratio; correctness is asserted.

Run with `pytest tests/benchmarks/test_statistics.py -s`; the large list is marked slow.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from facebench.statistics import tar_at_far, ten_fold_accuracy, verification_intervals


def seconds(function: Callable[[], object], repeats: int) -> float:
    """Best of some runs, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


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


def test_ten_folds_exact(benchmark):
    scores, mated, folds, *_ = lfw_like()
    result = benchmark(ten_fold_accuracy, scores, mated, folds)
    ours = seconds(lambda: ten_fold_accuracy(scores, mated, folds), 20)
    theirs = seconds(lambda: loop_over_grid(scores, mated, folds), 3)
    grid = loop_over_grid(scores, mated, folds)
    print(
        f"\nten folds: exact {ours * 1e3:.2f} ms, loop over 400 thresholds {theirs * 1e3:.0f} ms, "
        f"ratio {theirs / ours:.0f}; accuracy {result.accuracy:.4f} and {grid:.4f}"
    )
    assert ten_fold_accuracy(scores, mated, folds, "facenet-grid").accuracy == pytest.approx(grid)


def test_intervals_of_a_thousand_draws(benchmark):
    scores, mated, folds, a, b = lfw_like()
    targets = (0.1, 0.01, 0.001)

    def intervals(draws=1000):
        rng = np.random.default_rng(1)
        return verification_intervals(scores, mated, a, b, folds, targets, draws, rng)

    found = benchmark.pedantic(intervals, rounds=3)

    def one_draw_by_repeating():
        rng = np.random.default_rng(1)
        w = np.bincount(rng.integers(0, 4000, 4000), minlength=4000)
        copies = np.where(mated, w[a], w[a] * w[b])
        s, m = np.repeat(scores, copies), np.repeat(mated, copies)
        far, tar, _ = roc_curve(m, s, drop_intermediate=False)
        return [tar[np.flatnonzero(far <= target)[-1]] for target in targets], np.trapezoid(
            tar, far
        )

    ours, theirs = seconds(intervals, 2), 1000 * seconds(one_draw_by_repeating, 20)
    print(
        f"\n1,000 draws: sorted once {ours:.2f} s, a roc_curve for each draw {theirs:.2f} s, "
        f"ratio {theirs / ours:.0f}"
    )
    assert set(found) == {"accuracy", "auc", "eer", *(f"tar@far={t}" for t in targets)}


@pytest.mark.slow
def test_tar_at_far_of_ijbc_size(benchmark):
    n, n_mated = 15_658_489, 19_557
    rng = np.random.default_rng(0)
    mated = np.zeros(n, dtype=bool)
    mated[rng.choice(n, n_mated, replace=False)] = True
    scores = rng.normal(0, 0.1, n).astype(np.float32)
    scores[mated] += np.float32(0.45)
    targets = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
    points = benchmark.pedantic(tar_at_far, (scores, mated, targets), rounds=3)
    ours = seconds(lambda: tar_at_far(scores, mated, targets), 3)
    start = time.perf_counter()
    far, tar, thresholds = roc_curve(mated, scores, drop_intermediate=False)
    theirs = time.perf_counter() - start
    print(
        f"\n15.7 M scores, TAR at six FARs: tail {ours:.2f} s, roc_curve {theirs:.2f} s, "
        f"ratio {theirs / ours:.0f}"
    )
    for point in points:
        i = np.flatnonzero(far <= point.target)[-1]
        assert (point.far, point.tar) == (far[i], tar[i])
        assert point.threshold == pytest.approx(thresholds[i], abs=0)
