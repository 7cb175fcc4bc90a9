"""``facebench export``: a model as a file for other runtimes, checked against the model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from facebench.base.options import ASIDE, Option
from facebench.cli.errors import importing
from facebench.cli.lab import KINDS
from facebench.cli.options import QuietOption, takes
from facebench.models.embedders.options import ModelOptions

_INPUT, _CHECK, _RESULT = "Input of a model without a card", "Check", "Result"
_OF_MODEL = {
    "size": Option(_INPUT, "112x96"),
    "colour": Option(_INPUT, "rgb or bgr"),
    "normalise": Option(_INPUT, "imagenet, half or arcface"),
    "flip": Option(_INPUT, "none, add, normalised-add, concat"),
    "untrusted": None,
}


@takes((ASIDE, _RESULT, _INPUT, _CHECK), _OF_MODEL, options=ModelOptions)
def command(
    model: Annotated[
        str,
        typer.Argument(
            help=f"A name, a card, or package.module:factory of a torch module. {KINDS}"
        ),
    ],
    to: Annotated[Literal["onnx", "torch-export"], typer.Option("--to", help="The file's format.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "--output",
            "-o",
            rich_help_panel=_RESULT,
            help="The file, its card is put beside it; default: MODEL_onnx.onnx, MODEL_export.pt2.",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", rich_help_panel=_RESULT, help="A file that exists.")
    ] = False,
    protocol: Annotated[
        list[str] | None,
        typer.Option("--protocol", "-p", rich_help_panel=_CHECK, help="Records that must agree."),
    ] = None,
    data: Annotated[
        str | None, typer.Option(rich_help_panel=_CHECK, help="--data of those records.")
    ] = None,
    workers: Annotated[
        int, typer.Option(min=0, rich_help_panel=_CHECK, help="Processes that read images.")
    ] = 1,
    quiet: QuietOption = False,
    *,
    options: ModelOptions,
) -> None:
    """Write a model as an ONNX or torch.export file, with a card, if it gives the same there.

    Exit code 1: it does not, and nothing was written.

    Example: facebench export sparse_074 --to onnx --protocol lfw
    """
    with importing():
        from facebench.base.errors import UserError
        from facebench.base.text import size_text
        from facebench.evaluation.export import export_model
    if data is not None and not protocol:
        raise UserError("--data is of --protocol; name one, such as --protocol lfw")
    made = export_model(
        model,
        to,
        output,
        options=options,
        protocols=protocol or [],
        data=data,
        overwrite=overwrite,
        workers=workers,
        progress=not quiet,
    )
    for text in (made.embeddings.text, *(check.text for check in made.records)):
        typer.echo(text)
    if not made.equal:
        typer.echo(f"not written: {made.file} would not give what {model} gives", err=True)
        raise typer.Exit(1)
    typer.echo(f"{made.file} ({size_text(made.size)}), card {made.card}")
    if made.packed is not None and made.packed < made.size:
        typer.echo(
            f"larger than the {size_text(made.packed)} of {model}'s own weights: the program has "
            "float32 values, and a zero for each dropped weight"
        )
