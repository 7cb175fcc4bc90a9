"""Where the records of an evaluation go: a folder, standard output or a file, and a plot."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from facebench.base.errors import UserError
from facebench.base.text import places, printable
from facebench.cli.errors import importing
from facebench.cli.output import kept_in, require_writable, table_text, unwritten, write

if TYPE_CHECKING:
    from facebench.records.record import Record
    from facebench.tables.table import Choice, Table

Format = Literal["table", "json", "md", "html", "csv", "latex"]
FORMATS: tuple[str, ...] = get_args(Format)


@dataclass(frozen=True)
class Outputs:
    """What the user asked for. Standard output carries the result only, standard error the rest."""

    format: Format = "table"
    output: Path | None = None
    records: Path | None = None
    folder: Path | None = None  # of the records, where they can be written
    plot: Path | None = None
    history: Path | None = None
    profile: bool = False
    plot_width: str | None = None
    quiet: bool = False
    choice: Choice | None = None
    digits: int | None = None
    _failed: list[str] = field(default_factory=list)  # what could not be written, and why

    def checked(self) -> Outputs:
        """These, with the folder of the records.

        UserError, before any work, where something could not be written at its end.
        """
        with importing():
            from facebench.figures.files import plot_format, plot_width

        if self.plot is not None:
            plot_format(self.plot)
        if self.plot_width is not None and self.plot is None and self.history is None:
            raise UserError("--plot-width is of a plot; add --plot FILE")
        plot_width(self.plot_width)
        if self.history is not None:
            plot_format(self.history, "--history")
        for option, path in self._files():
            if not path.parent.is_dir():
                raise UserError(f"{option} {path}: there is no folder {path.parent}")
            if path.is_dir():
                raise UserError(f"{option} {path}: is a folder; name a file")
            require_writable(option, path, path.parent)
        with importing():
            from facebench.records.files import default_folder

        self._require_distinct()
        folder = kept_in(self.records, "--out", default_folder)
        return replace(self, folder=folder)

    @property
    def inches(self) -> float | None:
        """The width of plots, None: of a screen."""
        from facebench.figures.files import plot_width

        return plot_width(self.plot_width)

    def _files(self) -> list[tuple[str, Path]]:
        named = (
            ("--output", self.output),
            ("--plot", self.plot),
            ("--history", self.history),
        )
        return [(option, path) for option, path in named if path is not None]

    def _require_distinct(self) -> None:
        files = self._files()
        if len({path.resolve() for _, path in files}) < len(files):
            options = " and ".join(option for option, _ in files)
            raise UserError(f"{options} are the same file, {files[0][1]}; name each once")
        for option, path in files:
            if self.records is not None and path.resolve() in _upwards(self.records):
                raise UserError(f"{option} {path}: is in the way of --out {self.records}")

    def save(self, record: Record) -> None:
        """Save a record as soon as it is there: an error in a later one does not take it along.

        What the disk refuses is told after the result.
        """
        from facebench.records.files import save_record

        if self.folder is None:
            return
        try:
            path = save_record(record, self.folder)
        except OSError as error:
            what = f"the record of {record.model.id} on {record.protocol.name} in {self.folder}"
            self._failed.append(unwritten(what, error))
            return
        self._say(f"record: {path} (digest {record.digest()[:16]})")

    def write(self, records: Sequence[Record], wall: float) -> None:
        """Print, then draw. wall: seconds that all of it took until here.

        UserError, when all that can be written is, where something could not.
        """
        from facebench.tables.records import record_tables

        with places(self.digits):
            tables = record_tables(records)
            with self._going_on():
                self._result(records, tables)
        if self.plot is not None:
            from facebench.figures.curves.plot import save_roc_plot

            with self._going_on(f"--plot {self.plot}"):
                drawn = [table.records for table in tables if table.records]
                save_roc_plot(drawn, self.plot, self.inches)
                self._say(f"plot: {self.plot}")
        if self.history is not None:
            with self._going_on(f"--history {self.history}"):
                self._draw_history(records, self.history)
        if self.profile:
            for line in profile_text(records, wall).splitlines():
                print(printable(line), file=sys.stderr)
        if self._failed:
            raise UserError("; ".join(self._failed))

    def finish(self, text: str, draw: Callable[[Path], None]) -> None:
        """Print a result of another kind, then draw it; errors as `write`. draw: into --plot."""
        with self._going_on():
            write(text, self.output, quiet=self.quiet)
        if self.plot is not None:
            with self._going_on(f"--plot {self.plot}"):
                draw(self.plot)
                self._say(f"plot: {self.plot}")
        if self._failed:
            raise UserError("; ".join(self._failed))

    def _draw_history(self, records: Sequence[Record], path: Path) -> None:
        from facebench.comparison.history import in_order
        from facebench.figures.history import not_drawn, save_history_plot

        found = in_order(records)
        save_history_plot(found, path, "--history", self.inches)
        for line in (f"history: {path}", *not_drawn(found)):
            self._say(line)

    def _result(self, records: Sequence[Record], tables: Sequence[Table]) -> None:
        file = self.output is not None
        text = render(self.format, records, tables, file=file, choice=self.choice)
        write(text, self.output, quiet=self.quiet)

    @contextlib.contextmanager
    def _going_on(self, what: str = "the result") -> Iterator[None]:
        """Whatever cannot be written is told at the end."""
        try:
            yield
        except UserError as error:
            self._failed.append(str(error))
        except OSError as error:
            self._failed.append(unwritten(what, error))

    def _say(self, line: str) -> None:
        if not self.quiet:
            print(printable(line), file=sys.stderr)


def _upwards(path: Path) -> list[Path]:
    """The path and the folders that it is in, innermost first."""
    whole = path.resolve()
    return [whole, *whole.parents]


def render(
    format: Format,
    records: Sequence[Record],
    tables: Sequence[Table],
    *,
    file: bool = False,
    choice: Choice | None = None,
) -> str:
    """Records in a format, as text. file: it goes to one; choice: of columns and rows."""
    if format == "json" or format == "csv":
        from facebench.tables.exports import records_csv, records_json

        return records_json(records) if format == "json" else records_csv(records)
    title = "; ".join(table.title for table in tables if table.records)
    return table_text(tables, format, title, file=file, choice=choice)


def profile_text(records: Sequence[Record], wall: float) -> str:
    """Where the time went: of every record, and the network's share of the whole command."""
    lines = []
    for record in records:
        parts = ", ".join(f"{name} {value:.2f} s" for name, value in record.run.seconds.items())
        lines.append(f"{record.protocol.name} {record.model.id}: {parts}")
    network = sum(record.run.seconds.get("network", 0.0) for record in records)
    share = network / wall if wall else 0.0
    lines.append(f"network {network:.2f} s of {wall:.2f} s wall time: {share:.1%}")
    return "\n".join(lines)
