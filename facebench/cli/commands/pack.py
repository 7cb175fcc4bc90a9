"""``facebench pack``: a record and its scores in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facebench.base.errors import UserError
from facebench.cli.errors import importing
from facebench.cli.output import require_output


def command(
    record: Annotated[str, typer.Argument(help="A record's file, or an evaluated model.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file to write, which ends in .json.")
    ],
    protocol: Annotated[
        str | None, typer.Option("--protocol", "-p", help="Of a model named by name.")
    ] = None,
    similarity: Annotated[
        str | None, typer.Option(help="Of a model named by name: cosine, joint-bayesian ...")
    ] = None,
    records: Annotated[
        list[Path] | None,
        typer.Option(help="A folder of records, looked at first."),
    ] = None,
) -> None:
    """Put a record and its scores into one file, to attach it or to take it elsewhere.

    Example: facebench pack sparse_074 -p lfw -o sparse_074.json
    """
    if output.suffix != ".json":
        raise UserError(f"--output {output}: a record's file ends in .json")
    require_output(output)
    with importing():
        from facebench.base.storage import write_atomically
        from facebench.records.files import whole_json
        from facebench.records.find import named_in

    (found,) = named_in(records or [], [record], protocol, similarity)
    write_atomically(output, whole_json(found))
