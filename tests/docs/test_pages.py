"""What README and docs show exists: commands and options, code, cards, links, transcripts."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from facebench.cli.app import COMMANDS
from facebench.cli.build import build
from tests.docs.pages import CHECKOUT, PAGES, README, blocks, commands, links, name_of

sys.path.append(str(CHECKOUT / "docs" / "make"))
import transcripts

MOST_WORDS = 900
OF_THE_PROGRAM = ("--version", "--install-completion")
each_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


def test_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").split()) <= MOST_WORDS


@each_page
def test_every_command_exists_with_its_options(page: Path) -> None:
    for words in commands(page.read_text(encoding="utf-8")):
        if words[0] != "COMMAND":
            parse(words)


def parse(words: list[str]) -> None:
    """Raises where a command or an option is not known."""
    name, *arguments = words
    if name in OF_THE_PROGRAM:
        return
    command: Any = build(COMMANDS, name).commands[name]
    while arguments and arguments[0] in getattr(command, "commands", {}):
        name = arguments.pop(0)
        command = command.commands[name]
    command.make_context(name, arguments, resilient_parsing=not arguments)


@each_page
def test_links_lead_to_files(page: Path) -> None:
    for link in links(page.read_text(encoding="utf-8")):
        generated = "commands/" in link
        assert generated or (page.parent / link).exists(), link


@each_page
def test_code_and_cards_can_be_read(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for block in blocks(text, "python"):
        compile(block, name_of(page), "exec")
    for block in blocks(text, "toml"):
        tomllib.loads(block)


@pytest.mark.shipped_results
@pytest.mark.parametrize(
    "page", [p for p in PAGES if transcripts.PLACE.search(p.read_text())], ids=name_of
)
def test_transcripts_are_what_commands_print(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert transcripts.renewed(text) == text, "`make tables` renews it"
