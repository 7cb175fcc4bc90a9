"""Where the tables of commands go: standard output, or a file."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from facebench.base.errors import UserError
from facebench.base.opening import plain_bytes

if TYPE_CHECKING:
    from facebench.tables.table import Choice, Table
    from facebench.tables.terminal import Style

OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", rich_help_panel="Result", help="Write the result here."),
]
ColumnsOption = Annotated[
    str | None,
    typer.Option(
        rich_help_panel="Result",
        help="Columns to show, by words of their headings: accuracy,size.",
    ),
]
RowsOption = Annotated[
    str | None,
    typer.Option(
        rich_help_panel="Result", help="Rows to show, by words of their names: sparse_07,baseline."
    ),
]
DigitsOption = Annotated[
    int | None,
    typer.Option(
        rich_help_panel="Result", min=0, max=6, help="Places behind the point of rates; default: 2."
    ),
]
TableFormat = Literal["table", "md", "html", "latex"]
ListFormat = Literal["table", "json"]
FormatOption = Annotated[ListFormat, typer.Option("--format", help="table or json.")]


def table_text(
    tables: Sequence[Table],
    format: TableFormat,
    title: str,
    *,
    file: bool = False,
    choice: Choice | None = None,
) -> str:
    """Tables in a format, as text. title: of a page; file: they go to one; choice: of columns and
    rows, UserError where it names others.
    """
    if choice is not None:
        choice.require(tables)
        tables = list(map(choice.of, tables))
    if format == "latex":
        from facebench.tables.latex import to_latex

        return to_latex(tables)
    if format == "md":
        from facebench.tables.markdown import to_markdown

        return to_markdown(tables)
    if format == "html":
        from facebench.tables.html import to_html

        return to_html(tables, title)
    from facebench.tables.terminal import console_for, tables_text

    return tables_text(tables, console_for(None if file else sys.stdout))


def choice_of(
    format: str | None, columns: str | None, rows: str | None, digits: int | None
) -> Choice:
    """What --columns and --rows name; UserError with --digits or one of them of a format that holds
    every number in full.
    """
    from facebench.tables.table import Choice

    given = (("--columns", columns), ("--rows", rows), ("--digits", digits))
    named = [option for option, value in given if value is not None]
    if named and format not in (None, "all", "table", "md", "html", "latex"):
        raise UserError(f"{named[0]} is of tables; --format {format} has every number in full")

    def names(text: str | None) -> tuple[str, ...]:
        return tuple(name for part in (text or "").split(",") if (name := part.strip()))

    return Choice(names(columns), names(rows))


def show_table(table: Table, style: Style) -> None:
    """A list, or facts, on standard output."""
    from facebench.tables.terminal import console_for, tables_text

    sys.stdout.write(tables_text([table], console_for(sys.stdout), style))


def require_output(
    output: Path | None, option: str = "--output", *, in_new_folder: bool = False
) -> None:
    """UserError, before any work, where a result could not be written at its end."""
    if output is None:
        return
    if in_new_folder:
        require_folder(output.parent, option)
    elif not output.parent.is_dir():
        raise UserError(f"{option} {output}: there is no folder {output.parent}")
    if output.is_dir():
        raise UserError(f"{option} {output}: is a folder; name a file")
    if output.exists() and not output.is_file():
        raise UserError(f"{option} {output}: is not a plain file; name another")
    if output.parent.is_dir():
        require_writable(option, output, output.parent)


def require_outputs(named: Mapping[str, Path | None]) -> None:
    """As `require_output`, for several, by their options; UserError also where two are one file."""
    given = {option: path for option, path in named.items() if path is not None}
    for option, path in given.items():
        require_output(path, option)
    by_file: dict[Path, list[str]] = {}
    for option, path in given.items():
        by_file.setdefault(path.resolve(), []).append(option)
    for options in by_file.values():
        if len(options) > 1:
            raise UserError(f"{' and '.join(options)} must be different files")


def require_folder(folder: Path, option: str) -> None:
    """UserError, before any work, where files could not be written into a folder, there or not."""
    above = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not above.is_dir():
        what = "is a file; name a folder" if above == folder else f"{above} is not a folder"
        raise UserError(f"{option} {folder}: {what}")
    require_writable(option, folder, above)


def require_writable(option: str, path: Path, folder: Path) -> None:
    """UserError where nothing can be made in the folder that a path is to be in."""
    if not os.access(folder, os.W_OK | os.X_OK):
        sealed = hasattr(os, "statvfs") and os.statvfs(folder).f_flag & os.ST_RDONLY
        why = os.strerror(errno.EROFS if sealed else errno.EACCES)
        raise UserError(f"{option} {path}: nothing can be written in {folder}: {why}")


def kept_in(folder: Path | None, option: str, default: Callable[[], Path]) -> Path | None:
    """Where records go, found before any work: the folder that was named, or the default one.

    None, after a line that says so, where nobody named one and nothing can be written in the
    default one: the result is shown all the same. UserError where a named one cannot be written.
    """
    if folder is not None:
        require_folder(folder, option)
        return folder
    own = default()
    try:
        require_folder(own, "")
    except (UserError, OSError):
        print(
            f"facebench: nothing can be written in {own}: the record is not kept; {option} FOLDER "
            "keeps it",
            file=sys.stderr,
        )
        return None
    return own


def unwritten(what: str, error: OSError) -> str:
    """Why something could not be written, for the end of a command that has shown its result."""
    return f"{what} was not written: {error.strerror or error}"


def write(text: str, output: Path | None, *, quiet: bool = False, shown: bool = False) -> None:
    """A result, to standard output or into a file, complete or not at all.

    UserError where the file could not be written; the result went to standard output instead,
    unless it is shown there already.
    """
    if output is None:
        sys.stdout.write(text)
        return
    from facebench.base.storage import write_atomically

    try:
        write_atomically(output, text.encode())
    except OSError as error:
        line = unwritten(str(output), error)
        if not shown:
            sys.stdout.write(text)
            line += "; the result went to standard output"
        raise UserError(line) from None
    if not quiet:
        print(f"result: {output}", file=sys.stderr)


def draw_into(
    path: Path | None, draw: Callable[[Path], object], option: str = "--plot", what: str = "plot"
) -> str | None:
    """Draw a picture into the file that an option names, and say so; None: it is there, or none was
    asked for. Else why the disk refused it, to be told after the result.
    """
    if path is None:
        return None
    try:
        draw(path)
    except OSError as error:
        return unwritten(f"{option} {path}", error)
    print(f"{what}: {path}", file=sys.stderr)
    return None


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
