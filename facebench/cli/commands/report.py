"""``facebench report``: the papers' tables, and comparisons of any models."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from facebench.base.errors import UserError
from facebench.base.text import places, printable
from facebench.cli.errors import importing
from facebench.cli.output import (
    ColumnsOption,
    DigitsOption,
    RowsOption,
    choice_of,
    require_folder,
    show_table,
)

if TYPE_CHECKING:
    from facebench.records.find import Finder
    from facebench.records.record import Record
    from facebench.reports.card import ReportCard
    from facebench.reports.cells import FilledCard
    from facebench.reports.formats import ReportFormat
    from facebench.reports.missing import Order
    from facebench.tables.table import Choice, Table

ReportOrAll = Literal[
    "table", "md", "html", "csv", "latex", "all",
    "parquet", "every-eval-ever", "model-index", "eval-results", "values", "bibtex",
]  # fmt: skip
DEFAULT_FOLDER = Path("facebench-report")
INDEX = "index"
_WHAT, _HOW, _RESULT = "What is reported", "How", "Result"


def command(
    what: Annotated[
        str,
        typer.Argument(
            help="A card's name (`facebench report list`), a card.toml, a group of cards "
            "(`paper`), `list`, or `run` and records."
        ),
    ],
    files: Annotated[
        list[str] | None,
        typer.Argument(
            help="After `run`: record files, or evaluated models, in the table's order."
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model", "-m", rich_help_panel=_WHAT, help="Of `compare`; first: reference."
        ),
    ] = None,
    records: Annotated[
        list[Path] | None,
        typer.Option(
            rich_help_panel=_WHAT,
            help="A folder of records, looked at before the committed ones and the cache's.",
        ),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            "--protocol", "-p", rich_help_panel=_WHAT, help="Of `run`, of models named by name."
        ),
    ] = None,
    similarity: Annotated[
        Literal["cosine", "joint-bayesian", "projection"] | None,
        typer.Option(
            rich_help_panel=_WHAT,
            help="Of all rows, in place of the card's; of `run`, of models named by name.",
        ),
    ] = None,
    run_missing: Annotated[
        bool, typer.Option("--run-missing", rich_help_panel=_HOW, help="Make the missing records.")
    ] = False,
    data: Annotated[
        str | None,
        typer.Option(rich_help_panel=_HOW, help="Of --run-missing: a folder, or `synthetic`."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(rich_help_panel=_HOW, help="Of --run-missing: folder of the records."),
    ] = None,
    format: Annotated[
        ReportOrAll | None,
        typer.Option(
            rich_help_panel=_RESULT,
            help="Default: table in a terminal, else md; of a group of cards: all (md, html, "
            "csv, latex). The last six "
            "write the records themselves.",
        ),
    ] = None,
    output_dir: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=_RESULT,
            help="Folder of the files; default: standard output, or facebench-report for `all`.",
        ),
    ] = None,
    columns: ColumnsOption = None,
    rows: RowsOption = None,
    digits: DigitsOption = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", rich_help_panel=_RESULT, help="Say nothing else.")
    ] = False,
) -> None:
    """Write the papers' tables with measured values beside the papers'.

    Example: facebench report table3 --format html --output-dir report
    """
    if files and what != "run":
        raise UserError(f"records follow `run`; {files[0]} follows {what!r}")
    if protocol is not None and what != "run":
        raise UserError(f"--protocol is of `run`; {what!r} names its own, leave --protocol out")
    choice = choice_of(format, columns, rows, digits)
    writer = Writer(format, output_dir, quiet, choice, digits)
    writer.check()
    if out is not None or run_missing:
        with importing():
            from facebench.records.files import default_folder
        require_folder(out or default_folder(), "--out")
    with importing():
        from facebench.reports.card import cards_named, groups, report_paths
    if what == "list":
        _list()
        return
    if what == "run":
        _run(files or [], writer, records or [], protocol, similarity)
        return
    cards = cards_named(what)
    grouped = not what.endswith(".toml") and what not in report_paths() and what in groups()
    if grouped:
        writer.format = writer.format or "all"
        writer.check()
        writer.require_place_for(len(cards))
    from facebench.base.storage import files_as_they_are
    from facebench.records.find import Finder
    from facebench.reports.build import fill_card, with_rows

    with files_as_they_are():  # evaluating what is missing changes no card
        named = [*(records or []), *([out] if out and out.exists() else [])]
        finder = Finder.of(named)
        cards = [with_rows(card, finder, model or (), similarity) for card in cards]
        tables = {card.name: fill_card(card, finder) for card in cards}
        if run_missing and _run_missing(tables, data, out, finder, quiet):
            tables = {card.name: fill_card(card, finder) for card in cards}
        tables = _chosen(tables, choice)
        for line in finder.skipped:
            writer.say(f"skipped: {line}")
        for card in cards:
            writer.report(card, tables[card.name], data, grouped=grouped)
        if grouped:
            writer.index(what, tables, data)
        writer.finish()
        writer.say_missing([table for made in tables.values() for table in made], data)


def _chosen(tables: dict[str, list[FilledCard]], choice: Choice) -> dict[str, list[FilledCard]]:
    """The tables with a choice of columns and rows; UserError where it names what none has."""
    from facebench.reports.table import report_table

    if choice.columns or choice.rows:
        choice.require([report_table(one) for made in tables.values() for one in made])
    return {name: [replace(one, choice=choice) for one in made] for name, made in tables.items()}


class Writer:
    """Writes to standard output or into a folder; what else there is to say: standard error."""

    def __init__(
        self,
        format: ReportOrAll | None,
        folder: Path | None,
        quiet: bool,
        choice: Choice,
        digits: int | None,
    ) -> None:
        self.format, self.folder, self.quiet = format, folder, quiet
        self.choice, self.digits = choice, digits
        self._files: dict[Path, bytes] = {}
        self._heading = ""  # of the CSV that stands on standard output already
        self._exchanged: list[Record] = []

    def check(self) -> None:
        """UserError, before any work, where nothing can be written into the folder."""
        folder = self._target()
        if self.format == "table" and folder is not None:
            raise UserError("--format table is of the terminal; leave --output-dir out")
        if self.format == "parquet" and folder is None:
            raise UserError("--format parquet is no text; name a folder with --output-dir")
        if folder is not None:
            require_folder(folder, "--output-dir")

    def require_place_for(self, pages: int) -> None:
        """UserError, before any work, where several pages would be one text."""
        if self.format == "html" and pages > 1 and self.folder is None:
            raise UserError(
                f"--format html makes {pages} pages and their index; name a folder with "
                "--output-dir"
            )

    def report(
        self, card: ReportCard, tables: list[FilledCard], data: str | None, *, grouped: bool
    ) -> None:
        """All formats of one card; pages of a group link to their index."""
        from facebench.reports.formats import render_report

        self._exchange([record for table in tables for record in table.records])
        if self._on_terminal():
            from facebench.reports.table import report_table

            with places(self.digits):
                self._show(list(map(report_table, tables)))
            return
        index = f"{INDEX}.html" if grouped and self._target() else None
        for format in self._formats():
            with places(self.digits):
                text = render_report(format, tables, card.title, data, index)
            self._write(card.name, format, text)

    def index(self, group: str, made: dict[str, list[FilledCard]], data: str | None) -> None:
        """The list of a group's tables, beside their files, as a page and as Markdown."""
        from facebench.reports.formats import ENDINGS, render_index

        if self._target() is None:
            return
        if INDEX in made:
            raise UserError(f"report {group}: a card is called {INDEX!r}, as the list of all is")
        order: tuple[ReportFormat, ...] = ("html", "md", "csv", "latex")
        lists: tuple[Literal["md", "html"], ...] = ("md", "html")
        formats = [format for format in order if format in self._formats()]
        files = [(format, ENDINGS[format]) for format in formats]
        for kind in lists:
            if kind in formats:
                text = render_index(kind, list(made.items()), files, group, data)
                self._write(INDEX, kind, text)

    def records(self, records: list[Record]) -> None:
        """All formats of a table of records."""
        from facebench.reports.formats import render_records

        self._exchange(records)
        if self._on_terminal():
            from facebench.tables.records import record_tables

            with places(self.digits):
                tables = record_tables(records)
                self.choice.require(tables)
                self._show(list(map(self.choice.of, tables)))
            return
        for format in self._formats():
            with places(self.digits):
                text = render_records(format, records, self.choice)
            self._write("run", format, text)

    def say_missing(self, tables: list[FilledCard], data: str | None) -> None:
        """How many cells are missing, and the commands that make them."""
        from facebench.reports.missing import orders_of

        number = sum(len(table.missing) for table in tables)
        orders = orders_of(tables, data)
        if number:
            state = "--run-missing or these make" if orders else "no command makes"
            rest = "" if orders else " them yet; the tables say why"
            cells = "1 cell is" if number == 1 else f"{number} cells are"
            self.say(f"{cells} missing; {state}{' what can be made:' if orders else rest}")
        for order in orders:
            self.say(f"  {order.command}")

    def say(self, line: str) -> None:
        """One line on standard error, unless it is to be quiet."""
        if not self.quiet:
            print(printable(line), file=sys.stderr)

    def _on_terminal(self) -> bool:
        """Whether tables are shown as other commands show theirs."""
        asked = self.format is None and self.folder is None and sys.stdout.isatty()
        return self.format == "table" or asked

    def _show(self, tables: list[Table]) -> None:
        from facebench.cli.output import table_text

        sys.stdout.write(table_text(tables, "table", ""))

    def _formats(self) -> list[ReportFormat]:
        from facebench.reports.formats import FORMATS

        return [
            f for f in FORMATS if self.format in (f, "all") or (self.format is None and f == "md")
        ]

    def _target(self) -> Path | None:
        """The folder of the files; None: standard output."""
        return self.folder or (DEFAULT_FOLDER if self.format == "all" else None)

    def _write(self, name: str, format: ReportFormat, text: str) -> None:
        from facebench.reports.formats import ENDINGS

        folder = self._target()
        if folder is None:
            heading, _, rows = text.partition("\n")
            if format == "csv" and heading == self._heading:  # one table, which a program can read
                text = rows
            self._heading = heading
            sys.stdout.write(text)
        else:
            self._files[folder / f"{name}{ENDINGS[format]}"] = text.encode()

    def _exchange(self, records: list[Record]) -> None:
        """Keep records for a format of whole records, if such a one is asked for."""
        from facebench.records.exchange import EXCHANGE_FORMATS

        if self.format in EXCHANGE_FORMATS:
            self._exchanged += records

    def _write_exchanged(self) -> None:
        """The files of a format of whole records, each record once; UserError: there is none."""
        from facebench.records.exchange import EXCHANGE_FORMATS, exchanged

        if self.format not in EXCHANGE_FORMATS:
            return
        records = list({record.digest(): record for record in self._exchanged}.values())
        if not records:
            raise UserError(f"--format {self.format}: there is no record to write")
        files = exchanged(self.format, records, "records")
        if self.folder is not None:
            self._files |= {self.folder / path: content for path, content in files.items()}
        elif len(files) == 1:
            sys.stdout.write(next(iter(files.values())).decode())
        else:
            raise UserError(
                f"--format {self.format} makes {len(files)} files; name a folder with --output-dir"
            )

    def finish(self) -> None:
        """Write all files, as one step."""
        from facebench.base.storage import write_together

        self._write_exchanged()
        write_together(self._files)
        for path in self._files:
            self.say(f"report: {path}")


def _run(
    names: list[str],
    writer: Writer,
    folders: list[Path],
    protocol: str | None,
    similarity: str | None,
) -> None:
    """A table of records, by file or by the model's name."""
    from facebench.records.agreement import require_recounted
    from facebench.records.find import named_in

    if not names:
        raise UserError(
            "report run: name record files, e.g. reports/results/lfw/…/*.json, or evaluated models"
        )
    records = named_in(folders, names, protocol, similarity)
    for record in records:
        require_recounted(record)
    writer.records(records)
    writer.finish()


def _run_missing(
    tables: dict[str, list[FilledCard]],
    data: str | None,
    out: Path | None,
    finder: Finder,
    quiet: bool,
) -> bool:
    """Whether anything was made; every record is saved as soon as it is there."""
    from facebench.reports.missing import orders_of

    orders = orders_of((table for made in tables.values() for table in made), data)
    for order in orders:
        if not quiet:
            print(printable(order.command), file=sys.stderr)
        _evaluate(order, out, finder, quiet)
    return bool(orders)


def _evaluate(order: Order, out: Path | None, finder: Finder, quiet: bool) -> None:
    from facebench.base.threads import keep_freed_memory
    from facebench.evaluation.evaluate import evaluate_many
    from facebench.records.files import default_folder, save_record

    keep_freed_memory()
    evaluate_many(
        order.models,
        order.protocols,
        order.data,
        similarity=order.similarity,
        pooling=order.pooling,
        template=order.template,
        progress=not quiet,
        on_record=lambda record: finder.add(save_record(record, out or default_folder())),
    )


def _list() -> None:
    from facebench.reports.card import list_reports
    from facebench.tables.table import list_of

    rows = (
        (card.name, card.group or "", str(len(card.rows) or "any"), " ".join(card.protocols),
         card.title)
        for card in list_reports()
    )  # fmt: skip
    show_table(list_of(("name", "group", "rows", "protocols", "title"), rows), "ruled")
