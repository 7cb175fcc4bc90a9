"""Standard streams that end no command in the middle: closed, left, full, or short of signs."""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
from typing import TextIO

from facebench.base.text import plain_signs

STDOUT = "standard output"  # in place of a file's name in errors
_CLOSED = "facebench: standard output is closed; what belongs there goes to standard error"


def prepare_streams() -> None:
    """Make this process's streams fit for whatever a command writes.

    Signs that their encoding lacks are replaced. A reader of standard output that leaves early
    (``| head``) changes neither files nor the exit code. Where standard output is closed, results
    go to standard error, and one line says so. Files that are opened never take the numbers of
    streams that are closed.
    """
    codecs.register_error("facebench", _plain)
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115 - lives as long as the process
    closed = sys.stdout is None
    sys.stderr = _fit(sys.stderr, 2)
    sys.stdout = _fit(sys.stdout, 2 if closed else 1)
    if closed:
        print(_CLOSED, file=sys.stderr)


def flush_output() -> None:
    """Write out what standard output holds. OSError, once: it could not be written."""
    if sys.stdout is not None:
        sys.stdout.flush()


class _Descriptor(io.FileIO):
    """A stream that goes on into nothing after its reader has left or its disk was full."""

    def write(self, data: object) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]
        except OSError as error:
            with open(os.devnull, "wb") as nothing:
                os.dup2(nothing.fileno(), self.fileno())
            if error.errno == errno.EPIPE or self.fileno() == 2:
                return len(memoryview(data))  # type: ignore[arg-type]
            raise OSError(error.errno, error.strerror, STDOUT) from None


def _fit(stream: TextIO | None, number: int) -> TextIO:
    """A stream as it was set up, writing through `_Descriptor`."""
    if stream is not None:
        if not isinstance(stream, io.TextIOWrapper):  # a notebook's or a test's
            return stream
        stream.flush()
    encoding = stream.encoding if stream is not None else "utf-8"
    errors = stream.errors if stream is not None else "strict"
    whole = codecs.lookup(encoding).name == "utf-8"
    if errors == "strict" or (errors == "surrogateescape" and not whole):
        errors = "facebench"
    return io.TextIOWrapper(
        io.BufferedWriter(_Descriptor(number, "w", closefd=False)),
        encoding=encoding,
        errors=errors,
        line_buffering=number == 2 or (stream is not None and stream.line_buffering),
        write_through=stream is not None and stream.write_through,
    )


def _plain(error: UnicodeError) -> tuple[str, int]:
    """In place of signs that an encoding lacks: plain ones that look like them."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    return plain_signs(signs, "ascii"), error.end
