"""``facebench store``: the embeddings that are kept, and how to be rid of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facebench.base.errors import UserError
from facebench.base.text import printable
from facebench.cli.errors import importing
from facebench.cli.output import show_table
from facebench.embedding.store import EmbeddingStore
from facebench.tables.table import Column, list_of

_NUMBERS = ("embedded", "of", "size")
app = typer.Typer(
    help="List, merge and clear the embeddings that are kept.\n\nExample: facebench store list",
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
def merge(
    folders: Annotated[
        list[Path],
        typer.Argument(help="Caches (FACEBENCH_CACHE) or stores of other machines, as copied."),
    ],
) -> None:
    """Take over embeddings and parts of all pairs from others, each file checked; remove nothing.

    Example: facebench store merge /mnt/node1 /mnt/node2
    """
    store, rows, damaged = EmbeddingStore(), list[tuple[str, ...]](), 0
    with importing():
        from facebench.embedding.merging import merge as merged
        from facebench.protocols.pair_parts import parts_in, take_parts

    parts = 0
    for folder in folders:
        parts += take_parts(folder)
        for one in merged(store, folder, required=not parts_in(folder)):
            here = f"{one.present:,} of {one.total:,}"
            kept = f"{one.same + one.close:,}"
            rows.append((one.model, one.source, str(folder), f"{one.taken:,}", kept, here))
            damaged += one.damaged
    heads = ("model", "faces of", "from", Column("taken"), Column("kept"), Column("files here"))
    if rows:
        show_table(list_of(heads, rows), "ruled")
    if parts:
        typer.echo(f"{parts:,} parts of all pairs taken")
    if damaged:
        raise UserError(f"{damaged:,} files are damaged there and were not taken; make them again")


@app.command()
def clear(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove embeddings that no evaluation is using now, and parts of all pairs.

    The next evaluation makes its own again.

    Example: facebench store clear --yes
    """
    with importing():
        from facebench.protocols.pair_parts import clear_parts, parts_folder, parts_size

    store = EmbeddingStore()
    question = f"Remove {_megabytes(store.size())} in {store.folder}"
    if parts := parts_size():
        question += f" and {_megabytes(parts)} of parts of all pairs in {parts_folder()}"
    if not yes and not typer.confirm(f"{question}?"):
        typer.echo("nothing was removed")
        return
    done, pairs = store.clear(), clear_parts()
    typer.echo(f"{_megabytes(done.freed)} removed from {store.folder}")
    if pairs:
        typer.echo(f"{_megabytes(pairs)} removed from {parts_folder()}")
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
