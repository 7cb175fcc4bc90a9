"""Shares as people write them, exactly: ``5%``'s 5, ``0.05``, ``1/256``, ``1e-3``."""

from __future__ import annotations

import re
from fractions import Fraction

# Fraction computes 1e-99999999 to the last of its digits, which takes all of the memory.
_WRITTEN = re.compile(r"[+-]?\d{0,18}(\.\d{0,18})?(e[+-]?\d{1,2})?(/\d{1,18})?", re.I | re.ASCII)


def fraction(text: str) -> Fraction:
    """The number that is written; ValueError where none is, or one of absurd length."""
    try:
        if _WRITTEN.fullmatch(text.strip()):
            return Fraction(text.strip())
    except (ValueError, ZeroDivisionError):
        pass
    raise ValueError(f"{text[:40]!r} is not a number such as 0.05, 1e-3 or 1/256")
