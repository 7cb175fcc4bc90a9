"""Tables as Markdown (GitHub's flavour); no name in them can become markup."""

from __future__ import annotations

import re
from collections.abc import Sequence

from facebench.base.text import printable
from facebench.tables.table import HOW_TO_READ, Cell, Details, Table


def to_markdown(tables: Sequence[Table]) -> str:
    """Tables with notice, notes and signatures."""
    return "\n".join(map(table_markdown, tables))


def table_markdown(table: Table) -> str:
    """One table under its title: notice and verdict, rows and notes, and what is folded."""
    first, aside = table.parts
    lines = [f"### {plain(table.title)}", ""]
    if table.notice:
        lines += [f"> **NOTICE: {plain(table.notice)}**", ""]
    lines += verdict_lines(table.verdict)
    lines += grid(first)
    lines += ["", *(f"- {plain(line)}" for line in table.notes)] if table.notes else []
    if aside is not None:
        lines += folded("More numbers", grid(aside))
    reading = [f"- {letter}: {plain(text)}" for letter, text in table.footnotes]
    reading += [f"- {plain(line)}" for line in table.reading]
    if reading:
        lines += folded(HOW_TO_READ, reading)
    if table.signatures:
        lines += folded("Signatures", [f"- {plain(line)}" for line in table.signatures])
    return "\n".join(lines) + "\n"


def verdict_lines(sentences: Sequence[str]) -> list[str]:
    """The verdict as a paragraph whose first sentence leaps to the eye; further ones as another."""
    if not sentences:
        return []
    first, *others = map(plain, sentences)
    further = [" ".join(others[1:]), ""] if others[1:] else []
    return [" ".join([f"**{first}**", *others[:1]]), "", *further]


def folded(summary: str, lines: Sequence[str]) -> list[str]:
    """Lines that GitHub shows where one opens them."""
    return ["", f"<details><summary>{summary}</summary>", "", *lines, "", "</details>"]


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
    parts = [
        text if cell.shows_value else "",
        detail if cell.detail else "",
        f"paper {plain(cell.paper)}" if cell.paper else "",
    ]
    return (" " if details == "beside" else "<br>").join(filter(None, parts))


def _escape(match: re.Match[str]) -> str:
    character = match[1]
    return {"<": "&lt;", ">": "&gt;", "&": "&amp;"}.get(character, f"\\{character}")
