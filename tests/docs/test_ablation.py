"""The ablation's differences on held-out people."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from facebench.lab.data.people import balanced_error
from facebench.models.embedders.base import unit
from tests.docs.pages import CHECKOUT

sys.path.append(str(CHECKOUT / "docs" / "make"))
from ablation import Scores, difference


def embeddings(noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Six faces of each of eight people."""
    rng = np.random.default_rng(1)
    people = np.repeat(np.arange(8), 6)
    centres = rng.normal(size=(8, 16))[people]
    return (centres + rng.normal(0, noise, centres.shape)).astype(np.float32), people


def test_errors_are_those_of_all_pairs_and_count_drawn_people_as_often() -> None:
    faces, people = embeddings(1.0)
    one, two = np.triu_indices(len(people), 1)
    scores = (unit(faces) @ unit(faces).T)[one, two]
    same = people[one] == people[two]
    made = Scores(faces, people)
    exact = balanced_error(scores[same], scores[~same])
    everyone = np.ones((1, 8), np.float32)
    assert made.errors(everyone) == pytest.approx([exact], abs=0.02)
    assert made.mated.sum() == same.sum() and made.others.sum() == (~same).sum()
    drawn = np.array([2, 0, 1, 1, 3, 0, 1, 0], np.float32)
    kept = drawn[people[one]] * np.where(same, 1, drawn[people[two]])
    times = kept.astype(np.int64)
    again, alike = np.repeat(scores, times), np.repeat(same, times)
    expected = balanced_error(again[alike], again[~alike])
    assert made.errors(drawn[None]) == pytest.approx([expected], abs=0.02)


def test_a_difference_has_its_interval() -> None:
    better, worse = Scores(*embeddings(0.8)), Scores(*embeddings(1.6))
    value, low, high = difference(better, worse)
    assert low <= value <= high < 0
    assert difference(better, better) == [0.0] * 3
