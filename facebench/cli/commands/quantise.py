"""``facebench quantise``: the weights of a model in 8 bits, without training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from facebench.cli.errors import importing


def command(
    model: Annotated[str, typer.Argument(help="A name of the zoo or a card.toml.")],
    to: Annotated[Literal["int8"], typer.Option(help="Kind of the new weights.")] = "int8",
    name: Annotated[str | None, typer.Option(help="Of the new model; default: MODEL_int8.")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a model of that name.")
    ] = False,
) -> None:
    """Round a model's weights to int8, per output channel, and write card and weights to ./models.

    Only the weights are rounded, for a smaller file; they are computed with in float32.

    Example: facebench quantise sparse_074 --to int8
    """
    with importing():
        from facebench.models.cards.names import card_for
        from facebench.models.cards.quantise import quantise_model

    made = quantise_model(card_for(model), Path("models"), name, overwrite)
    before, after = made.before / 1e6, made.after / 1e6
    typer.echo(f"{made.card.path}: {before:.2f} MB -> {after:.2f} MB ({after / before:.2f})")
