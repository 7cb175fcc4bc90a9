"""Rounds are interleaved, ratios are taken within a round, and times fit into a budget."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facebench.costs.measure import (
    LEAST,
    MOST,
    measure_rounds,
    passes_within,
    ratio_of,
    spread_of,
    throughput_of,
)


class Clock:
    """A model whose passes take what it is told, and a log of who was asked."""

    def __init__(self, name: str, log: list[str], seconds: dict[int, float]) -> None:
        self.name, self.log, self.each = name, log, seconds
        self.passes: list[tuple[int, int]] = []

    def seconds(self, batch: int, passes: int) -> list[float]:
        self.log.append(f"{self.name}{batch}")
        self.passes.append((batch, passes))
        # One pass in a while is disturbed; the median does not mind.
        return [100.0] + [self.each[batch] * len(self.log)] * max(2, passes - 1)


def test_models_take_turns_in_every_round() -> None:
    log: list[str] = []
    models = [Clock("A", log, {1: 1.0, 4: 3.0}), Clock("B", log, {1: 2.0, 4: 5.0})]
    steps: list[int] = []
    rounds = measure_rounds(
        models,
        [model.each for model in models],
        batch=4,
        rounds=2,
        seconds=100.0,
        advance=lambda: steps.append(1),
    )
    assert log == ["A1", "A4", "B1", "B4"] * 2
    assert len(steps) == 4
    # Round by round the median of the passes: the n-th question is answered n times as slowly.
    assert rounds[0].latency == (1.0 * 1, 1.0 * 5)
    assert rounds[0].batch == (3.0 * 2, 3.0 * 6)
    assert rounds[1].latency == (2.0 * 3, 2.0 * 7)
    assert rounds[1].batch == (5.0 * 4, 5.0 * 8)
    # 50 seconds a round: 20 for single faces, 30 for batches.
    assert models[0].passes == [(1, 20), (4, 10)] * 2
    assert models[1].passes == [(1, 10), (4, 6)] * 2


def test_a_batch_of_one_is_measured_once() -> None:
    log: list[str] = []
    model = Clock("A", log, {1: 1.0})
    (rounds,) = measure_rounds([model], [model.each], batch=1, rounds=2, seconds=1.0)
    assert log == ["A1", "A1"] and rounds.latency == rounds.batch
    assert throughput_of(rounds, 1).rounds == (1.0, 0.5)


@given(st.floats(0, 1e4), st.floats(0, 1e3), st.integers(1, 5))
def test_passes_fit_the_time_within_limits(seconds: float, each: float, least: int) -> None:
    passes = passes_within(seconds, each, least)
    assert least <= passes <= MOST
    if least < passes:
        assert passes * each <= seconds * (1 + 1e-9)
    if passes < MOST and each > 1e-9:
        assert (passes + 1) * each > seconds * (1 - 1e-9)


def test_too_little_time_still_gives_every_round() -> None:
    log: list[str] = []
    model = Clock("A", log, {1: 10.0, 2: 10.0})
    measure_rounds([model], [model.each], batch=2, rounds=3, seconds=0.0)
    assert model.passes == [(1, LEAST), (2, 1)] * 3


def test_ratios_are_taken_round_by_round() -> None:
    # The machine was three times as slow in the second round; the ratio does not see it.
    ours, base = spread_of([2.0, 6.0, 2.2]), spread_of([1.0, 3.0, 1.0])
    ratio = ratio_of(ours, base)
    assert ratio.rounds == pytest.approx((2.0, 2.0, 2.2))
    assert (ratio.median, ratio.low, ratio.high) == pytest.approx((2.0, 2.0, 2.2))
    assert ratio_of(base, base).rounds == (1.0, 1.0, 1.0)
