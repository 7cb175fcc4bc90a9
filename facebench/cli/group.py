"""How every command ends when something is wrong: one line on standard error and an exit code."""

from __future__ import annotations

import errno
import os
import sys
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from facebench.cli.interrupts import INTERRUPTED, say_stopped
from facebench.cli.usage import usage_line
from facebench.errors import UserError

WRONG_INPUT = 2
BROKEN_PIPE = 1


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
            if error.errno == errno.EPIPE:  # the reader of the output has gone: `| head`
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                raise typer.Exit(BROKEN_PIPE) from None
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
        except Exception as error:
            line = usage_line(error)
            if line is None:
                raise
            if line:
                print(f"facebench: {line}", file=sys.stderr)
            code = WRONG_INPUT
        sys.exit(code if isinstance(code, int) else 0)


def _end(message: str, code: int) -> NoReturn:
    """One line, whatever the message holds."""
    line = " ".join(message.split())
    print(f"facebench: {line}", file=sys.stderr)
    raise typer.Exit(code) from None


def _of_the_system(error: OSError) -> str:
    what = error.strerror or str(error) or type(error).__name__
    where = f" ({error.filename})" if error.filename else ""
    if error.errno == errno.ENOSPC:
        return f"the disk is full{where}: make room, or set FACEBENCH_CACHE to another folder"
    return f"{what}{where}"
