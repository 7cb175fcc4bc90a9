"""``facebench store``: the embeddings that are kept, and how to be rid of them."""

from __future__ import annotations

from typing import Annotated

import typer

from facebench.base.errors import UserError
from facebench.base.text import printable
from facebench.cli.output import show_table
from facebench.embedding.store import EmbeddingStore
from facebench.tables.table import Column, list_of

_NUMBERS = ("embedded", "of", "size")
app = typer.Typer(
    help="List and clear the embeddings that are kept.\n\nExample: facebench store list",
    no_args_is_help=True,
)


@app.command("list")
def list_() -> None:
    """Show the embeddings that are kept, and where. Example: facebench store list"""
    store = EmbeddingStore()
    rows = [
        (run.model, run.source, f"{run.stored:,}", f"{run.faces:,}", _megabytes(run.bytes))
        for run in store.entries()
    ]
    if rows:
        show_table(list_of(("model", "faces of", *map(Column, _NUMBERS)), rows), "ruled")
    typer.echo(f"{_megabytes(store.size())} in {store.folder}")


@app.command()
def clear(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove all embeddings that no evaluation is using now; the next one makes its own again.

    Example: facebench store clear --yes
    """
    store = EmbeddingStore()
    if not yes and not typer.confirm(f"Remove {_megabytes(store.size())} in {store.folder}?"):
        typer.echo("nothing was removed")
        return
    done = store.clear()
    typer.echo(f"{_megabytes(done.freed)} removed from {store.folder}")
    if done.used:
        typer.echo(f"{done.used} that an evaluation uses now stay")
    for folder in done.others:
        typer.echo(f"{printable(str(folder))} stays: it holds files that facebench did not make")
    if done.failed:
        folder, why = done.failed[0]
        more = f" (and {len(done.failed) - 1} more)" if len(done.failed) > 1 else ""
        raise UserError(f"{folder}{more} could not be removed: {why}")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
