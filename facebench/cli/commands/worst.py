"""``facebench worst``: one model's worst errors, and whom a smaller one hurts most."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from facebench.base.errors import UserError
from facebench.cli.errors import importing
from facebench.cli.options import (
    NamedSimilarity,
    faces_option,
    list_option,
    named_protocol_option,
    records_option,
    similarity_option,
)
from facebench.cli.output import OutputOption, draw_into, require_outputs, table_text, write

WorstFormat = Literal["table", "md", "html", "json", "csv"]
_OF, _HOW, _RESULT = "Of what", "How", "Result"


def command(
    model: Annotated[str, typer.Argument(help="A record's file, or a model that was evaluated.")],
    candidate: Annotated[
        str | None, typer.Argument(help="A smaller one: whom does it hurt most?")
    ] = None,
    protocol: Annotated[str | None, named_protocol_option(_OF)] = None,
    similarity: Annotated[NamedSimilarity | None, similarity_option(_OF)] = None,
    records: Annotated[list[Path] | None, records_option(_OF)] = None,
    data: Annotated[str | None, faces_option(_OF, "them; --sheet needs it")] = None,
    pairs: Annotated[Path | None, list_option(_OF)] = None,
    number: Annotated[
        int, typer.Option("--number", "-n", rich_help_panel=_HOW, help="How many to show.")
    ] = 12,
    by: Annotated[
        Literal["person", "image"] | None,
        typer.Option(
            rich_help_panel=_HOW,
            help="Of two models: whose comparisons count together; default: person, where known.",
        ),
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option(rich_help_panel=_RESULT, help="Draw the faces: a .png, .svg or .pdf file."),
    ] = None,
    format: Annotated[WorstFormat, typer.Option(rich_help_panel=_RESULT)] = "table",
    output: OutputOption = None,
) -> None:
    """Show the comparisons that a model gets most wrong; of two, whom the second hurts most.

    Example: facebench worst baseline sparse_012 -p lfw
    """
    require_outputs({"--sheet": sheet, "--output": output})
    with importing():
        from facebench.figures.worst import save_sheet, worst_with_faces
        from facebench.tables.paired.worst import worst_csv, worst_json, worst_table
    found, faces = worst_with_faces(
        model,
        candidate,
        number=number,
        by=by,
        data=data,
        pairs=pairs,
        sheet=sheet,
        protocol=protocol,
        similarity=similarity,
        found_in=records or [],
    )
    failed = None
    if sheet is not None and faces is not None:
        failed = draw_into(sheet, lambda path: save_sheet(found, faces, path), "--sheet", "sheet")
    if format == "json" or format == "csv":
        text = worst_json(found) if format == "json" else worst_csv(found)
    else:
        text = table_text([worst_table(found)], format, "worst", file=output is not None)
    write(text, output)
    if failed is not None:
        raise UserError(failed)
