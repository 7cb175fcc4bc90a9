"""How every command ends when something is wrong: one line on standard error and an exit code."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import signal
import sys
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from facebench.base.errors import Notice, UserError, ended_by, nearest
from facebench.base.processes import interrupted_at_once
from facebench.base.storage import cache_folder
from facebench.base.text import printable
from facebench.cli.streams import STDOUT, flush_output

# Every exit code means one thing; docs/use/exit-codes.md has the table.
WRONG_INPUT, BUG = 2, 70  # EX_SOFTWARE of <sysexits.h>
_LONGEST = 1200  # characters of a line, of which the first say where, and the last what to do
_REPORT = (
    "this is a bug in facebench and says nothing of your models: please report it, with the lines "
    "above, the command and what `facebench --version` prints"
)


class ErrorGroup(TyperGroup):
    """A group of commands whose user errors are one line and exit code 2, without a traceback.

    Errors that nobody foresaw go on to `bug`.
    """

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except UserError as error:
            _end(str(error), WRONG_INPUT)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None  # as Typer does outside of this
        except SystemExit as end:  # ours are all `typer.Exit`
            _end(ended_by(end), WRONG_INPUT)
        except MemoryError as error:
            _end(f"there is not enough memory{_colon(error)}; {_LESS_MEMORY}", WRONG_INPUT)
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


def bug(error: BaseException) -> int:
    """An error that nobody foresaw: its traceback, a line that asks to report it, its exit code."""
    for line in "".join(traceback.format_exception(error)).splitlines():
        print(printable(line), file=sys.stderr)
    print(f"facebench: {_REPORT}", file=sys.stderr)
    return BUG


@contextlib.contextmanager
def notices_shown() -> Iterator[None]:
    """Notices on standard error, each as often as it is given; other warnings as ever."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", Notice)
        usual = warnings.showwarning

        def show(message: Warning | str, *where: Any, **more: Any) -> None:
            if isinstance(message, Notice):
                _show(message)
            else:
                usual(message, *where, **more)

        warnings.showwarning = show
        yield


def _show(notice: Notice) -> None:
    if notice.protocol:
        print(printable(f"facebench: note: {notice}"), file=sys.stderr)
        return
    from facebench.tables.terminal import console_for, notice_text

    sys.stderr.write(notice_text(notice.text, console_for(sys.stderr)))


def _end(message: str, code: int) -> NoReturn:
    """One line, whatever the message holds."""
    _say(message)
    raise typer.Exit(code) from None


def _say(message: str) -> int:
    line = " ".join(message.split())
    if len(line) > _LONGEST:  # what the user gave may be a file that is no list: one line of it all
        line = f"{line[: _LONGEST // 2]} … {line[-_LONGEST // 2 :]}"
    line = printable(line)
    print(f"facebench: {line}", file=sys.stderr)
    return WRONG_INPUT


def _of_the_system(error: OSError) -> str:
    what = error.strerror or str(error) or type(error).__name__
    where = f" ({error.filename})" if error.filename else ""
    if error.errno == errno.ENOSPC:
        return f"the disk is full{where}: make room{_elsewhere(error.filename)}"
    return f"{what}{where}"


_LESS_MEMORY = "take a smaller --batch, fewer --workers, or a machine with more"


def _colon(error: BaseException) -> str:
    return f": {error}" if str(error) else ""


def _elsewhere(name: Any) -> str:
    """What else helps where a disk is full: what names the folder of the file."""
    if name == STDOUT:
        return ""
    with contextlib.suppress(UserError, TypeError, ValueError):
        if Path(os.fsdecode(name)).absolute().is_relative_to(cache_folder().absolute()):
            return ", or set FACEBENCH_CACHE to another folder"
    return ", or name a folder on another disk"


# Words of pydantic, which checks the bounds of numbers, and plain ones.
_PLAIN = (
    ("Value error, ", ""),
    ("a valid integer, unable to parse string as an integer", "a whole number"),
    ("a valid number, unable to parse string as a number", "a number"),
    ("Input should be greater than or equal to", "must be at least"),
    ("Input should be less than or equal to", "must be at most"),
    ("Input should be greater than", "must be above"),
    ("Input should be less than", "must be below"),
    ("Input should be", "must be"),
)


def usage_line(error: Exception) -> str | None:
    """``no such option: --dta (did you mean '--data'?); see facebench eval --help``.

    Empty where the help itself was printed; None for an error that is not one of usage.
    """
    # Known by what they have: Typer carries the classes of Click within itself, or imports them.
    message = getattr(error, "message", None)
    if not hasattr(error, "format_message") or not isinstance(message, str):
        return None
    if type(error).__name__ == "NoArgsIsHelpError":
        return ""
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoSuchOption":
        hint = _option(str(getattr(error, "option_name", "")), context)
    else:
        message, _, said = error.format_message().partition(" Did you mean ")
        hint = f"did you mean {said}" if said else _choice(message)
    for found, plain in _PLAIN:
        message = message.replace(found, plain)
    text = " ".join(message.split()).rstrip(".")
    text = text[:1].lower() + text[1:] + (f" ({hint})" if hint else "")
    return f"{text}; see {context.command_path} --help" if context else text


def _option(given: str, context: Any) -> str:
    """The nearest option of the command."""
    known = [name for option in context.command.params for name in option.opts] if context else []
    long = [name for name in known if name.startswith("--")]
    return nearest(given, long).lstrip("; ") if given.startswith("--") else ""


def _choice(message: str) -> str:
    """The nearest choice where a value ``is not one of`` several."""
    before, is_choice, after = message.partition(" is not one of ")
    given = re.findall(r"'([^']*)'", before)
    if not is_choice or not given:
        return ""
    return nearest(given[-1], re.findall(r"'([^']*)'", after)).lstrip("; ")


INTERRUPTED = 130
_LINE = "facebench: stopped; the same command continues where it was"


def importing() -> contextlib.AbstractContextManager[None]:
    """Around imports that take seconds: Ctrl-C ends the process with its one line."""
    return interrupted_at_once(_leave)


def say_stopped() -> None:
    """The line, on standard error."""
    print(_LINE, file=sys.stderr)


def finish_undisturbed() -> None:
    """From here on Ctrl-C changes nothing: the work is done, and Python takes itself apart."""
    with contextlib.suppress(ValueError):  # not the main thread
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _leave() -> NoReturn:
    """End without the unwinding that half-imported extension modules do not survive."""
    os.write(2, f"{_LINE}\n".encode())
    os._exit(INTERRUPTED)
