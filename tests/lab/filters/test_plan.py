"""Steps, points and names."""

from __future__ import annotations

from fractions import Fraction

import pytest

from facebench.base.errors import UserError
from facebench.lab.filters.plan import FilterPlan, parse_points, parse_share


def test_sixty_steps_of_a_hundredth() -> None:
    plan = FilterPlan("a", "a_taylor")
    assert plan.steps == 60 and plan.share_at(60) == Fraction(3, 5)
    marks = plan.marks
    assert list(marks) == list(range(1, 61))
    assert (marks[1], marks[5], marks[60]) == ("a_taylor_01", "a_taylor_05", "a_taylor_60")


def test_points_are_the_steps_that_reach_them_and_the_end() -> None:
    plan = FilterPlan("a", "m", step=Fraction(2, 100), points=parse_points(["6%,10%", "0.3"]))
    assert plan.marks == {3: "m_06", 5: "m_10", 15: "m_30", 30: "m_60"}
    ends = FilterPlan("a", "m", step=Fraction(1, 4), points=parse_points(["25%,60%"]))
    assert ends.marks == {1: "m_25", 3: "m_60"}  # the last step is smaller


def test_a_last_step_is_smaller() -> None:
    plan = FilterPlan("a", "m", step=Fraction(1, 4), until=Fraction(60, 100))
    assert plan.steps == 3
    assert list(plan.marks.values()) == ["m_25", "m_50", "m_60"]
    assert FilterPlan("a", "m", step=Fraction(1, 40), until=Fraction(1, 20)).marks == {
        1: "m_02.5",
        2: "m_05",
    }


@pytest.mark.parametrize(
    ("text", "share"), [("1%", "1/100"), ("0.05", "1/20"), ("1/20", "1/20"), (" 2.5% ", "1/40")]
)
def test_shares_are_exact(text, share) -> None:
    assert parse_share(text, "--step") == Fraction(share)


@pytest.mark.parametrize("text", ["", "x", "1/0", "5 %%", "1e999%", "1e-99999999"])
def test_what_is_no_share(text) -> None:
    with pytest.raises(UserError, match="--until"):
        parse_share(text, "--until")


@pytest.mark.parametrize(
    "wrong",
    [
        {"step": Fraction(0)},
        {"until": Fraction(1)},
        {"step": Fraction(1, 2), "until": Fraction(1, 4)},
        {"points": (Fraction(7, 10),)},
        {"fine_tune": -1},
        {"importance_batches": 0},
        {"criterion": "correlation"},
        {"step": Fraction(1, 10**9)},  # six hundred million steps
    ],
)
def test_what_cannot_be_asked_for(wrong) -> None:
    with pytest.raises(UserError):
        FilterPlan("a", "m", **wrong)


@pytest.mark.parametrize("name", ["../evil", "a b", "/tmp/evil", ".hidden", "", "x" * 65])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(UserError, match=f"^--name {name}: a name of letters, digits"):
        FilterPlan("a", name)


def test_a_name_leaves_room_for_the_shares_of_its_points() -> None:
    assert FilterPlan("a", "x" * 61).marks[60] == f"{'x' * 61}_60"
    with pytest.raises(UserError, match=r"x_01: a name .* at most 64"):
        FilterPlan("a", "x" * 62)
