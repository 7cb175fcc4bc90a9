"""Names of degradations: one for each, and what is said of others."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facebench.base.errors import UserError
from facebench.faces.degrade.names import Degradation, parse_degradation, parse_several

GOOD = ("56px", "7px", "jpeg1", "jpeg100", "blur2", "blur1.5", "dark0.25", "blur0.5", "28px+jpeg20")


@pytest.mark.parametrize("name", [*GOOD, *(f"{name}.probe" for name in GOOD)])
def test_a_name_says_what_is_done_and_is_the_only_one(name: str) -> None:
    found = parse_degradation(name)
    assert str(found) == name
    assert found.probe_only == name.endswith(".probe")
    assert [str(step) for step in found.steps] == name.removesuffix(".probe").split("+")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("14", "'14px'"), ("14p", "'14px'"), ("px14", "'14px'"), ("014px", "'14px'"),
        ("14PX", "'14px'"), ("jpg20", "'jpeg20'"), ("jpeg", "'jpeg20'"), ("jpeg020", "'jpeg20'"),
        ("blr2", "'blur2'"), ("blur", "'blur2'"), ("blur2.0", "'blur2'"), ("q20", "'jpeg20'"),
        ("dark", "'dark0.25'"), ("sigma3", "'blur3'"), ("28px+jpg20", "'jpeg20'"),
    ],
)  # fmt: skip
def test_the_name_that_was_meant_is_said(name: str, meant: str) -> None:
    with pytest.raises(UserError, match=re.escape(f"did you mean {meant}?")) as raised:
        parse_degradation(name, "protocol lfw+x")
    assert str(raised.value).startswith("protocol lfw+x: ")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("jpeg101", "from 1 to 100"),
        ("jpeg0", "from 1 to 100"),
        ("jpeg20.5", "whole number, e.g. jpeg20"),
        ("14.5px", "whole number, e.g. 14px"),
        ("0px", "at least one row"),
        ("blur0", "above 0"),
        ("blur101", "at most 100"),
        ("dark1", "below 1"),
        ("dark25", "e.g. dark0.25"),
        ("", "14px, jpeg20, blur2, dark0.25"),
        ("14px+", "14px, jpeg20"),
        ("noise3", "14px, jpeg20"),
        ("14px jpeg20", "14px, jpeg20"),
        ("14px.prob", "'.prob' is no side"),
        ("14px.probe.probe", "14px, jpeg20"),
        ("14px.probe+jpeg20", "14px, jpeg20"),
    ],
)
def test_a_wrong_name_gets_one_line(name: str, told: str) -> None:
    with pytest.raises(UserError) as raised:
        parse_degradation(name)
    assert told in str(raised.value) and "\n" not in str(raised.value)


@given(st.text("0123456789.+pxjegblurdakob", max_size=20))
def test_whatever_is_parsed_is_written_as_it_was(text: str) -> None:
    try:
        found = parse_degradation(text)
    except UserError:
        return
    assert str(found) == text
    assert parse_degradation(str(found)) == found


def test_more_rows_than_a_crop_has_are_refused_and_as_many_are_not() -> None:
    found = parse_degradation("28px+jpeg20+56px")
    found.require_fits(56, "protocol lfw+x", "small")
    with pytest.raises(UserError, match="56px is more than the 40 rows of the crops of small; "):
        found.require_fits(40, "protocol lfw+x", "small")
    assert (found.rows, parse_degradation("jpeg20").rows) == (28, None)


def test_several_are_taken_once_in_their_order() -> None:
    found = parse_several("56px, 14px,56px,jpeg20.probe")
    assert list(map(str, found)) == ["56px", "14px", "jpeg20.probe"]
    assert all(isinstance(one, Degradation) for one in found)
    with pytest.raises(UserError, match=r"degrade.*: '14' is no degradation"):
        parse_several("56px,14")


def test_words_say_it_in_full() -> None:
    assert parse_degradation("14px+jpeg20").words == "at 14 rows of pixels, JPEG of quality 20"
    assert parse_degradation("dark0.25.probe").words == "0.25 of the light (probes only)"
