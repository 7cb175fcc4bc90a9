"""Text and numbers: foreign text made fit to print, shares read exactly, numbers for people.

Names of files, cards, records, lists and the errors of libraries hold what their author put there.
On a terminal an escape sequence acts, in the log of a build a line that begins ``::error`` does,
and Rich takes ``[red]`` for markup. So such text passes `printable` before it is shown.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import Decimal
from fractions import Fraction
from math import floor, log10

_PLACES = ContextVar("places", default=2)


@contextmanager
def places(number: int | None) -> Iterator[None]:
    """Within it, `percent` and `decimal` have so many places behind the point; None: two."""
    token = _PLACES.set(2 if number is None else number)
    try:
        yield
    finally:
        _PLACES.reset(token)


def points(share: float) -> str:
    """A difference in points of percent, with its sign."""
    return decimal(100 * share)


def decimal(number: float) -> str:
    """A number with its sign, to two places: ``−1.34``; see `places`."""
    most = _PLACES.get()
    rounded = round(number, most) + 0.0  # no negative zero
    return f"{rounded:+.{most}f}".replace("-", "−")


def percent(share: float) -> str:
    """A share in percent, two places; see `places`."""
    return f"{100 * share:.{_PLACES.get()}f}"


def rate_text(share: float) -> str:
    """A rate in percent without noughts behind it: ``10%``, ``0.1%``, ``0.0001%``."""
    return f"{(100 * Decimal(repr(share))).normalize():f}%"


def numbered(number: int, noun: str) -> str:
    """``1 model``, ``2 models``, ``1,200 searches``."""
    return f"{number:,} {noun if number == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """``models``, ``searches``."""
    return f"{noun}es" if noun.endswith(("s", "ch")) else f"{noun}s"


def count_text(number: int | None) -> str:
    """A number of weights, in millions from a million on."""
    if number is None:
        return "–"
    return f"{number / 1e6:.2f} M" if number >= 1e6 else f"{number:,}"


def alike(numbers: Sequence[float], unit: str) -> Callable[[float], str]:
    """How all numbers of one column are written: in one unit and to one place.

    unit: ``percent``, ``ratio``, ``count``, ``bytes`` or ``plain``.
    """
    sizes = [abs(number) for number in numbers if number] or [0.0]
    least, most = min(sizes), max(sizes)
    if unit == "percent":
        return percent
    if unit == "ratio":
        return ratio_text if most < 10 else "{:.1f}".format
    if unit == "count":
        millions = most >= 1e6 and least >= 1e4
        return lambda n: f"{n / 1e6:.2f} M" if millions else f"{round(n):,}"
    if unit == "bytes":
        scale, name = (1e6, "MB") if most >= 1e6 else (1e3, "kB")
        places = 1 if least >= scale else 2
        return lambda n: f"{n / scale:.{places}f} {name}"
    places = 0 if most >= 1000 else max(0, min(4, 2 - floor(log10(most)))) if most else 0
    return lambda n: f"{round(n, places) + 0.0:.{places}f}".replace("-", "−")


def ratio_text(ratio: float | None) -> str:
    """A compression ratio, three places."""
    return "–" if ratio is None else f"{ratio:.3f}"


def size_text(size: int | None) -> str:
    """Bytes as MB or kB."""
    if size is None:
        return "–"
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"


_KEPT = "\u200c\u200d"  # joiners that scripts and emoji need; they move and hide nothing
_BREAKS = re.compile(r"[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+")
# GitHub and Forgejo obey ::NAME VALUES::TEXT at the beginning of a line, and a table may break a
# line anywhere; others obey ##[NAME], ##vso[NAME] or ##teamcity[NAME] within one.
_COMMAND = re.compile(r"(?<!\w):(?=:\w)|:(?=:[\w-]+(?: [^:]*)?::)|#(?=#\w*\[)")
_CUT = "…"


def printable(text: object, most: int | None = None) -> str:
    """Foreign text as one line that moves no cursor, turns no letters and commands no build.

    Line breaks and tabs become a space; other control characters, those that turn the direction of
    writing or have no width, and bytes of a file's name that are no text, are shown by number
    (``\\x1b``). most: characters, after which it is cut.
    """
    line = str(text)
    if most is not None and len(line) > most:
        line = line[: most - 1] + _CUT
    if not line.isprintable():
        line = "".join(map(_shown, _BREAKS.sub(" ", line)))
    return _COMMAND.sub(r"\g<0> ", line) if ":" in line or "#" in line else line


_PLAIN = {
    "✓": "+", "✗": "x", "×": "x", "−": "-", "–": "-", "—": "-", "·": "*", "…": "...", "±": "+/-",
    "→": "->", "≤": "<=", "≥": ">=", "“": '"', "”": '"', "’": "'", "†": "+", "‡": "++",
    "▲": "^", "▼": "v", "≈": "~", "◯": "o",
}  # fmt: skip


def plain_signs(text: str, encoding: str) -> str:
    """Text whose signs an encoding has: in place of others plain ones that look like them."""
    if _has(encoding, text):
        return text
    return "".join(sign if _has(encoding, sign) else _plain_sign(sign) for sign in text)


def _has(encoding: str, text: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _plain_sign(sign: str) -> str:
    if sign in _PLAIN:
        return _PLAIN[sign]
    name = unicodedata.name(sign, "")
    if name.startswith("BOX DRAWINGS"):
        along, across = (
            any(word in name for word in words)
            for words in (("HORIZONTAL", "LEFT", "RIGHT"), ("VERTICAL", "UP", "DOWN"))
        )
        return "-" if along and not across else "|" if across and not along else "+"
    letters = unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode()
    return letters or "?"


def json_text(values: object, indent: int = 1) -> str:
    """Values as JSON, ending with a line break, that reads back the same and acts on nothing.

    Letters of any language stay as they are; what `printable` would change is written as JSON
    writes it, by number. ValueError: a number that is not finite.
    """
    text = json.dumps(values, indent=indent, ensure_ascii=False, allow_nan=False)
    text = re.sub(r"#(?=#\w*\[)", r"\\u0023", text)
    if not text.isascii() or "\x7f" in text:
        text = "".join(c if c == "\n" or _is_plain(c) else json.dumps(c)[1:-1] for c in text)
    return f"{text}\n"


def _is_plain(letter: str) -> bool:
    kept = letter in _KEPT or unicodedata.category(letter) in ("Zs", "Cn")
    return letter.isprintable() or kept


def _shown(letter: str) -> str:
    if _is_plain(letter):
        return letter
    number = ord(letter)
    if 0xDC80 <= number <= 0xDCFF:  # how Python keeps a byte of a file's name that is no text
        number -= 0xDC00
    return (
        f"\\x{number:02x}"
        if number < 0x100
        else f"\\u{number:04x}"
        if number < 0x10000
        else f"\\U{number:08x}"
    )


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
