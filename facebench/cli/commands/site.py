"""``facebench site``: records as a static leaderboard that anyone can host."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from facebench.base.errors import UserError
from facebench.base.text import printable
from facebench.cli.errors import importing
from facebench.cli.options import QuietOption
from facebench.cli.output import require_folder

_RESULT = "Result"


def command(
    records: Annotated[
        list[Path], typer.Argument(help="Folders of records, or records' files.", metavar="RECORDS")
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--out", "-o", rich_help_panel=_RESULT, help="A new folder, or a site to replace."
        ),
    ],
    title: Annotated[
        str, typer.Option(rich_help_panel=_RESULT, help="What the pages are called.")
    ] = "facebench leaderboard",
    scores: Annotated[
        bool,
        typer.Option(
            "--scores/--no-scores",
            rich_help_panel=_RESULT,
            help="Copy the scores of all comparisons beside the records, so that others verify.",
        ),
    ] = True,
    quiet: QuietOption = False,
) -> None:
    """Write a leaderboard: static pages that need no server and load nothing.

    Example: facebench site reports/results -o site
    """
    require_folder(output, "--out")
    with importing():
        from facebench.reports.site.write import write_site
    try:
        site = write_site(records, output, title, scores=scores)
    except OSError as error:
        raise UserError(f"--out {output}: was not written: {error.strerror or error}") from None
    if not quiet:
        print(printable(f"site: {output / 'index.html'}"), file=sys.stderr)
    words = (
        f"{len(site.models):,} models, {len(site.kept):,} records, {len(site.rankings):,} rankings"
    )
    print(words)
