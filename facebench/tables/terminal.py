"""Tables for a terminal: rows where they fit, else rows as columns, in blocks; and plain lists."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.panel import Panel
from rich.table import Table as RichTable
from rich.text import Text

from facebench.base.text import printable, rich_text
from facebench.tables.table import Cell, Table, TableRow


def print_tables(tables: Sequence[Table], console: Console) -> None:
    """Print tables with their notice, notes and signatures."""
    for table in tables:
        console.print(_body(table, console))
        if table.notice:
            console.print(notice_panel(table.notice))
        for line in table.notes:
            console.print(rich_text(line, "dim"))
        if table.signatures:
            console.print(Text("signatures", style="bold"))
        for signature in table.signatures:
            console.print(rich_text(signature), soft_wrap=True, style="dim")
        console.print()


def print_list(table: Table, console: Console, *, ruled: bool = True) -> None:
    """Headings and rows alone, without a frame. ruled: a line stands below the headings."""
    drawn = RichTable(box=box.SIMPLE_HEAD, pad_edge=False)
    if not ruled:
        drawn = RichTable(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for column in table.columns:
        justify = "left" if column.left else "right"
        if column.folds:
            drawn.add_column(Text(column.heading), min_width=10, overflow="fold")
        else:
            drawn.add_column(Text(column.heading), justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for row in table.rows:
        drawn.add_row(*map(_stacked, row.cells))
    console.print(drawn)


def notice_panel(notice: str) -> Panel:
    """The notice that must not be overlooked, in a frame."""
    text = rich_text(notice, "bold")
    return Panel(text, title="NOTICE", border_style="yellow", box=box.HEAVY, padding=(0, 1))


def _body(table: Table, console: Console) -> RenderableType:
    wide = _by_rows(table)
    return wide if not table.turns or _fits(wide, console) else _by_columns(table, console)


def _fits(wide: RichTable, console: Console) -> bool:
    """Whether no cell has to be wrapped."""
    unlimited = console.options.update(width=10_000)
    return Measurement.get(console, unlimited, wide).maximum <= console.width


def _by_rows(table: Table) -> RichTable:
    drawn = _framed(table.title)
    for column in table.columns:
        justify = "left" if column.left else "right"
        drawn.add_column(rich_text(column.heading), justify=justify, no_wrap=table.turns)  # type: ignore[arg-type]
    for row in table.rows:
        drawn.add_row(*map(_stacked, row.cells))
    return drawn


def _by_columns(table: Table, console: Console) -> RenderableType:
    """Columns as rows; as many rows side by side as the width allows, at least one."""
    label = max(map(len, table.headings))
    blocks: list[list[TableRow]] = [[]]
    used = label + 4
    for row in table.rows:
        width = max(len(line) for cell in row.cells for line in (cell.text, cell.detail)) + 3
        if blocks[-1] and used + width > console.width:
            blocks.append([])
            used = label + 4
        blocks[-1].append(row)
        used += width
    return Group(*(_block(table, block) for block in blocks))


def _block(table: Table, rows: Sequence[TableRow]) -> RichTable:
    drawn = _framed(table.title)
    drawn.add_column(rich_text(table.headings[0]), no_wrap=True)
    for row in rows:
        heading = rich_text(row.cells[0].text, "bold")
        drawn.add_column(heading, justify="right", overflow="fold")
    for index, name in enumerate(table.headings[1:], start=1):
        drawn.add_row(rich_text(name), *(_stacked(row.cells[index]) for row in rows))
    return drawn


def _framed(title: str) -> RichTable:
    return RichTable(
        title=rich_text(title), title_justify="left", box=box.ROUNDED, title_style="bold"
    )


def _stacked(cell: Cell) -> Text:
    """The cell's text, and its detail in a line below."""
    detail = Text(printable(cell.detail), style="dim")
    return Text("\n").join(part for part in (rich_text(cell.text), detail) if part)
