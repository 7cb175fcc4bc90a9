"""Tables for a terminal: models as rows where they fit, else models as columns, in blocks."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from facebench.base.text import printable, rich_text
from facebench.tables.records import Cell, Row, TableView


def print_views(views: Sequence[TableView], console: Console) -> None:
    """Print tables with their notice, caption and signatures."""
    for view in views:
        console.print(_body(view, console))
        if view.notice:
            console.print(notice_panel(view.notice))
        for line in view.caption:
            console.print(rich_text(line, "dim"))
        console.print(Text("signatures", style="bold"))
        for row in view.rows:
            console.print(rich_text(row.record.signature), soft_wrap=True, style="dim")
        console.print()


def notice_panel(notice: str) -> Panel:
    """The notice that must not be overlooked, in a frame."""
    text = rich_text(notice, "bold")
    return Panel(text, title="NOTICE", border_style="yellow", box=box.HEAVY, padding=(0, 1))


def _body(view: TableView, console: Console) -> RenderableType:
    wide = _by_rows(view)
    return wide if _fits(wide, console) else _by_columns(view, console)


def _fits(table: Table, console: Console) -> bool:
    """Whether no cell has to be wrapped."""
    unlimited = console.options.update(width=10_000)
    return Measurement.get(console, unlimited, table).maximum <= console.width


def _by_rows(view: TableView) -> Table:
    table = _table(view.title)
    for number, heading in enumerate(view.headings):
        table.add_column(
            rich_text(heading), justify="left" if number == 0 else "right", no_wrap=True
        )
    for row in view.rows:
        table.add_row(*(_stacked(cell) for cell in row.cells))
    return table


def _by_columns(view: TableView, console: Console) -> RenderableType:
    """Statistics as rows; as many models side by side as the width allows, at least one."""
    label = max(len(heading) for heading in view.headings)
    blocks: list[list[Row]] = [[]]
    used = label + 4
    for row in view.rows:
        width = max(len(line) for cell in row.cells for line in (cell.text, cell.detail)) + 3
        if blocks[-1] and used + width > console.width:
            blocks.append([])
            used = label + 4
        blocks[-1].append(row)
        used += width
    return Group(*(_block(view, block) for block in blocks))


def _block(view: TableView, rows: Sequence[Row]) -> Table:
    table = _table(view.title)
    table.add_column(rich_text(view.headings[0]), no_wrap=True)
    for row in rows:
        heading = rich_text(row.cells[0].text, "bold")
        table.add_column(heading, justify="right", overflow="fold")
    for index, name in enumerate(view.headings[1:], start=1):
        table.add_row(rich_text(name), *(_stacked(row.cells[index]) for row in rows))
    return table


def _table(title: str) -> Table:
    return Table(title=rich_text(title), title_justify="left", box=box.ROUNDED, title_style="bold")


def _stacked(cell: Cell) -> Text:
    text = rich_text(cell.text)
    return text.append(f"\n{printable(cell.detail)}", style="dim") if cell.detail else text
