"""``facebench threshold``: which threshold to deploy, and what it gives on other people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from facebench.base.options import percent_level
from facebench.cli.errors import importing
from facebench.cli.options import NamedSimilarity, records_option, similarity_option
from facebench.cli.output import require_outputs, table_text, write

ThresholdFormat = Literal["table", "md", "html", "json", "csv"]
_OF, _HOW, _RESULT = "Of what", "How", "Result"


def command(
    model: Annotated[str, typer.Argument(help="A record's file, or a model that was evaluated.")],
    far: Annotated[
        float | None,
        typer.Option(
            rich_help_panel=_OF,
            help="The share of non-mated pairs to accept at most; default: 0.001.",
        ),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            "--protocol", "-p", rich_help_panel=_OF, help="To set it on; of a model named by name."
        ),
    ] = None,
    check: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=_OF,
            help="To check it on: a protocol, or a record's file; default: people are halved.",
        ),
    ] = None,
    use: Annotated[
        Path | None,
        typer.Option(rich_help_panel=_OF, help="Check the threshold of this file instead."),
    ] = None,
    similarity: Annotated[NamedSimilarity | None, similarity_option(_OF)] = None,
    records: Annotated[list[Path] | None, records_option(_OF)] = None,
    prior: Annotated[
        float | None,
        typer.Option(
            rich_help_panel=_HOW,
            help="Of one person in both faces, before they are compared; default: 0.01, or the "
            "file's.",
        ),
    ] = None,
    level: Annotated[
        float, typer.Option(rich_help_panel=_HOW, help="Of the intervals, in percent.")
    ] = 95.0,
    draws: Annotated[
        int, typer.Option(rich_help_panel=_HOW, help="Of the threshold's interval; 0: none.")
    ] = 1000,
    format: Annotated[ThresholdFormat, typer.Option(rich_help_panel=_RESULT)] = "table",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", rich_help_panel=_RESULT, help="Write the threshold here, as JSON."
        ),
    ] = None,
) -> None:
    """Set a threshold for a false match rate, and say what it gives on other people.

    Example: facebench threshold sparse_074 -p lfw --far 0.001 -o threshold.json
    """
    require_outputs({"--output": output})
    share = percent_level("--level", level)
    with importing():
        from facebench.comparison.calibration.threshold import threshold
        from facebench.tables.paired.threshold import threshold_csv, threshold_table
    found = threshold(
        model,
        far=far,
        check=check,
        use=use,
        prior=prior,
        protocol=protocol,
        similarity=similarity,
        found_in=records or [],
        level=share,
        draws=draws,
    )
    if format == "json" or format == "csv":
        text = found.file.to_json() if format == "json" else threshold_csv(found)
    else:
        text = table_text([threshold_table(found)], format, "threshold")
    write(text, None)
    if output is not None:
        write(found.file.to_json(), output, shown=True)
