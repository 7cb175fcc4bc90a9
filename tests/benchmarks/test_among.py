"""All pairs of models at once beside pair by pair; both give the same numbers."""

from __future__ import annotations

from itertools import combinations

import pytest

from facebench.comparison.among import among
from facebench.comparison.paired import paired_statistics
from tests.helpers.records import drawn_record

MODELS = 12


@pytest.mark.slow
def test_every_two_of_several(beside):
    records = [drawn_record(f"m{n}", seed=n, strength=3 + n / 20, draws=0) for n in range(MODELS)]
    pairs = list(combinations(range(MODELS), 2))
    ours, others = beside(
        lambda: among(records).pairs,
        {"pair by pair": lambda: [paired_statistics(records[a], records[b]) for a, b in pairs]},
        rounds=2,
    )
    for pair, expected in zip(pairs, others["pair by pair"], strict=True):
        found = ours[pair]
        assert [p.p_value for p in found] == [p.p_value for p in expected]
        assert [p.interval for p in found] == [p.interval for p in expected]
