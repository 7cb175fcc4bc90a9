"""``facebench extract``: the embeddings of an evaluation, made beforehand and by many processes."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from facebench.base.errors import UserError
from facebench.base.options import ASIDE, FACES, HOW, INPUT, MACHINE
from facebench.cli.errors import importing
from facebench.cli.lab import KINDS
from facebench.cli.options import (
    ClusterOption,
    DataOption,
    QuietOption,
    WeightsOption,
    require_one_runtime,
    shard_option,
    takes,
)
from facebench.cli.output import require_outputs
from facebench.models.embedders.options import ModelOptions
from facebench.protocols.settings import Settings

_RESULT = "Result"
_TAKEN = (
    "pairs", "landmarks", "landmarks_order", "align", "detector", "on_missing", "frames",
    "threads", "batch", "workers", "size", "colour", "mean", "scale", "normalise", "layout",
    "output", "flip", "precision", "device", "runtime", "untrusted",
)  # fmt: skip


@takes(
    (ASIDE, FACES, INPUT, HOW, MACHINE, _RESULT),
    dict.fromkeys(_TAKEN),
    options=ModelOptions,
    settings=Settings,
)
def command(
    context: typer.Context,
    models: Annotated[
        list[str],
        typer.Argument(metavar="MODEL...", help=f"Names, cards or model files. {KINDS}"),
    ],
    protocol: Annotated[
        list[str],
        typer.Option(
            "--protocol", "-p", help="Whose faces: see `facebench protocols`; may be repeated."
        ),
    ],
    shard: Annotated[str | None, shard_option("make")] = None,
    cluster: ClusterOption = None,
    weights: WeightsOption = None,
    data: DataOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            rich_help_panel=_RESULT,
            help="Write the embeddings of one model as .npy, and their names beside it as .txt.",
        ),
    ] = None,
    quiet: QuietOption = False,
    *,
    options: ModelOptions,
    settings: Settings,
) -> None:
    """Embed the faces of protocols and keep them in the store, where `eval` finds them.

    Example: facebench extract sparse_074 -p lfw --shard 1/4
    """  # fmt: skip
    with importing():
        from facebench.base.threads import keep_freed_memory, torch_threads
        from facebench.embedding.shards import fill, share_of
        from facebench.embedding.store import EmbeddingStore
        from facebench.evaluation.sharing.extraction import (
            extractions,
            words_of,
            write_embeddings,
        )

    share = share_of(shard, os.environ)
    if share is not None:
        require_one_runtime(settings, share.said_by)
    elif cluster is not None:
        require_one_runtime(settings, f"--cluster {cluster}")
    if output is not None:
        _require_one(output, len(models) * len(protocol), weights)
    if cluster is not None:
        if share is not None:
            raise UserError(
                f"--cluster {cluster} divides the work itself, and {share.said_by} would, too; "
                "leave one out"
            )
        with importing():
            from facebench.cli.cluster import fill_on

        fill_on(
            cluster, models, protocol, data, weights, options, replace(settings, progress=not quiet)
        )
    keep_freed_memory()
    store, chosen = EmbeddingStore(), replace(settings, progress=not quiet)
    with torch_threads(chosen.threads):
        options = replace(options, device=_device(context, options.device))
        for one in extractions(
            models, protocol, data, weights=weights, options=options, settings=chosen
        ):
            done = fill(one.job, store, share, chosen.progress)
            typer.echo(words_of(one, done, None if share is None else str(share)))
            if output is not None and not done.complete:
                typer.echo(f"{output} is written once all are there: run again without --shard")
            elif output is not None:
                count = write_embeddings(one.job, store, output)
                typer.echo(f"{count:,} embeddings in {output}, their names in "
                           f"{output.with_suffix('.txt')}")  # fmt: skip


def _require_one(output: Path, count: int, weights: list[str] | None) -> None:
    """UserError, before any work: a file cannot be written, or several models would be in it."""
    if output.suffix != ".npy":
        raise UserError(f"--output {output}: embeddings are written as .npy; name it so")
    require_outputs({"--output": output, "--output (names)": output.with_suffix(".txt")})
    if count > 1 or len(weights or []) > 1:
        raise UserError(f"--output {output} takes one model on one protocol; name one of each")


def _device(context: typer.Context, device: str) -> str:
    """Of the ranks of torchrun each has its own GPU, where there are GPUs and nobody named one."""
    rank = os.environ.get("LOCAL_RANK", "").strip()
    given = context.get_parameter_source("device")
    unsaid = given is None or given.name == "DEFAULT"
    if not rank.isdecimal() or not (unsaid or device == "cuda"):
        return device
    import torch

    return f"cuda:{int(rank)}" if torch.cuda.is_available() else device
