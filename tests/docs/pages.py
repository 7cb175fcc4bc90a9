"""The pages that readers see, and what they show: commands, code, settings, links."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from textwrap import dedent
from typing import Any

from facebench.cli.app import COMMANDS
from facebench.cli.build import build

CHECKOUT = Path(__file__).parents[2]
README = CHECKOUT / "README.md"
PAGES = (
    README,
    *(CHECKOUT / name for name in ("CONTRIBUTING.md", "SECURITY.md")),
    *sorted((CHECKOUT / "docs").rglob("*.md")),
)
_FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"(?<!\\)`(facebench [^`\n]+(?:\n[^`\n]+)?)`")
_LINK = re.compile(r"(?<!`)\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]+)?\)")


def name_of(path: Path) -> str:
    """A page's path below the checkout."""
    return path.relative_to(CHECKOUT).as_posix()


def blocks(text: str, language: str) -> list[str]:
    """The contents of a page's blocks of one language."""
    return [dedent(found[3]) for found in _FENCE.finditer(text) if found[2] == language]


@dataclass(frozen=True)
class Shown:
    """A command as it is printed, lines that go on joined, without what explains it; and where."""

    command: str
    where: str


def shown(page: Path) -> Iterator[Shown]:
    """The commands in the blocks ``sh`` and ``console`` of a page, in their order."""
    text = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        first = text.count("\n", 0, found.start()) + 2
        if found[2] not in ("sh", "console"):
            continue
        lines = list(enumerate(dedent(found[3]).splitlines(), first))
        if found[2] == "console":
            lines = [(n, line[2:]) for n, line in lines if line.startswith("$ ")]
        yield from _whole(lines, name_of(page))


def _whole(lines: list[tuple[int, str]], page: str) -> Iterator[Shown]:
    """Lines joined where one ends in a backslash, or stands in a loop of the shell."""
    before = ""
    for number, line in lines:
        text = before + re.sub(r" +# .*", "", line)
        if text.endswith("\\"):
            before = text[:-1].rstrip() + " "
        elif text.startswith("for ") and not re.search(r"\bdone\b", text):
            before = text + "\n"
        else:
            before = ""
            yield Shown(re.sub(r" {2,}", " ", text).strip(), f"{page}:{number}")


def examples() -> Iterator[Shown]:
    """The examples in the help of every command."""
    yield from _of_help(build(COMMANDS, None), "")
    for name, _, _ in COMMANDS:
        yield from _of_help(build(COMMANDS, name).commands[name], name)


def _of_help(command: Any, name: str) -> Iterator[Shown]:
    for paragraph in (command.help or "").split("\n\n"):
        for example in re.split("Example: ", " ".join(paragraph.split()))[1:]:
            yield Shown(example.strip(), f"facebench {name} --help".replace("  ", " "))
    for below, one in getattr(command, "commands", {}).items():
        if name:
            yield from _of_help(one, f"{name} {below}")


def commands(text: str) -> Iterator[list[str]]:
    """The words of every command of facebench that a page shows, without ``facebench``."""
    shown = [line for block in blocks(text, "sh") for line in _lines(block)]
    shown += [
        line.removeprefix("$ ")
        for block in blocks(text, "console")
        for line in _lines(block)
        if line.startswith("$ ")
    ]
    yield from (_words(line) for line in shown if line.startswith("facebench "))
    for found in _INLINE.finditer(_FENCE.sub("", text)):
        yield _words(found[1])


def _lines(block: str) -> list[str]:
    return re.sub(r"\\\n\s*", " ", block).splitlines()


def _words(command: str) -> list[str]:
    """Without dots that stand for more of the same; dots for an option's value stay."""
    pairs = pairwise(shlex.split(command.split(" > ")[0], comments=True))
    return [word for before, word in pairs if word != "…" or before.startswith("--")]


def links(text: str) -> Iterator[str]:
    """Where a page's relative links lead to, without anchors."""
    for found in _LINK.finditer(_FENCE.sub("", text)):
        yield found[1]
