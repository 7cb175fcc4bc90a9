"""A page for every command of facebench, written from its help while the site is built."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from facebench.cli.app import COMMANDS
from facebench.cli.build import build

FOLDER = "commands"
HEADING = "Commands"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages below the heading ``Commands`` of the navigation."""
    for section in config.nav or []:
        if isinstance(section, dict) and HEADING in section:
            pages = [{name: f"{FOLDER}/{name}.md"} for name, _, _ in COMMANDS]
            section[HEADING] = [f"{FOLDER}/index.md", *pages]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages to those of the folder."""
    for name, text in pages().items():
        files.append(File.generated(config, f"{FOLDER}/{name}.md", content=text))
    return files


def pages() -> dict[str, str]:
    """The Markdown of every command's page, by name, and of the list of them, ``index``."""
    found = {name: "\n".join(_page(_command(name), name)) for name, _, _ in COMMANDS}
    rows = [f"| [`facebench {name}`]({name}.md) | {summary} |" for name, _, summary in COMMANDS]
    head = ["# Commands", "", _LIST, "", "| command | what it does |", "| :--- | :--- |"]
    return {"index": "\n".join([*head, *rows, ""]), **found}


_LIST = (
    "These pages are written from the commands' own help, so they say what "
    "`facebench COMMAND --help` says."
)


def _command(name: str) -> Any:
    return build(COMMANDS, name).commands[name]


def _page(command: Any, name: str, level: int = 1) -> Iterator[str]:
    yield from (f"{'#' * level} facebench {name}", "", *_words(command.help or ""))
    for panel, parameters in _panels(command).items():
        yield from (f"{'#' * (level + 1)} {panel} {{ #{_anchor(name, panel)} }}", "")
        for parameter in parameters:
            yield from _entry(parameter, typer.Context(command))
    for below, one in getattr(command, "commands", {}).items():
        yield from _page(one, f"{name} {below}", level + 1)


def _words(text: str) -> Iterator[str]:
    """Help as paragraphs; an example in a box of its own."""
    for paragraph in text.split("\n\n"):
        before, *examples = re.split(r"Example: ", " ".join(paragraph.split()))
        if before:
            yield from (_plain(before), "")
        for example in examples:
            yield from ("```sh", example.strip(), "```", "")


def _panels(command: Any) -> dict[str, list[Any]]:
    """Arguments and options by the heading that the help puts them under."""
    found: dict[str, list[Any]] = {}
    for parameter in command.params:
        if parameter.hidden or "--help" in parameter.opts:
            continue
        plain = "Arguments" if parameter.param_type_name == "argument" else "Options"
        found.setdefault(parameter.rich_help_panel or plain, []).append(parameter)
    return found


def _entry(parameter: Any, context: typer.Context) -> Iterator[str]:
    argument = parameter.param_type_name == "argument"
    names = [parameter.display_name_raw] if argument else parameter.opts
    facts = [f"`{parameter.display_type(context)}`"]
    if parameter.required:
        facts.append("required")
    if parameter.show_default and parameter.default not in (None, False, "", ()):
        facts.append(f"default: `{parameter.default}`")
    yield ", ".join(f"`{name}`" for name in names) + f" · {' · '.join(facts)}"
    yield f":   {_plain(' '.join((parameter.help or '–').split()))}"
    yield ""


def _plain(text: str) -> str:
    """Text without marks that Markdown would take for its own; what is in backticks stays."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(p if p.startswith("`") else re.sub(r"([*_<>\[\]])", r"\\\1", p) for p in parts)


def _anchor(name: str, panel: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", f"{name} {panel}".lower()).strip("-")
