"""Where a gate's Markdown goes: a file of its own, or the summary of a job on GitHub."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from facebench.cli.sheets import write
from facebench.errors import UserError
from facebench.opening import plain_bytes

SUMMARY = "GITHUB_STEP_SUMMARY"
_OWN = "### gate: "  # how a gate's Markdown starts


def require_own_markdown(path: Path) -> None:
    """UserError, before any work, where a file holds text that no gate wrote.

    The file of ``$GITHUB_STEP_SUMMARY`` may hold any: every step of a job adds to it.
    """
    if _is_summary(path) or not path.exists():
        return
    try:
        text = plain_bytes(path).decode("utf-8", "replace")
    except OSError as error:
        raise UserError(f"--markdown {path}: cannot be read: {error.strerror}") from None
    if text.strip() and not text.startswith(_OWN):
        raise UserError(f"--markdown {path}: holds other text than a gate's; name another file")


def write_or_add(text: str, path: Path | None, *, shown: bool = False) -> None:
    """A result to standard output, in a file of its own, or after what the job's summary holds."""
    if path is None or not _is_summary(path):
        write(text, path, shown=shown)
        return
    before = path.read_bytes() if path.exists() else b""
    gap = b"" if not before else b"\n" if before.endswith(b"\n") else b"\n\n"
    with path.open("ab") as file:
        file.write(gap + text.encode())
    print(f"added to: {path}", file=sys.stderr)


def _is_summary(path: Path) -> bool:
    named = os.environ.get(SUMMARY)
    return bool(named) and path.resolve() == Path(named or "").resolve()
