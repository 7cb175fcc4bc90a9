"""``facebench data``: get, list and check data sets."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from facebench.base.errors import UserError, nearest
from facebench.base.progress import counting_bar
from facebench.cli.commands import folders
from facebench.cli.output import require_output, show_table
from facebench.faces.install.download import get_lfw
from facebench.faces.install.installed import (
    CHECKABLE,
    REGISTERED,
    how_to_unpack,
    list_installed,
)
from facebench.faces.lfw.lists import some
from facebench.faces.locate import DATASETS, how_to_get
from facebench.protocols.drawn import MOST_PAIRS, DrawnProtocol, draw_crowd, draw_pairs, draw_search
from facebench.tables.table import Column, facts_of, list_of

app = typer.Typer(help="Get, list and check data sets of faces.", no_args_is_help=True)
FolderArgument = Annotated[
    Path, typer.Argument(help="A folder for each person, with images of any names.")
]
CardOption = Annotated[
    Path,
    typer.Option(
        "--output", "-o", help="The protocol's card, such as protocols/staff.toml; its list is "
        "written into lists/ beside it.",
    ),
]  # fmt: skip
SeedOption = Annotated[int, typer.Option(min=0, help="Of what is drawn by lot.")]

NameArgument = Annotated[str, typer.Argument(help=f"One of {', '.join(CHECKABLE)}.")]


@app.command()
def get(
    name: NameArgument,
    funneled: Annotated[bool, typer.Option("--funneled", help="The funneled edition.")] = False,
    into: Annotated[
        Path | None, typer.Option(help="Install in this folder instead of the data folder.")
    ] = None,
) -> None:
    """Download and install a data set. Example: facebench data get lfw"""
    if name in REGISTERED:
        raise UserError(how_to_unpack(name))
    if name != "lfw":
        known = name in DATASETS
        raise UserError(
            how_to_get(name) if known else f"no data set {name!r}{nearest(name, CHECKABLE)}"
        )
    folder = get_lfw(into, funneled=funneled)
    hint = "" if into is None else f"; use it with --data {quote(str(folder))}"
    typer.echo(f"LFW{' (funneled)' if funneled else ''} is installed in {folder}{hint}")


@app.command("list")
def list_() -> None:
    """Show what is installed where, with fingerprints. Example: facebench data list"""
    rows = []
    for row in list_installed():
        images = "" if row.images is None else f"{row.images:,}"
        where = " ".join(filter(None, [str(row.where or ""), row.note]))
        rows.append((row.name, images, row.fingerprint or "", where))
    show_table(list_of(("data set", Column("images"), "fingerprint", "where"), rows), "ruled")


app.command("check")(folders.check)
app.command("overlap")(folders.overlap)


@app.command()
def pairs(
    folder: FolderArgument,
    output: CardOption,
    pairs: Annotated[
        int, typer.Option(min=1, help="Of each kind, at most, in all folds.")
    ] = MOST_PAIRS,
    folds: Annotated[int, typer.Option(min=2, help="At most; nobody is in two.")] = 10,
    seed: SeedOption = 0,
) -> None:
    """Draw pairs of the images in a folder and write them as a protocol.

    Example: facebench data pairs photos -o protocols/staff.toml
    """
    require_output(output, in_new_folder=True)
    with counting_bar(folders.READING, True, "images") as progress:
        drawn = draw_pairs(folder, output, pairs=pairs, folds=folds, seed=seed, progress=progress)
    _told(folder, drawn)


@app.command()
def search(
    folder: FolderArgument,
    output: CardOption,
    known: Annotated[
        float,
        typer.Option(
            help="Share of the people with two images or more who are in the gallery; everybody "
            "else is unknown."
        ),
    ] = 0.5,
    distractors: Annotated[
        Path | None,
        typer.Option(
            help="A folder of faces of other people, of any layout, that complete the gallery."
        ),
    ] = None,
    draws: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Of which image of a person is searched; default 10, and one with distractors.",
        ),
    ] = None,
    seed: SeedOption = 0,
) -> None:
    """Draw a gallery and probes of the images in a folder and write them as a protocol.

    Example: facebench data search photos -o protocols/door.toml
    """
    require_output(output, in_new_folder=True)
    if distractors is not None and draws is not None:
        raise UserError(f"--draws {draws} has no effect with --distractors; leave it out")
    with counting_bar(folders.READING, True, "images") as progress:
        if distractors is not None:
            drawn = draw_crowd(
                folder, output, distractors, known=known, seed=seed, progress=progress
            )
        else:
            drawn = draw_search(
                folder, output, known=known, draws=draws or 10, seed=seed, progress=progress
            )
    _told(folder, drawn, "" if distractors is None else f" --distractors {quote(str(distractors))}")


def _told(folder: Path, drawn: DrawnProtocol, more: str = "") -> None:
    shown = [("card", drawn.card), ("list", drawn.listed)]
    counts = [(name, f"{count:,}") for name, count in drawn.counts.items()]
    if drawn.left_out:
        counts.append(("left out, empty or broken", some(drawn.left_out)))
    show_table(facts_of([*shown, *counts]), "facts")
    at_home = drawn.card.parent.resolve() == Path("protocols").resolve()
    name, data = (quote(str(path)) for path in (drawn.card.stem if at_home else drawn.card, folder))
    typer.echo(f"next: facebench eval -m MODEL -p {name} --data {data}{more}")
