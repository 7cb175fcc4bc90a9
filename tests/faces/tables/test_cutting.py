"""Folds cut by people: nobody in two, and no more pairs dropped than said."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facebench.faces.tables.cutting import cut_by_people

PAIRS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=4, max_size=120)


@given(PAIRS, st.integers(2, 10), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_nobody_is_in_two_folds_and_only_pairs_across_are_dropped(
    pairs: list[tuple[int, int]], folds: int, seed: int
) -> None:
    left, right = [f"p{a}" for a, _ in pairs], [f"p{b}" for _, b in pairs]
    mated = [a == b for a, b in pairs]
    try:
        cut = cut_by_people(left, right, mated, folds, seed)
    except ValueError:
        return
    people = defaultdict(set)
    for one, two, fold in zip(left, right, cut.folds.tolist(), strict=True):
        if fold >= 0:
            people[one].add(fold)
            people[two].add(fold)
    assert all(len(found) == 1 for found in people.values())
    kept = {(fold, same) for fold, same in zip(cut.folds.tolist(), mated, strict=True) if fold >= 0}
    assert kept == {(fold, same) for fold in range(cut.parts) for same in (True, False)}
    dropped = [same for fold, same in zip(cut.folds.tolist(), mated, strict=True) if fold < 0]
    assert cut.dropped == len(dropped) and not any(dropped)
    again = cut_by_people(left, right, mated, folds, seed)
    assert again.folds.tolist() == cut.folds.tolist()


def couples(groups: int, size: int) -> tuple[list[str], list[str], list[bool]]:
    """Groups of people, each person mated once and compared with the others of the group."""
    left, right = [], []
    for group in range(groups):
        people = [f"{group}-{number}" for number in range(size)]
        left += people + people
        right += people + people[1:] + people[:1]
    return left, right, [a == b for a, b in zip(left, right, strict=True)]


def test_small_groups_stay_whole_and_nothing_is_dropped() -> None:
    cut = cut_by_people(*couples(40, 4))
    assert (cut.parts, cut.dropped) == (10, 0)
    assert np.bincount(cut.folds).tolist() == [32] * 10


def test_fewer_groups_make_fewer_folds() -> None:
    assert cut_by_people(*couples(3, 5)).parts == 3


def test_one_group_is_parted_in_two_with_few_pairs_across() -> None:
    people = [f"p{n:02d}" for n in range(40)]
    within = [(a, b) for h in (0, 20) for a in people[h : h + 20] for b in people[h : h + 20]]
    pairs = [(a, b) for a, b in within if a <= b] + [(people[0], people[20])]
    left, right = map(list, zip(*pairs, strict=True))
    cut = cut_by_people(left, right, [a == b for a, b in pairs])
    assert cut.parts == 2 and 1 <= cut.dropped < len(pairs) / 3
    # The seed draws who is where.
    ways = {tuple(cut_by_people(left, right, [a == b for a, b in pairs], seed=s).folds)
            for s in range(4)}  # fmt: skip
    assert len(ways) > 1


def test_two_people_cannot_be_parted() -> None:
    with pytest.raises(ValueError, match="mated and non-mated pairs in two folds"):
        cut_by_people(["a", "b", "a"], ["a", "b", "b"], [True, True, False])
