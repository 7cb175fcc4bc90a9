"""What a user is told: errors that one can cause and mend, and notices of what matters."""

from __future__ import annotations

import difflib
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

_command_line = False


@contextmanager
def on_command_line() -> Iterator[None]:
    """Within it the command line speaks, to a person: options are called as they are typed, and
    where no terminal is a line stands for a bar. Outside of it a program of others does.
    """
    global _command_line
    before, _command_line = _command_line, True
    try:
        yield
    finally:
        _command_line = before


def by_command_line() -> bool:
    """Whether it is the command line that speaks (`on_command_line`)."""
    return _command_line


# In Python, where the name is another, or the option says no.
_IN_PYTHON = {
    "output-name": "output",
    "yunet": "detector",
    "records": "found_in",
    "no-store": "store=False",
    "overwrite": "overwrite=True",
}
# A value after an option: what is quoted, a number, a word of these, or what is complained of.
_WORDS = (
    "count|synthetic|float32|xxyy|xyxy|none|centre|landmarks|yunet|mean-score|joint-bayesian|"
    "projection"
)
_VALUE = rf"'[^']*'|[A-Z]{{3,}}\b|\d[\d.]*\b(?!x)|(?:{_WORDS})\b|\S+(?=: )|\S+(?= has no effect)"
_OPTION = re.compile(rf"`[^`]*`|(?<![\w/.'\"-])--([a-z](?:[a-z-]*[a-z])?)(?: ({_VALUE}))?")


def spelled(text: str) -> str:
    """Words on options, written as of the command line, as whoever is spoken to knows them: from
    Python ``--data`` is ``data=`` and ``--on-missing count`` is ``on_missing='count'``. Whole
    commands stand in backticks.
    """
    return text if _command_line else _OPTION.sub(_in_python, text)


def _in_python(found: re.Match[str]) -> str:
    flag, value = found[1], found[2]
    if flag is None:
        return found[0]
    name = _IN_PYTHON.get(flag, flag.replace("-", "_"))
    if value is None:
        return name if "=" in name else f"{name}="
    plain = value[0] == "'" or value.isupper() or value.replace(".", "").isdigit()
    return f"{name}={value if plain else repr(value)}"


class UserError(Exception):
    """A mistake in what the user gave: one line that says what is wrong, where, and what to do.

    The command line prints it without a traceback and exits with code 2.

    Examples
    --------
    >>> import facebench
    >>> try:
    ...     facebench.load_model("sparse_47")
    ... except facebench.UserError as error:
    ...     print("did you mean" in str(error))
    True
    """

    def __str__(self) -> str:
        return spelled(super().__str__())


class Notice(UserWarning):
    """What must not be overlooked and is no error: of rendered faces, or a note of a record.

    protocol: that the note is on, or what else it is of; empty: of the faces. From Python it is a
    warning; the command line shows it however quiet a run is.
    """

    def __init__(self, text: str, protocol: str = "") -> None:
        super().__init__(spelled(f"{protocol}: {text}" if protocol else text))
        self.text, self.protocol = text, protocol


@contextmanager
def in_one_line(program: str) -> Iterator[None]:
    """Around a module that is a program beside the command line: a UserError is its one line, and
    exit code 2.
    """
    with on_command_line():
        try:
            yield
        except UserError as error:
            print(f"{program}: {error}", file=sys.stderr)
            sys.exit(2)


def ended_by(end: SystemExit) -> str:
    """``module 'net' (line 4 of net.py) ended the program with exit code 3``, of code that is not
    ours and called ``sys.exit`` or parsed arguments.
    """
    said = "" if end.code is None or isinstance(end.code, int) else f": {end.code}"
    code = f" with exit code {end.code or 0}" if not said else ""
    where, step = "a module", end.__traceback__
    while step is not None:
        module = str(step.tb_frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] not in sys.stdlib_module_names:
            file = Path(step.tb_frame.f_code.co_filename).name
            where = f"module {module!r} (line {step.tb_lineno} of {file})"
        step = step.tb_next
    return f"{where} ended the program{code}{said}"


Key = TypeVar("Key")
Made = TypeVar("Made")
_LEFT_OUT: set[str] = set()
_CALLER = 3  # frames up to who reads a list of files


def left_out(error: UserError) -> None:
    """Name a file that stands among others and cannot be read, once: the others are of use."""
    if str(error) not in _LEFT_OUT:
        _LEFT_OUT.add(str(error))
        warnings.warn(Notice(str(error), "left out"), stacklevel=_CALLER)


def readable(read: Callable[[Key], Made], keys: Iterable[Key]) -> list[Made]:
    """What is read of each, in order, without those that cannot be, which `left_out` names."""
    found = []
    for key in keys:
        try:
            found.append(read(key))
        except UserError as error:
            left_out(error)
    return found


def nearest(name: object, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for the nearest known name, or an empty string where none is near."""
    folded: dict[str, list[str]] = {}
    for one in known:
        folded.setdefault(one.casefold(), []).append(one)
    close = difflib.get_close_matches(str(name).casefold(), list(folded), n=1, cutoff=0.5)
    if not close:
        return ""
    alike = folded[close[0]]  # which differ in case alone
    return f"; did you mean {max(alike, key=lambda one: _like(str(name), one))!r}?"


def _like(name: str, one: str) -> float:
    return difflib.SequenceMatcher(None, name, one).ratio()
