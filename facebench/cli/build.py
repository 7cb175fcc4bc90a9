"""The command line as a Typer application."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.main import get_command

from facebench.base.version import __version__
from facebench.cli.completion import complete_names
from facebench.cli.errors import ErrorGroup

_HELP = (
    "Is the smaller face-recognition model still as good, how sure are we, and what did it save?"
    "\n\n"
    "Example: facebench eval --model sparse_074 --model baseline --protocol lfw"
)


def build(
    commands: Iterable[tuple[str, str, str]], selected: str | None, *, completed: bool = False
) -> Any:
    """The group with the command that will run, and of the others the name and one line.

    Importing a command may take seconds (torch), and ``facebench --help`` should not. completed:
    names are to be completed by a shell.
    """
    app = typer.Typer(
        cls=ErrorGroup, help=_HELP, no_args_is_help=True, pretty_exceptions_enable=False
    )
    app.callback()(_root)
    for name, module, summary in commands:
        if name != selected:
            app.command(name, help=summary)(_elsewhere)
            continue
        loaded = import_module(module)
        if completed:
            complete_names(name, loaded)
        if hasattr(loaded, "command"):
            app.command(name)(loaded.command)
        else:
            app.add_typer(loaded.app, name=name)
    return get_command(app)


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
