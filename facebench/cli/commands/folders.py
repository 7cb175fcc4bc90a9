"""``facebench data check``: layouts of known sets, and any folder of people's faces."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from facebench.base.errors import UserError
from facebench.base.options import ASIDE, FACES, HOW, INPUT, MACHINE, Option
from facebench.base.progress import counting_bar
from facebench.base.text import printable
from facebench.cli.errors import importing
from facebench.cli.lab import KINDS
from facebench.cli.options import QuietOption, takes
from facebench.cli.output import OutputOption, require_outputs, table_text, unwritten, write
from facebench.faces.install.installed import CHECKABLE, REGISTERED, check_dataset, unpacked
from facebench.faces.locate import DATASETS, installed_at
from facebench.models.embedders.options import ModelOptions
from facebench.protocols.settings import Settings

READING = "reading images"
FolderFormat = Literal["table", "md", "html", "json", "csv"]
_RESULT, _WRONG = "Result", 1
OF_MODELS: dict[str, Option | None] = dict.fromkeys(
    ("landmarks", "landmarks_order", "align", "detector", "faces", "size", "colour", "mean",
     "scale", "normalise", "layout", "output", "flip", "seed", "threads", "device", "batch",
     "workers", "store", "untrusted")
)  # fmt: skip
"""Options of commands that embed a folder of faces."""


@takes(
    (ASIDE, FACES, INPUT, HOW, MACHINE, _RESULT), OF_MODELS, options=ModelOptions, settings=Settings
)
def check(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A folder for each person in one folder, or a known data set; without it every "
            "installed one.",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=FACES.title,
            help="Of a known data set: its folder or .bin file instead of what is installed.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", "-m", rich_help_panel=FACES.title,
            help=f"Of a folder: looks for the same face and for wrong labels. {KINDS}",
        ),
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option(rich_help_panel=_RESULT, help="Draw what was found: a .png, .svg or .pdf."),
    ] = None,
    format: Annotated[FolderFormat, typer.Option(rich_help_panel=_RESULT)] = "table",
    output: OutputOption = None,
    quiet: QuietOption = False,
    *,
    options: ModelOptions,
    settings: Settings,
) -> None:  # fmt: skip
    """Check a folder of faces, or the layout of a known set; exit code 1 where something is wrong.

    Example: facebench data check photos -m sparse_074 --sheet faults.png
    """
    if name is None or name in CHECKABLE:
        for option, given in (("--model", model), ("--sheet", sheet), ("--output", output)):
            if given is not None:
                raise UserError(
                    f"{option} {given} is of a folder (./{name or 'photos'}); leave it out"
                )
        check_known(name, data)
        return
    if data is not None:
        raise UserError(f"--data {data} is of a known data set, one of {', '.join(CHECKABLE)}")
    require_outputs({"--sheet": sheet, "--output": output})
    if not Path(name).is_dir():
        check_dataset(name)  # which says what is nearest
    with importing():
        from dataclasses import replace

        from facebench.evaluation.folders.check import check_folder
        from facebench.figures.contact import save_contact_sheet
        from facebench.figures.files import plot_format
        from facebench.tables.folders import faults_csv, faults_json, faults_table
    if sheet is not None:
        plot_format(sheet, "--sheet")
    settings = replace(settings, progress=not quiet)
    with counting_bar(READING, not quiet, "images") as progress:
        found = check_folder(name, model, options=options, settings=settings, progress=progress)
    failed = None
    if sheet is not None:
        try:
            drawn = save_contact_sheet(found, sheet)
            print(f"sheet: {sheet}" if drawn else "sheet: nothing to draw", file=sys.stderr)
        except OSError as error:
            failed = unwritten(f"--sheet {sheet}", error)
    if format == "json" or format == "csv":
        text = faults_json(found) if format == "json" else faults_csv(found)
    else:
        text = table_text([faults_table(found)], format, "data check", file=output is not None)
    write(text, output)
    if failed is not None:
        raise UserError(failed)
    if found.wrong:
        raise typer.Exit(_WRONG)


@takes(
    (ASIDE, FACES, INPUT, HOW, MACHINE, _RESULT), OF_MODELS, options=ModelOptions, settings=Settings
)
def overlap(
    train: Annotated[
        Path,
        typer.Argument(
            help="What was learned of: a folder for each person, of photographs or crops, or "
            "index.csv and zip files."
        ),
    ],
    test: Annotated[Path, typer.Argument(help="The test's: a folder for each person.")],
    model: Annotated[
        str, typer.Option("--model", "-m", help=f"By whose similarity. {KINDS}")
    ],
    protocol: Annotated[
        str | None,
        typer.Option(
            "--protocol", "-p", help="Of the test's pairs: its accuracy without the shared."
        ),
    ] = None,
    limit: Annotated[
        float | None,
        typer.Option("--limit", min=-1, max=1, rich_help_panel=HOW.title,
                     help="Cosine from which two people are one; default: by --by-chance."),
    ] = None,
    by_chance: Annotated[
        float,
        typer.Option(rich_help_panel=HOW.title, help="People who may be found in error."),
    ] = 1.0,
    format: Annotated[FolderFormat, typer.Option(rich_help_panel=_RESULT)] = "table",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", rich_help_panel=_RESULT, help="Write the people here, CSV."),
    ] = None,
    quiet: QuietOption = False,
    *,
    options: ModelOptions,
    settings: Settings,
) -> None:  # fmt: skip
    """Find people of a test who are in the data that was learned of, and the number without them.

    Example: facebench data overlap ~/crops ~/lfw -m sparse_074 -p lfw -o shared.csv
    """
    require_outputs({"--output": output})
    with importing():
        from dataclasses import replace

        from facebench.evaluation.folders.overlap import find_overlap
        from facebench.tables.folders import shared_csv, shared_json, shared_table
    settings = replace(settings, progress=not quiet)
    found = find_overlap(
        train, test, model, protocol=protocol, by_chance=by_chance, limit=limit, options=options,
        settings=settings,
    )  # fmt: skip
    if format == "json" or format == "csv":
        text = shared_json(found) if format == "json" else shared_csv(found)
    else:
        text = table_text([shared_table(found)], format, "overlap")
    write(text, None)
    if output is not None:
        write(shared_csv(found), output, shown=True)


def check_known(name: str | None, data: Path | None) -> None:
    """The layout of a data set that is known, or of all that are installed."""
    if name is None and data is not None:
        raise UserError(f"--data needs the name of the data set: one of {', '.join(CHECKABLE)}")
    installed = [known for known in DATASETS if installed_at(known)]
    installed += [known for known in REGISTERED if unpacked(known)]
    names = [name] if name else installed
    if not names:
        typer.echo("no data set is installed; see `facebench data list`")
    bad = 0
    for each in names:
        if name in DATASETS and data is None and installed_at(each) is None:
            raise UserError(f"{each} is not installed; see `facebench data list`, or give --data")
        with counting_bar(READING, True, "images") as progress:
            findings = check_dataset(each, data, progress)
        for finding in findings:
            bad += not finding.ok
            line = f"{'ok   ' if finding.ok else 'WRONG'} {each}: {finding.text}"
            typer.echo(printable(line))
    if bad:
        raise typer.Exit(_WRONG)
