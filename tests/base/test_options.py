"""Choices that are declared once."""

from __future__ import annotations

from dataclasses import dataclass
from inspect import signature
from typing import Annotated, Any

import pytest

from facebench.base.errors import UserError
from facebench.base.options import (
    HOW,
    Option,
    check_bounds,
    from_texts,
    options_of,
    told,
    with_fields,
    words_of,
)


def _pair(flag: str, text: str) -> tuple[str, str]:
    return flag, text


@told
@dataclass(frozen=True)
class Walk:
    """How one walks."""

    steps: Annotated[int, Option(HOW, "Of one leg.", least=1)] = 3
    rests: Annotated[int | None, Option(HOW, "Between them.", bounds=(0, 9))] = None
    way: Annotated[tuple[str, str] | None, Option(HOW, "There.", read=_pair)] = None
    dog: Annotated[bool, Option(HOW, "Leave it at home.", flags=("--no-dog",), off=True)] = True
    inner: int = 7

    def __post_init__(self) -> None:
        check_bounds(self)


def test_fields_that_are_options_are_found_in_their_order() -> None:
    assert [field.name for field in options_of(Walk)] == ["steps", "rests", "way", "dog"]
    assert [field.parameter for field in options_of(Walk)] == ["steps", "rests", "way", "no_dog"]
    assert [field.default for field in options_of(Walk)] == [3, None, None, True]
    assert words_of(Walk, "rests") == "Between them."


def test_texts_are_read_and_what_is_not_said_keeps_its_default() -> None:
    assert from_texts(Walk, {"way": "out", "rests": None}) == Walk(way=("--way", "out"))
    assert from_texts(Walk, {"dog": True}).dog is False


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"steps": 0}, "steps is 0; it must be at least 1"),
        ({"rests": -1}, "rests is -1; it must be at least 0"),
        ({"rests": 10}, "rests is 10; it must be at most 9"),
    ],
)
def test_numbers_out_of_bounds(wrong: dict[str, Any], line: str) -> None:
    with pytest.raises(UserError, match=line):
        Walk(**wrong)


def test_words_are_read_in_python_too() -> None:
    assert Walk.__doc__ == (
        "How one walks.\n\nParameters\n----------\n"
        "steps : int\n    Of one leg.\nrests : int or None\n    Between them.\n"
        "way : tuple[str, str] or None\n    There.\ndog : bool\n    Leave it at home."
    )


def test_a_function_of_keywords_shows_the_fields() -> None:
    @with_fields(Walk)
    def walk(place: str, *, inner: str = "own", **keywords: Any) -> Walk:
        return Walk(**keywords)

    shown = signature(walk).parameters
    assert list(shown) == ["place", "inner", "steps", "rests", "way", "dog"]
    assert shown["steps"].default == 3 and shown["inner"].default == "own"
    assert walk("here", steps=2) == Walk(steps=2)
