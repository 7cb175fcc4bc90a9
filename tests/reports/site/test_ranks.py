"""Places, their intervals and the front, against counting."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facebench.comparison.among import among
from facebench.comparison.compare import compare_records
from facebench.reports.site.ranks import on_front, ranks_of
from tests.helpers.records import drawn_record

Point = tuple[float | None, float]


def by_definition(points: list[Point]) -> list[bool]:
    def beaten(cost: float, value: float) -> bool:
        return any(
            other is not None
            and other <= cost
            and better >= value
            and (other < cost or better > value)
            for other, better in points
        )

    return [cost is not None and not beaten(cost, value) for cost, value in points]


COST = st.one_of(st.none(), st.sampled_from([0.0, 1.0, 2.0, 3.0, 5.0]))


@given(st.lists(st.tuples(COST, st.sampled_from([0.1, 0.2, 0.3, 0.4])), max_size=8))
def test_the_front_is_what_nothing_beats(points: list[Point]) -> None:
    assert on_front(points) == by_definition(points)


@pytest.mark.parametrize(
    ("points", "front"),
    [
        ([], []),
        ([(None, 0.9)], [False]),
        ([(1, 0.9), (2, 0.9)], [True, False]),
        ([(1, 0.9), (1, 0.9)], [True, True]),
        ([(1, 0.8), (2, 0.9), (3, 0.85), (None, 1.0)], [True, True, False, False]),
    ],
)
def test_fronts_by_hand(points: list[Point], front: list[bool]) -> None:
    assert on_front(points) == front


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20), st.floats(1.5, 5.0)), min_size=1, max_size=4))
def test_places_and_their_intervals_are_counted(drawn: list[tuple[int, float]]) -> None:
    records = [
        drawn_record(f"m{n}", seed=seed, strength=strength, per_kind=10, draws=0)
        for n, (seed, strength) in enumerate(drawn)
    ]
    ranks = ranks_of(among(records))
    values = [record.statistics.headline.value for record in records]
    for number, rank in enumerate(ranks):
        others = [record for at, record in enumerate(records) if at != number]
        compared = compare_records(records[number], others) if others else []
        verdicts = [one.statistics[0].verdict for one in compared]
        assert rank.place == 1 + sum(value > values[number] for value in values)
        assert rank.low == 1 + verdicts.count("better")
        assert rank.high == len(records) - verdicts.count("worse")
        assert 1 <= rank.low <= rank.place <= rank.high <= len(records)


def test_equal_values_share_a_place() -> None:
    one = drawn_record("a", per_kind=8)
    records = [one, drawn_record("b", per_kind=8), drawn_record("c", strength=1.0, per_kind=8)]
    assert [rank.place for rank in ranks_of(among(records))] == [1, 1, 3]


def test_one_alone_is_first() -> None:
    (rank,) = ranks_of(among([drawn_record("a", per_kind=8)]))
    assert (rank.place, rank.low, rank.high) == (1, 1, 1) and rank.told
