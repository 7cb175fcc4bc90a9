"""Text from files acts on nothing that it is shown on."""

from __future__ import annotations

import pytest

from facebench.base.text import plain_signs, printable


@pytest.mark.parametrize(
    "text",
    ["Ann_0001.jpg", "José Ñuñez", "王小明", "سارة", "a\u200cb", "é", "c10::Error", "16:30", "#5"],
)
def test_plain_text_of_any_language_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b31mred", "\\x9b31mred"),
        ("two\r\nlines\tand a tab", "two lines and a tab"),
        ("old\x08new", "old\\x08new"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("a\u200bb\u2066c", "a\\u200bb\\u2066c"),
        ("caf\udce9.jpg", "caf\\xe9.jpg"),
        ("\U000e0041", "\\U000e0041"),
        ("two\u2028lines\x85three", "two lines three"),
    ],
)
def test_what_acts_on_a_terminal_is_shown_by_number(text: str, shown: str) -> None:
    assert printable(text) == shown
    printable(text).encode()


@pytest.mark.parametrize(
    "text",
    [
        "::error::failed",
        "  ::set-output name=a::b",
        "done\n::error file=a.py,line=1::failed",
        "x" * 200 + "::error::failed",  # a table breaks long words
        "##[error]failed",
        "said ##vso[task.complete result=Failed;]",
        "##teamcity[buildStop]",
    ],
)
def test_nothing_commands_a_build(text: str) -> None:
    line = printable(text)
    assert "\n" not in line
    assert not any(sign in line for sign in ("::error", "::set", "##[", "##vso[", "##teamcity["))
    assert printable(line) == line


def test_long_text_is_cut_where_that_is_asked() -> None:
    assert printable("x" * 100, most=10) == "x" * 9 + "…"
    assert printable("x" * 10, most=10) == "x" * 10


def test_signs_that_an_encoding_has_stay() -> None:
    text = "96.5 ± 0.2 ≈ José ▼"
    assert plain_signs(text, "utf-8") == text
    assert plain_signs(text, "latin-1") == "96.5 ± 0.2 ~ José v"
    assert plain_signs(text, "ascii") == "96.5 +/- 0.2 ~ Jose v"
