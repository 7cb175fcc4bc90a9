"""``facebench eval``: models on protocols, one table per protocol and data set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from facebench.base.errors import UserError
from facebench.base.options import ASIDE, FACES, HOW, INPUT, MACHINE
from facebench.cli.errors import importing
from facebench.cli.lab import KINDS
from facebench.cli.options import (
    ClusterOption,
    QuietOption,
    embeddings_option,
    names_option,
    plot_width_option,
    require_one_runtime,
    takes,
    without_effect_on_embeddings,
)
from facebench.cli.output import ColumnsOption, DigitsOption, OutputOption, RowsOption, choice_of
from facebench.cli.results import Format, Outputs
from facebench.embedding.rows.shards import has_names
from facebench.models.embedders.options import ModelOptions
from facebench.protocols.settings import Settings

Strings = list[str] | None
Files = list[Path] | None
_WHAT, _RESULT = "What is evaluated", "Result"


@takes((ASIDE, _WHAT, FACES, INPUT, HOW, MACHINE, _RESULT), options=ModelOptions, settings=Settings)
def command(
    context: typer.Context,
    model: Annotated[
        Strings,
        typer.Option(
            "--model",
            "-m",
            rich_help_panel=_WHAT,
            help="A name of the zoo, a card.toml, an .onnx, .pt or .pt2 file, or "
            f"package.module:factory; may be repeated, the first is the reference. {KINDS}",
        ),
    ] = None,
    protocol: Annotated[
        Strings,
        typer.Option(
            "--protocol",
            "-p",
            rich_help_panel=_WHAT,
            help="See `facebench protocols`; may be repeated.",
        ),
    ] = None,
    weights: Annotated[
        Strings,
        typer.Option(
            rich_help_panel=_WHAT,
            help="Weights for the one package.module:factory among the models: a state dict, alone "
            "or in a checkpoint, or safetensors; a pattern in quotes ('runs/*/ckpt.pt') is a model "
            "for each file; may be repeated.",
        ),
    ] = None,
    parent: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=_WHAT,
            help="What models that are not of the zoo were made of: the ratio is to all of its "
            "parameters. Default: their card's parent, or the first model.",
        ),
    ] = None,
    embeddings: Annotated[Files, embeddings_option(_WHAT)] = None,
    names: Annotated[Files, names_option(_WHAT)] = None,
    scores: Annotated[
        Files,
        typer.Option(
            rich_help_panel=_WHAT,
            help="A table (CSV, Parquet) of image_a, image_b and score, or distance, instead of a "
            "model; with the column same it is the list of pairs, too.",
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=FACES.title,
            help="A folder, a .bin file, or `synthetic`. Without it what is installed, and for "
            "lfw (and its searches), ytf and ijba otherwise their synthetic twins.",
        ),
    ] = None,
    format: Annotated[
        Format,
        typer.Option(rich_help_panel=_RESULT, help="Of the result on standard output."),
    ] = "table",
    output: OutputOption = None,
    out: Annotated[
        Path | None,
        typer.Option(rich_help_panel=_RESULT, help="Folder of the records; default: the cache."),
    ] = None,
    columns: ColumnsOption = None,
    rows: RowsOption = None,
    digits: DigitsOption = None,
    plot: Annotated[
        Path | None,
        typer.Option(rich_help_panel=_RESULT, help="Curves (ROC, DIR, CMC): .png, .svg or .pdf."),
    ] = None,
    history: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=_RESULT,
            help="Accuracy against kept parameters, each model against the first: .png, .svg or "
            ".pdf.",
        ),
    ] = None,
    plot_width: Annotated[str | None, plot_width_option(_RESULT)] = None,
    profile: Annotated[
        bool,
        typer.Option("--profile", rich_help_panel=_RESULT, help="Say where the time went."),
    ] = False,
    cluster: ClusterOption = None,
    quiet: QuietOption = False,
    *,
    options: ModelOptions,
    settings: Settings,
) -> None:
    """Evaluate models on protocols.

    Example: facebench eval -m sparse_074 -m baseline -p lfw --data ~/lfw --plot roc.png
    """  # fmt: skip
    started = perf_counter()
    outputs = Outputs(
        format,
        output,
        out,
        plot=plot,
        history=history,
        profile=profile,
        quiet=quiet,
        choice=choice_of(format, columns, rows, digits),
        digits=digits,
        plot_width=plot_width,
    ).checked()
    given = brought(embeddings or [], names or [])
    if not (model or given or scores):
        raise UserError("name a model with --model (`facebench models` lists them)")
    if not protocol:
        raise UserError("name a protocol with --protocol (`facebench protocols` lists them)")

    if not model:
        _require_effect_on_embeddings(context)
    with importing():
        from facebench.base.threads import keep_freed_memory
        from facebench.evaluation.evaluate import evaluate_many

    if cluster is not None:
        if not model or not settings.store:
            raise UserError(
                f"--cluster {cluster} embeds faces by a --model and keeps them in the store; leave "
                "it out"
            )
        require_one_runtime(settings, f"--cluster {cluster}")
        with importing():
            from facebench.cli.cluster import fill_on

        chosen = replace(settings, progress=not quiet)
        fill_on(cluster, model, protocol, data, weights, options, chosen)
    keep_freed_memory()
    records = evaluate_many(
        model or [],
        protocol,
        data,
        embeddings=given,
        scores=scores or [],
        weights=weights,
        parent=parent,
        options=options,
        on_record=outputs.save,
        **vars(replace(settings, progress=not quiet)),
    )
    outputs.write(records, perf_counter() - started)


def brought(embeddings: list[Path], names: list[Path]) -> list[tuple[Path, Path | None]]:
    """Each with its names; those that bring their own may have none."""
    nameless = [path for path in embeddings if not has_names(path)]
    if len(names) not in (len(embeddings), len(nameless)):
        raise UserError(
            f"{len(embeddings)} --embeddings and {len(names)} --names; give the names of the rows "
            "of every .npy file"
        )
    waiting = iter(names)
    every = len(names) == len(embeddings)
    return [(path, next(waiting) if every or path in nameless else None) for path in embeddings]


def _require_effect_on_embeddings(context: typer.Context) -> None:
    if given := without_effect_on_embeddings(context, Settings, ModelOptions):
        raise UserError(
            f"{', '.join(given)} can have no effect on embeddings that exist already; leave it "
            "out, or name a --model"
        )
