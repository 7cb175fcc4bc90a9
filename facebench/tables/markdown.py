"""Tables as Markdown (GitHub's flavour); no name in them can become markup."""

from __future__ import annotations

import re
from collections.abc import Sequence

from facebench.base.text import printable
from facebench.tables.records import Cell, TableView


def to_markdown(views: Sequence[TableView]) -> str:
    """Tables with notice, caption and signatures."""
    return "\n".join(_table(view) for view in views)


def _table(view: TableView) -> str:
    lines = [f"### {plain(view.title)}", ""]
    if view.notice:
        lines += [f"> **NOTICE: {plain(view.notice)}**", ""]
    lines.append(_line([plain(heading) for heading in view.headings]))
    lines.append(_line([":---"] + ["---:"] * (len(view.headings) - 1)))
    lines += [_line([_cell(cell) for cell in row.cells]) for row in view.rows]
    lines += ["", *(f"- {plain(line)}" for line in view.caption), "", "Signatures:", ""]
    lines += [f"- {plain(row.record.signature)}" for row in view.rows]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> str:
    return f"{plain(cell.text)} {plain(cell.detail)}".rstrip()


def plain(text: str) -> str:
    """One line of text with every character that Markdown or HTML would act on taken literally."""
    one_line = " ".join(printable(text).split())
    return re.sub(r"([\\`*_{}\[\]<>|#~$&])", _escape, one_line)


def _escape(match: re.Match[str]) -> str:
    character = match[1]
    return {"<": "&lt;", ">": "&gt;", "&": "&amp;"}.get(character, f"\\{character}")
