"""Tables as Markdown (GitHub's flavour); no name in them can become markup."""

from __future__ import annotations

import re
from collections.abc import Sequence

from facebench.base.text import printable
from facebench.tables.table import Cell, Details, Table


def to_markdown(tables: Sequence[Table]) -> str:
    """Tables with notice, notes and signatures."""
    return "\n".join(map(table_markdown, tables))


def table_markdown(table: Table) -> str:
    """One table under its title."""
    lines = [f"### {plain(table.title)}", ""]
    if table.notice:
        lines += [f"> **NOTICE: {plain(table.notice)}**", ""]
    lines += [*grid(table), ""]
    lines += [f"- {letter}: {plain(text)}" for letter, text in table.footnotes]
    lines += [f"- {plain(line)}" for line in table.notes]
    if table.signatures:
        lines += ["", "Signatures:", "", *(f"- {plain(line)}" for line in table.signatures)]
    return "\n".join(lines) + "\n"


def grid(table: Table) -> list[str]:
    """Headings and rows alone."""
    return [
        line([plain(column.heading) for column in table.columns]),
        line([":---" if column.left else "---:" for column in table.columns]),
        *(line([_cell(cell, table.details) for cell in row.cells]) for row in table.rows),
    ]


def line(cells: Sequence[str]) -> str:
    """A row of cells that are Markdown already."""
    return f"| {' | '.join(cells)} |"


def plain(text: str) -> str:
    """One line of text with every character that Markdown or HTML would act on taken literally."""
    one_line = " ".join(printable(text).split())
    return re.sub(r"([\\`*_{}\[\]<>|#~$&])", _escape, one_line)


def _cell(cell: Cell, details: Details) -> str:
    text = f"{plain(cell.text)} {cell.mark}".rstrip()
    if cell.letters:
        text += f" <sup>{cell.letters}</sup>"
    detail = f"<sub>{plain(cell.detail)}</sub>" if details == "small" else plain(cell.detail)
    difference = f" ({plain(cell.difference)})" if cell.difference else ""
    parts = [
        text if cell.shows_value else "",
        detail if cell.detail else "",
        f"paper {plain(cell.paper)}{difference}" if cell.paper else "",
    ]
    return (" " if details == "beside" else "<br>").join(filter(None, parts))


def _escape(match: re.Match[str]) -> str:
    character = match[1]
    return {"<": "&lt;", ">": "&gt;", "&": "&amp;"}.get(character, f"\\{character}")
