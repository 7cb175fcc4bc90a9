"""The order of moves, and how far each is made."""

from __future__ import annotations

import math

import pytest

from facebench.lab.compress.search import (
    CandidateSearch,
    Look,
    extended,
    key_of_sizes,
    size_of,
)

LEAST = 1e-4


def searched(most, look, candidates=100):
    search = CandidateSearch(most, look, LEAST, candidates)
    return search.run(), search


@pytest.mark.parametrize("last", range(17))
def test_one_move_is_bisected_to_its_last_size_that_passes(last: int) -> None:
    def look(sizes):
        size = size_of(sizes, "filters")
        return Look(0.9**size, 0.001 * size, size <= last)

    sizes, search = searched({"filters": 16}, look)
    assert size_of(sizes, "filters") == last
    assert len(search.looked) <= 4 + 2 * math.log2(16)


def test_what_gains_most_per_point_lost_goes_first() -> None:
    cost = {"dear": 0.01, "cheap": 0.001}

    def look(sizes):
        made = {name: size_of(sizes, name) for name in cost}
        lost = sum(cost[name] * size for name, size in made.items())
        return Look(0.9 ** sum(made.values()), lost, lost <= 0.0161)

    sizes, search = searched({"dear": 16, "cheap": 16}, look)
    assert sizes[0][0] == "cheap" and size_of(sizes, "cheap") == 16
    assert size_of(sizes, "dear") == 0
    assert list(search.looked)[:2] == [(("dear", 4),), (("cheap", 4),)]


def test_moves_take_turns_where_their_gain_per_point_falls() -> None:
    def look(sizes):
        made = [size_of(sizes, name) for name in ("a", "b")]
        lost = sum(0.0001 * size * size for size in made)
        return Look(0.9 ** sum(made), lost, lost <= 0.02)

    sizes, _ = searched({"a": 16, "b": 16}, look)
    assert abs(size_of(sizes, "a") - size_of(sizes, "b")) <= 1
    assert sum(size_of(sizes, name) ** 2 for name in "ab") <= 200
    assert len([name for name, _ in sizes]) > 2


def test_a_gain_without_a_loss_comes_before_any_loss() -> None:
    def look(sizes):
        lost = 0.001 * size_of(sizes, "connections")
        half = 0.5 if size_of(sizes, "int8") else 1.0
        return Look(half * 0.8 ** size_of(sizes, "connections"), lost, lost <= 0.0025)

    sizes, _ = searched({"connections": 16, "int8": 1}, look)
    assert sizes == (("int8", 1), ("connections", 2))


def test_what_saves_nothing_is_tried_once() -> None:
    asked = []

    def look(sizes):
        asked.append(sizes)
        return Look(1.0, -0.1, True)

    assert searched({"a": 16, "b": 1}, look)[0] == ()
    assert asked == [(), (("a", 4),), (("b", 1),)]


def test_nothing_passes() -> None:
    sizes, search = searched(
        {"a": 8}, lambda sizes: Look(0.5 ** size_of(sizes, "a"), 1.0, not sizes)
    )
    assert sizes == () and [size for ((_, size),) in search.looked] == [2, 1]


def test_no_more_candidates_are_looked_at_than_allowed() -> None:
    def look(sizes):
        return Look(0.9 ** size_of(sizes, "a"), 0.0, True)

    sizes, search = searched({"a": 16}, look, candidates=2)
    assert len(search.looked) == 2 and sizes == (("a", 8),)


def test_sizes_of_one_move_in_a_row_are_one() -> None:
    sizes = extended(extended(extended((), "a", 4), "a", 6), "b", 1)
    assert sizes == (("a", 6), ("b", 1)) and key_of_sizes(sizes) == "a-06_b-01"
    again = extended(sizes, "a", 8)
    assert size_of(again, "a") == 8 and key_of_sizes(again) == "a-06_b-01_a-08"
    assert key_of_sizes(()) == "start"
