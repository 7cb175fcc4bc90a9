"""``facebench degrade``: models on a protocol as it is and on harder faces, in one table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from facebench.base.errors import UserError
from facebench.base.options import ASIDE, FACES, HOW, INPUT, MACHINE
from facebench.cli.errors import importing
from facebench.cli.lab import KINDS
from facebench.cli.options import DataOption, QuietOption, plot_width_option, takes
from facebench.cli.output import OutputOption, table_text
from facebench.cli.results import Outputs
from facebench.models.embedders.options import ModelOptions
from facebench.protocols.settings import Settings

DegradeFormat = Literal["table", "md", "html", "json", "csv"]
USUAL = "56px,28px,14px,7px"
_WHAT, _RESULT = "What is evaluated", "Result"


@takes((ASIDE, _WHAT, FACES, INPUT, HOW, MACHINE, _RESULT), options=ModelOptions, settings=Settings)
def command(
    models: Annotated[
        list[str],
        typer.Argument(help=f"Models as of `facebench eval`, the first the reference. {KINDS}"),
    ],
    protocol: Annotated[
        str,
        typer.Option(
            "--protocol", "-p", rich_help_panel=_WHAT, help="One of `facebench protocols`."
        ),
    ] = "lfw",
    degrade: Annotated[
        str,
        typer.Option(
            rich_help_panel=_WHAT,
            help="With commas between: rows of pixels (14px), JPEG of a quality (jpeg20), blur of "
            "a sigma (blur2), a share of the light (dark0.25), several with + (28px+jpeg20); "
            ".probe at the end: one side of each comparison.",
        ),
    ] = USUAL,
    data: DataOption = None,
    format: Annotated[DegradeFormat, typer.Option(rich_help_panel=_RESULT)] = "table",
    output: OutputOption = None,
    out: Annotated[
        Path | None,
        typer.Option(rich_help_panel=_RESULT, help="Folder of the records; default: the cache."),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(rich_help_panel=_RESULT, help="The figure: .png, .svg or .pdf."),
    ] = None,
    plot_width: Annotated[str | None, plot_width_option(_RESULT)] = None,
    quiet: QuietOption = False,
    *,
    options: ModelOptions,
    settings: Settings,
) -> None:
    """Evaluate models on faces as they are and on harder ones: small, JPEG, blurred, dark.

    Example: facebench degrade sparse_074 sparse_012 --degrade 28px,14px --data ~/lfw --plot a.png
    """  # fmt: skip
    outputs = Outputs("table", output, out, plot=plot, quiet=quiet, plot_width=plot_width).checked()
    if "," in settings.template:
        raise UserError(f"--template {settings.template}: a sweep takes one; name one")
    from facebench.faces.degrade.names import JOIN, parse_several
    from facebench.protocols.cards import load_protocol

    if load_protocol(protocol).degradation is not None:
        raise UserError(f"-p {protocol}: name the protocol alone, and what is done with --degrade")
    names = [f"{protocol}{JOIN}{one}" for one in parse_several(degrade, "--degrade")]
    with importing():
        from facebench.base.threads import keep_freed_memory
        from facebench.comparison.degradation import sweep_of
        from facebench.evaluation.evaluate import evaluate_many
        from facebench.figures.degradation import save_degradation_plot
        from facebench.tables.paired.degradation import (
            degradation_csv,
            degradation_json,
            degradation_table,
        )

    keep_freed_memory()
    records = evaluate_many(
        models,
        [protocol, *names],
        data,
        options=options,
        on_record=outputs.save,
        **vars(replace(settings, progress=not quiet)),
    )
    found = sweep_of(list(records))
    if format == "json" or format == "csv":
        text = degradation_json(found) if format == "json" else degradation_csv(found)
    else:
        text = table_text([degradation_table(found)], format, "degrade", file=output is not None)
    outputs.finish(text, lambda path: save_degradation_plot(found, path, outputs.inches))
