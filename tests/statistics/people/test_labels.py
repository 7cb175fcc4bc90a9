"""Labels that are likely wrong, by brute force and by what is planted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facebench.statistics.people.labels import label_margins, renamed_margins, wrong_labels


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def faces(rng: np.random.Generator, counts: list[int], noise: float) -> tuple:
    people = np.repeat(np.arange(len(counts)), counts)
    centres = rng.normal(size=(len(counts), 24))
    return unit(centres[people] + noise * rng.normal(size=(len(people), 24))), people


def mean_to(vectors: np.ndarray, row: int, others: np.ndarray) -> float:
    return float(np.mean([float(vectors[row] @ vectors[other]) for other in others]))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 4), min_size=2, max_size=6))
def test_margins_equal_loops(seed: int, counts: list[int]) -> None:
    vectors, people = faces(np.random.default_rng(seed), counts, 1.0)
    found = label_margins(vectors, people)
    for row, person in enumerate(people):
        own = np.flatnonzero((people == person) & (np.arange(len(people)) != row))
        if len(own):
            assert found.own[row] == pytest.approx(mean_to(vectors, row, own), abs=1e-5)
        else:
            assert np.isnan(found.own[row])
        to = {
            other: mean_to(vectors, row, np.flatnonzero(people == other))
            for other in range(len(counts))
            if other != person
        }
        assert found.other[row] == pytest.approx(max(to.values()), abs=1e-5)
        assert to[int(found.nearest[row])] == pytest.approx(max(to.values()), abs=1e-5)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(2, 4), min_size=3, max_size=5))
def test_renamed_margins_are_those_of_the_list_with_another_name(
    seed: int, counts: list[int]
) -> None:
    rng = np.random.default_rng(seed)
    vectors, people = faces(rng, counts, 1.0)
    row = int(rng.integers(len(people)))
    name = (int(people[row]) + 1) % len(counts)
    moved = people.copy()
    moved[row] = name
    expected = label_margins(vectors, moved).margin[row]
    found = renamed_margins(vectors, people, np.array([row]), np.array([name]))
    assert found[0] == pytest.approx(expected, abs=1e-5)


def test_planted_labels_are_found_and_a_clean_list_has_none() -> None:
    rng = np.random.default_rng(3)
    vectors, people = faces(rng, [6] * 60, 0.8)
    clean = wrong_labels(vectors, people, np.random.default_rng(0))
    assert clean is not None and clean.judged == 360 and not clean.wrong.any()
    assert clean.found == pytest.approx(0.9, abs=0.02) and clean.limit < 0
    rows = rng.choice(360, 20, replace=False)
    planted = people.copy()
    planted[rows] = (people[rows] + 7) % 60
    found = wrong_labels(vectors, planted, np.random.default_rng(0))
    assert found is not None
    assert found.wrong[rows].sum() >= 15 and found.wrong.sum() == found.wrong[rows].sum()
    who = np.flatnonzero(found.wrong)
    assert (found.margins.nearest[who] == people[who]).all()


def test_a_model_that_tells_nothing_accuses_few() -> None:
    vectors, people = faces(np.random.default_rng(5), [4] * 50, 30.0)
    found = wrong_labels(vectors, people, np.random.default_rng(0))
    assert found is not None and found.limit <= 0
    # Right and wrong labels look alike then: the rule finds nine of ten of either, and says so.
    assert found.wrong.mean() > 0.5


@pytest.mark.parametrize("counts", [[40], [1] * 40, [2, 2, 2], [30, 30]])
def test_too_few_are_not_judged(counts: list[int]) -> None:
    vectors, people = faces(np.random.default_rng(0), counts, 1.0)
    assert wrong_labels(vectors, people, np.random.default_rng(0)) is None


def test_one_person_alone_is_a_value_error() -> None:
    vectors, people = faces(np.random.default_rng(0), [3], 1.0)
    with pytest.raises(ValueError, match="one person"):
        label_margins(vectors, people)
