"""How every command ends when something is wrong: one line on standard error and an exit code."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from facebench.cli.interrupts import INTERRUPTED, say_stopped
from facebench.cli.streams import STDOUT, flush_output
from facebench.cli.usage import usage_line
from facebench.errors import UserError
from facebench.foreign import printable
from facebench.storage import cache_folder

WRONG_INPUT = 2
_LONGEST = 4000  # characters of a line


class ErrorGroup(TyperGroup):
    """A group of commands whose user errors are one line and exit code 2, without a traceback.

    Errors that nobody foresaw keep their traceback and exit code 1: they are bugs.
    """

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except UserError as error:
            _end(str(error), WRONG_INPUT)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None  # as Typer does outside of this
        except OSError as error:
            _end(_of_the_system(error), WRONG_INPUT)

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Run the command line and end with SystemExit; a usage error is one line, too."""
        try:
            code = super().main(*args, **{**extra, "standalone_mode": False})
            if code == INTERRUPTED:
                say_stopped()
        except typer.Abort:  # a question that was not answered
            print("facebench: stopped", file=sys.stderr)
            code = INTERRUPTED
        except OSError as error:  # the help could not be written
            code = _say(_of_the_system(error))
        except Exception as error:
            line = usage_line(error)
            if line is None:
                raise
            code = _say(line) if line else WRONG_INPUT
        try:
            flush_output()
        except OSError as error:
            code = _say(_of_the_system(error))
        sys.exit(code if isinstance(code, int) else 0)


def _end(message: str, code: int) -> NoReturn:
    """One line, whatever the message holds."""
    _say(message)
    raise typer.Exit(code) from None


def _say(message: str) -> int:
    line = printable(" ".join(message.split()), _LONGEST)
    print(f"facebench: {line}", file=sys.stderr)
    return WRONG_INPUT


def _of_the_system(error: OSError) -> str:
    what = error.strerror or str(error) or type(error).__name__
    where = f" ({error.filename})" if error.filename else ""
    if error.errno == errno.ENOSPC:
        return f"the disk is full{where}: make room{_elsewhere(error.filename)}"
    return f"{what}{where}"


def _elsewhere(name: Any) -> str:
    """What else helps where a disk is full: what names the folder of the file."""
    if name == STDOUT:
        return ""
    with contextlib.suppress(UserError, TypeError, ValueError):
        if Path(os.fsdecode(name)).absolute().is_relative_to(cache_folder().absolute()):
            return ", or set FACEBENCH_CACHE to another folder"
    return ", or name a folder on another disk"
