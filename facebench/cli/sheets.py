"""Where the tables of compare, gate and history go: standard output, or a file."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from facebench.errors import UserError

if TYPE_CHECKING:
    from facebench.reporting.sheet import Sheet

_FILE_WIDTH = 160


def terminal_text(sheets: Sequence[Sheet], *, file: bool = False) -> str:
    """Sheets as a terminal shows them; in colour only where there is one. file: they go to one."""
    from rich.console import Console

    from facebench.reporting.sheet import print_sheets

    text = io.StringIO()
    if sys.stdout.isatty() and not file:
        console = Console(force_terminal=True, file=text, width=Console().width)
    else:
        console = Console(file=text, width=_FILE_WIDTH, color_system=None)
    print_sheets(sheets, console)
    return text.getvalue()


def require_output(output: Path | None, option: str = "--output") -> None:
    """UserError, before any work, where a result could not be written at its end."""
    if output is None:
        return
    if not output.parent.is_dir():
        raise UserError(f"{option} {output}: there is no folder {output.parent}")
    if output.is_dir():
        raise UserError(f"{option} {output}: is a folder; name a file")


def write(text: str, output: Path | None) -> None:
    """A result, to standard output or into a file, complete or not at all."""
    if output is None:
        sys.stdout.write(text)
        return
    from facebench.storage import write_atomically

    write_atomically(output, text.encode())
    print(f"result: {output}", file=sys.stderr)
