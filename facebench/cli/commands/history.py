"""``facebench history``: accuracy against compression over a sequence of runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from facebench.base.errors import UserError
from facebench.base.text import printable
from facebench.base.vocabulary import Along
from facebench.cli.errors import importing
from facebench.cli.options import plot_width_option
from facebench.cli.output import require_outputs, table_text, write

HistoryFormat = Literal["table", "md", "html", "csv"]


def command(
    folder: Annotated[Path, typer.Argument(help="A folder of records, e.g. of a pruning run.")],
    statistic: Annotated[
        str | None,
        typer.Option(help="E.g. accuracy, tar@0.001; default: the protocol's first."),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(help="A model, or the beginning of a digest; default: the first run."),
    ] = None,
    x: Annotated[
        Along | None,
        typer.Option(
            "--x",
            help="What runs are drawn along, and the table's first column; default: kept "
            "parameters, or bytes where a run does not tell them.",
        ),
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw it: .png, .svg or .pdf.")] = None,
    plot_width: Annotated[str | None, plot_width_option()] = None,
    format: Annotated[
        HistoryFormat, typer.Option(help="Of the result on standard output.")
    ] = "table",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the result here.")
    ] = None,
) -> None:
    """Show runs in the order in which they were made, and which fell significantly first.

    Each run is tested against the first, or --reference; p-values are corrected for their number
    (Holm).

    Example: facebench history runs --plot history.svg
    """
    require_outputs({"--plot": plot, "--output": output})
    with importing():
        from facebench.comparison.history import history
        from facebench.figures.files import plot_format
        from facebench.figures.files import plot_width as inches_of
        from facebench.tables.history import histories_csv, history_table
    if plot is not None:
        plot_format(plot)
    elif plot_width is not None:
        raise UserError("--plot-width is of a plot; add --plot FILE")
    inches = inches_of(plot_width)
    found = history(folder, statistic, reference=reference, x=x)
    if format == "csv":
        text = histories_csv(found)
    else:
        tables = list(map(history_table, found))
        text = table_text(tables, format, "history", file=output is not None)
    write(text, output)
    if plot is not None:
        from facebench.figures.history import not_drawn, save_history_plot

        save_history_plot(found, plot, width=inches)
        for line in (f"plot: {plot}", *not_drawn(found)):
            print(printable(line), file=sys.stderr)
