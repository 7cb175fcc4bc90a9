"""Shares are exact, and never computed to a length that nobody meant."""

from __future__ import annotations

from fractions import Fraction

import pytest

from facebench.base.text import fraction


@pytest.mark.parametrize(
    ("text", "value"),
    [("1/256", Fraction(1, 256)), ("0.05", Fraction(1, 20)), (" 1e-3 ", Fraction(1, 1000)),
     (".5", Fraction(1, 2)), ("60", Fraction(60)), ("-1", Fraction(-1))],
)  # fmt: skip
def test_what_is_written_is_read_exactly(text: str, value: Fraction) -> None:
    assert fraction(text) == value


@pytest.mark.parametrize(
    "text",
    ["", "x", "1/0", "1e-99999999", "1e999", "9" * 5_000, "0." + "1" * 5_000, "1/" + "9" * 5_000,
     "nan", "inf", "١/٢"],
)  # fmt: skip
def test_what_is_no_number_or_an_absurd_one_is_refused_at_once(text: str) -> None:
    with pytest.raises(ValueError, match="is not a number such as"):
        fraction(text)
