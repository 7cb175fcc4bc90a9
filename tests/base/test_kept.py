"""What is kept while a page is made, and nowhere else."""

from __future__ import annotations

import pytest

from facebench.base.kept import files_as_they_are, kept


def counted():
    calls: list[tuple[object, ...]] = []

    @kept
    def asked(name: str, *, fails: bool = False) -> str:
        calls.append((name, fails))
        if fails:
            raise ValueError(name)
        return name.upper()

    return asked, calls


def test_outside_every_call_is_made() -> None:
    asked, calls = counted()
    assert [asked("a"), asked("a")] == ["A", "A"]
    assert len(calls) == 2


def test_within_the_same_arguments_are_answered_once_and_forgotten_after_it() -> None:
    asked, calls = counted()
    for _ in range(2):
        with files_as_they_are():
            assert [asked("a"), asked("b"), asked("a")] == ["A", "B", "A"]
            with files_as_they_are():  # of a function that is called within: it shares
                assert asked("a") == "A"
            assert asked("b") == "B"
    assert [name for name, _ in calls] == ["a", "b", "a", "b"]


def test_errors_are_not_kept() -> None:
    asked, calls = counted()
    with files_as_they_are():
        for _ in range(2):
            with pytest.raises(ValueError, match="a"):
                asked("a", fails=True)
        assert asked("a") == "A"
    assert len(calls) == 3


def test_two_functions_do_not_share_answers() -> None:
    first, second = counted()[0], kept(str.title)
    with files_as_they_are():
        assert (first("ab"), second("ab")) == ("AB", "Ab")
