"""The command ``facebench``: one small file per command, imported when it is the one that runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer

from facebench import __version__
from facebench.cli.group import ErrorGroup

_HELP = (
    "Is the smaller face-recognition model still as good, how sure are we, and what did it save?"
    "\n\n"
    "Example: facebench eval --model sparse_074 --model baseline --protocol lfw"
)
# Name, module with `app` (a group) or `command` (a function), and the line in `facebench --help`.
COMMANDS = (
    ("eval", "facebench.cli.eval", "Evaluate models on protocols."),
    ("models", "facebench.cli.models", "List and show the models of the zoo."),
    ("protocols", "facebench.cli.protocols", "List and show the protocols."),
    ("data", "facebench.cli.data", "Get, list and check data sets of faces."),
    ("schema", "facebench.cli.schema", "Print the JSON schema of a record."),
)


def build(selected: str | None) -> typer.Typer:
    """The application with the command that will run, and of the others the name and one line.

    Importing a command may take seconds (torch), and ``facebench --help`` should not.
    """
    app = typer.Typer(
        cls=ErrorGroup, help=_HELP, no_args_is_help=True, pretty_exceptions_enable=False
    )
    app.callback()(_root)
    for name, module, summary in COMMANDS:
        if name != selected:
            app.command(name, help=summary)(_elsewhere)
            continue
        loaded = import_module(module)
        if hasattr(loaded, "command"):
            app.command(name)(loaded.command)
        else:
            app.add_typer(loaded.app, name=name)
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; ends with SystemExit. Exit code 2: wrong input, 130: interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    selected = next((word for word in given if not word.startswith("-")), None)
    if "_FACEBENCH_COMPLETE" in os.environ:
        words = os.environ.get("COMP_WORDS", "").split()
        selected = next((word for word in words[1:] if not word.startswith("-")), None)
    build(selected)(args=given, prog_name="facebench")


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"facebench {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version."
        ),
    ] = False,
) -> None:
    """Options that go before the command."""


def _elsewhere() -> None:
    """Stands in for a command that is not the one that runs."""
