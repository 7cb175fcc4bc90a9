"""Scores in, statistics out: two systems without faces or networks.

Run: python examples/own_scores.py
"""

from __future__ import annotations

import numpy as np

import facebench


def drawn_scores(
    people: int, pairs: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Stands in for your own: scores float[n], mated bool[n], and the two people of every pair."""
    rng = np.random.default_rng(seed)
    left = rng.integers(people, size=2 * pairs)
    right = (left + rng.integers(1, people, size=2 * pairs)) % people
    mated = np.arange(2 * pairs) < pairs
    right[mated] = left[mated]
    hard = rng.normal(0, 0.05, people)  # some people are harder than others
    scores = np.where(mated, 0.6, 0.2) + hard[left] + hard[right]
    return scores + rng.normal(0, 0.12, 2 * pairs), mated, (left, right)


def main() -> None:
    """Print the statistics of one system, and the difference of another."""
    scores, mated, people = drawn_scores(people=300, pairs=3_000)
    folds = people[0] % 10  # of your own list, the folds that it has

    found = facebench.verification(scores, mated, folds, people)
    print(found.to_frame().to_string(index=False))

    smaller = scores + np.random.default_rng(1).normal(0, 0.05, scores.size)
    (compared,) = facebench.compare_scores(scores, {"smaller": smaller}, mated, folds, people)
    accuracy = compared.statistics[0]
    print(f"smaller: {100 * accuracy.difference:+.2f} points of accuracy, {accuracy.verdict}")


if __name__ == "__main__":
    main()
