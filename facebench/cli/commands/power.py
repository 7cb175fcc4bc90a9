"""``facebench power``: the smallest difference that can be seen, and how many people would do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

import typer

from facebench.base.errors import UserError
from facebench.base.options import percent_level
from facebench.cli.errors import importing
from facebench.cli.options import NamedSimilarity, records_option, similarity_option
from facebench.cli.output import OutputOption, require_outputs, table_text, write

PowerFormat = Literal["table", "md", "html", "json", "csv"]
_OF, _HOW, _RESULT = "Of what", "How", "Result"
_POINTS = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*(?:pts?)", re.IGNORECASE)


def command(
    drop: Annotated[
        str,
        typer.Option(rich_help_panel=_OF, help="A difference in points of percent, e.g. 0.3pt."),
    ],
    models: Annotated[
        list[str] | None,
        typer.Argument(
            help="Records or models that were evaluated: a base and candidates, whose "
            "differences vary over people; one: it and those most like it; none: all."
        ),
    ] = None,
    protocol: Annotated[
        str | None, typer.Option("--protocol", "-p", rich_help_panel=_OF, help="On what.")
    ] = None,
    statistic: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=_OF, help="E.g. accuracy, tar@0.001; default: the protocol's first."
        ),
    ] = None,
    similarity: Annotated[NamedSimilarity | None, similarity_option(_OF)] = None,
    records: Annotated[list[Path] | None, records_option(_OF)] = None,
    level: Annotated[
        float, typer.Option(rich_help_panel=_HOW, help="Of the test, two-sided, in percent.")
    ] = 95.0,
    power: Annotated[
        float, typer.Option(rich_help_panel=_HOW, help="How often it is to be seen, in percent.")
    ] = 80.0,
    format: Annotated[PowerFormat, typer.Option(rich_help_panel=_RESULT)] = "table",
    output: OutputOption = None,
) -> None:
    """Say how small a difference can be seen, and how many people would do for another one.

    Example: facebench power --protocol lfw --drop 0.3pt
    """
    require_outputs({"--output": output})
    shares = [percent_level("--level", level), percent_level("--power", power)]
    share = drop_of(drop)
    with importing():
        from facebench.comparison.power import power as powers
        from facebench.tables.paired.power import power_csv, power_json, power_table
    found = powers(
        models or [],
        drop=share,
        protocol=protocol,
        statistic=statistic,
        similarity=similarity,
        found_in=records or [],
        level=shares[0],
        power=shares[1],
    )
    if format == "json" or format == "csv":
        text = power_json(found) if format == "json" else power_csv(found)
    else:
        text = table_text([power_table(found)], format, "power", file=output is not None)
    write(text, output)


def drop_of(text: str) -> float:
    """``0.3pt`` as a share; UserError: it is no number of points above 0 and below 100."""
    match = _POINTS.fullmatch(text.strip())
    share = float(match[1]) / 100 if match else 0.0
    if not 0 < share < 1:
        raise UserError(f"--drop {text}: give points of percent, above 0 and below 100: 0.3pt")
    return share
