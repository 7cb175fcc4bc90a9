"""What a user is told: errors that one can cause and mend, and notices of what matters."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar


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


class Notice(UserWarning):
    """What must not be overlooked and is no error: of rendered faces, or a note of a record.

    protocol: that the note is on; empty: of the faces. From Python it is a warning; the command
    line shows it however quiet a run is.
    """

    def __init__(self, text: str, protocol: str = "") -> None:
        super().__init__(f"{protocol}: {text}" if protocol else text)
        self.text, self.protocol = text, protocol


IN_LINES = ContextVar("in_lines", default=False)


@contextmanager
def said_in_lines() -> Iterator[None]:
    """Within it, a line stands for a bar where no terminal is: a program of others gets none."""
    before = IN_LINES.set(True)
    try:
        yield
    finally:
        IN_LINES.reset(before)


def nearest(name: object, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for the nearest known name, or an empty string where none is near."""
    close = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""
