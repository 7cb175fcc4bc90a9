"""A plain table with a title, a notice and a caption, for a terminal, Markdown and HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from facebench.base.text import rich_text
from facebench.tables.markdown import plain
from facebench.tables.text import Cell

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text


@dataclass(frozen=True)
class Sheet:
    """headings: of the columns; rows: a cell per column; notice: what must not be overlooked."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: tuple[str, ...] = ()
    notice: str | None = None


def sheets_markdown(sheets: Sequence[Sheet]) -> str:
    """Sheets as GitHub's Markdown; no name in them can become markup."""
    return "\n".join(_markdown(sheet) for sheet in sheets)


def sheets_html(sheets: Sequence[Sheet], title: str, version: str) -> str:
    """Sheets as one self-contained page; whatever stands in them stays text."""
    from facebench.figures.curves.layout import COLOURS
    from facebench.tables.html import environment

    page = environment().get_template("sheet.html")
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return page.render(sheets=sheets, name=title, version=version, colours=COLOURS, policy=policy)


def print_sheets(sheets: Sequence[Sheet], console: Console) -> None:
    """Sheets for a terminal."""
    from rich import box
    from rich.table import Table

    from facebench.tables.terminal import notice_panel

    for sheet in sheets:
        table = Table(title=rich_text(sheet.title), title_justify="left", box=box.ROUNDED)
        table.title_style = "bold"
        for number, heading in enumerate(sheet.headings):
            justify = "left" if number == 0 else "right"
            table.add_column(rich_text(heading), justify=justify)  # type: ignore[arg-type]
        for row in sheet.rows:
            table.add_row(*(_stacked(cell) for cell in row))
        console.print(table)
        if sheet.notice:
            console.print(notice_panel(sheet.notice))
        for line in sheet.caption:
            console.print(rich_text(line, "dim"))
        console.print()


def _stacked(cell: Cell) -> Text:
    """The cell's text, and its detail in a line below."""
    from rich.text import Text

    return Text("\n").join(rich_text(part) for part in (cell.text, cell.detail) if part)


def _markdown(sheet: Sheet) -> str:
    lines = [f"### {plain(sheet.title)}", ""]
    if sheet.notice:
        lines += [f"> **NOTICE: {plain(sheet.notice)}**", ""]
    lines.append(_line([plain(heading) for heading in sheet.headings]))
    lines.append(_line([":---"] + ["---:"] * (len(sheet.headings) - 1)))
    lines += [_line([f"{plain(c.text)} {plain(c.detail)}".rstrip() for c in r]) for r in sheet.rows]
    lines += ["", *(f"- {plain(line)}" for line in sheet.caption)]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
