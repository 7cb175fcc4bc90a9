"""``facebench pairs``: all pairs of faces, walked by as many processes as there are."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from facebench.base.errors import UserError
from facebench.base.options import ASIDE, FACES, HOW, INPUT, MACHINE
from facebench.cli.commands.eval import brought
from facebench.cli.errors import importing
from facebench.cli.options import (
    DataOption,
    QuietOption,
    WeightsOption,
    embeddings_option,
    names_option,
    require_one_runtime,
    shard_option,
    takes,
)
from facebench.models.embedders.options import ModelOptions
from facebench.protocols.settings import Settings

_RESULT = "Result"
_TAKEN = (
    "pairs", "landmarks", "landmarks_order", "align", "detector", "faces", "on_missing",
    "similarity", "metric", "template", "template_fit", "threads", "batch", "workers", "store",
    "size", "colour", "mean", "scale", "normalise", "layout", "output", "flip", "precision",
    "device", "runtime", "untrusted",
)  # fmt: skip


@takes(
    (ASIDE, FACES, INPUT, HOW, MACHINE, _RESULT),
    dict.fromkeys(_TAKEN),
    options=ModelOptions,
    settings=Settings,
)
def command(
    protocol: Annotated[
        list[str],
        typer.Option("--protocol", "-p", help="Of the kind all-pairs; may be repeated."),
    ],
    models: Annotated[
        list[str] | None, typer.Argument(metavar="MODEL", help="As of `eval`.")
    ] = None,
    shard: Annotated[str | None, shard_option("walk")] = None,
    weights: WeightsOption = None,
    embeddings: Annotated[list[Path] | None, embeddings_option()] = None,
    names: Annotated[list[Path] | None, names_option()] = None,
    data: DataOption = None,
    quiet: QuietOption = False,
    *,
    options: ModelOptions,
    settings: Settings,
) -> None:
    """Walk a share of all pairs of faces and keep what it found, where `eval` finds it.

    Example: facebench pairs sparse_074 -p lfw-all-pairs --shard 1/2
    """
    with importing():
        from facebench.base.threads import keep_freed_memory, torch_threads
        from facebench.embedding.shards import share_of
        from facebench.evaluation.sharing.pairs import parts_made

    share = share_of(shard, os.environ)
    if share is not None:
        require_one_runtime(settings, share.said_by)
    given = brought(embeddings or [], names or [])
    if not (models or given):
        raise UserError("name a model (`facebench models` lists them), or --embeddings")
    part = (0, 1) if share is None else (share.number - 1, share.of)
    keep_freed_memory()
    with torch_threads(settings.threads):
        for model, name, made in parts_made(
            models or [],
            protocol,
            data,
            part,
            embeddings=given,
            weights=weights,
            options=options,
            settings=replace(settings, progress=not quiet),
        ):
            mine = f"shard {share}: " if share else ""
            there = "all are" if made.present == made.of else f"{made.present:,} are"
            done = "was there"
            if made.pairs is not None:
                done = f"{made.pairs:,} pairs in {made.seconds:.1f} s"
            typer.echo(
                f"{model} on {name}: {mine}{done}, part {part[0] + 1:,} of {made.of:,}; {there} "
                "there"
            )
