"""The index of a group of reports: every table, how much of it is measured, and its files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from facebench.figures.curves.layout import COLOURS
from facebench.reports.missing import not_yet, orders_of
from facebench.reports.table import ReportTable
from facebench.tables.html import environment
from facebench.tables.markdown import plain

_FACES = {"real": "photographs", "synthetic": "synthetic (rendered)", None: "none needed"}


@dataclass(frozen=True)
class IndexLine:
    """One table. page: the file that its title leads to, or empty; files: (format, file).

    measured, missing: its cells with a value, and those that should have one; what the paper alone
    gives is neither. ready: of the missing, how many a command makes.
    """

    title: str
    source: str
    faces: str
    measured: int
    missing: int
    ready: int
    page: str
    files: tuple[tuple[str, str], ...]

    @property
    def cells(self) -> int:
        """Cells that are measured or should be."""
        return self.measured + self.missing

    @property
    def percent(self) -> int:
        """The share of them that is measured, rounded down, so that 100 is all."""
        return 100 * self.measured // self.cells if self.cells else 100

    @property
    def missing_text(self) -> str:
        """How the missing ones come to be, or nothing."""
        if not self.missing or self.ready == self.missing:
            return "by the commands below" if self.missing else ""
        return f"{self.ready} by the commands below" if self.ready else "no command makes them yet"


def index_lines(
    reports: Sequence[tuple[str, Sequence[ReportTable]]], formats: Sequence[tuple[str, str]]
) -> list[IndexLine]:
    """A line per table. reports: (card's name, its tables); formats: (name, ending) of the files
    that were written, the one that titles lead to first.
    """
    lines = []
    for name, tables in reports:
        for number, table in enumerate(tables, start=1):
            files = tuple((format, f"{name}{ending}") for format, ending in formats)
            page = files[0][1] if files else ""
            if page.endswith(".html") and len(tables) > 1:
                page = f"{page}#t{number}"
            lines.append(_line(table, page, files))
    return lines


def _line(table: ReportTable, page: str, files: tuple[tuple[str, str], ...]) -> IndexLine:
    measured = sum(cell.value is not None for row in table.rows for cell in row.cells)
    missing = sum(bool(cell.missing) for row in table.rows for cell in row.cells)
    rows = {row.row.label for row in table.rows}
    return IndexLine(
        title=table.title,
        source=table.card.source.text if table.card.source else "",
        faces=_FACES[table.kind],
        measured=measured,
        missing=missing,
        # A mean over an ensemble's members lacks several records, and is one cell.
        ready=min(missing, sum(gap.ready and gap.row.label in rows for gap in table.missing)),
        page=page,
        files=files,
    )


def summary_of(lines: Sequence[IndexLine]) -> str:
    """All tables in one sentence; synthetic faces apart, since they are no result of a paper."""
    parts = []
    for what, wanted in (("", False), (" of synthetic faces", True)):
        chosen = [line for line in lines if line.faces.startswith("synthetic") == wanted]
        if not chosen:
            continue
        measured, cells = sum(line.measured for line in chosen), sum(line.cells for line in chosen)
        tables = f"{len(chosen)} table{'s' if len(chosen) > 1 else ''}{what}"
        parts.append(f"{tables}: {measured:,} of {cells:,} cells are measured")
    return f"{'; '.join(parts)}."


def index_html(
    lines: Sequence[IndexLine],
    tables: Sequence[ReportTable],
    title: str,
    version: str,
    data: str | None = None,
) -> str:
    """The page; data: the --data of the commands for real faces."""
    return (
        environment()
        .get_template("index.html")
        .render(
            lines=lines,
            title=title,
            version=version,
            summary=summary_of(lines),
            orders=orders_of(tables, data),
            not_yet=not_yet(tables),
            colours=COLOURS,
            policy="default-src 'none'; style-src 'unsafe-inline'",
        )
    )


def index_markdown(
    lines: Sequence[IndexLine],
    tables: Sequence[ReportTable],
    title: str,
    version: str,
    data: str | None = None,
) -> str:
    """The same as Markdown, as a folder's README."""
    text = [f"# {plain(title)}", "", f"{summary_of(lines)} Made by facebench {version}.", ""]
    text += [
        "| table | faces | measured | missing | files |",
        "| :--- | :--- | ---: | :--- | :--- |",
    ]
    for line in lines:
        link = f"[{plain(line.title)}]({line.page})" if line.page else plain(line.title)
        source = f"<br><sub>{plain(line.source)}</sub>" if line.source else ""
        missing = f"{line.missing} {plain(line.missing_text)}".strip() if line.missing else "none"
        files = " ".join(f"[{name}]({file})" for name, file in line.files)
        measured = f"{line.measured} of {line.cells}"
        cells = (f"{link}{source}", line.faces, measured, missing, files)
        text.append(f"| {' | '.join(cells)} |")
    orders, others = orders_of(tables, data), not_yet(tables)
    if orders:
        text += ["", "Missing, and made by:", "", "```sh", *(o.command for o in orders), "```"]
    if others:
        text += ["", "Missing for now:", "", *(f"- {plain(line)}" for line in others)]
    return "\n".join(text) + "\n"
