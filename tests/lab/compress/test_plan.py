"""What may be asked for, and the level of choosing."""

from __future__ import annotations

import pytest
from scipy.stats import norm

from facebench.base.errors import UserError
from facebench.lab.compress.plan import CompressPlan, parse_moves

RULE = "lfw.accuracy drop <= 0.5pt at 95%"


def plan(**more) -> CompressPlan:
    return CompressPlan(**{"start": "net", "until": RULE, "model": "small", **more})


def test_choosing_asks_for_more_so_that_the_verdict_passes_four_times_of_five() -> None:
    level = plan().choosing.level
    assert level == pytest.approx(2 * norm.cdf(norm.ppf(0.975) + norm.ppf(0.8)) - 1)
    # A drop that just passes there: true, it passes at 95% with a chance of 80%.
    room = norm.ppf((1 + level) / 2)
    assert norm.cdf(room - norm.ppf(0.975)) == pytest.approx(0.8)
    assert plan().choosing.bound == plan().rule.bound == 0.005


@pytest.mark.parametrize("rule", ["lfw.accuracy drop <= 1pt", "lfw.accuracy >= 0.9 at 95%"])
def test_other_rules_choose_as_they_decide(rule: str) -> None:
    own = plan(until=rule)
    assert own.choosing == own.rule


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"until": "bytes <= 0.5 of baseline"}, "--until .*is of the model's size"),
        ({"until": "lfw.accurcy drop <= 1pt"}, "--until: rule"),
        ({"objective": "byte"}, "--objective byte: bytes, multiply-adds, latency.*bytes"),
        ({"moves": ("filter",)}, "--moves filter: .*did you mean 'filters'"),
        ({"moves": ()}, "--moves: each at most once, one at least"),
        ({"moves": ("int8", "int8")}, "--moves: each at most once"),
        ({"criterion": "brp"}, "--criterion brp: connections are chosen by correlation"),
        ({"fine_tune": -1}, "--steps cannot be negative"),
        ({"candidates": 0}, "--candidates is at least 1"),
        ({"model": "a/b"}, "--name a/b"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(more, said: str) -> None:
    with pytest.raises(UserError, match=said):
        plan(**more)


def test_moves_are_separated_by_commas() -> None:
    assert parse_moves(("filters, connections", "int8")) == ("filters", "connections", "int8")
