"""The pages that readers see, and what they show: commands, code, settings, links."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
README = CHECKOUT / "README.md"
PAGES = (
    README,
    *(CHECKOUT / name for name in ("CONTRIBUTING.md", "SECURITY.md")),
    *sorted((CHECKOUT / "docs").rglob("*.md")),
)
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"(?<!\\)`(facebench [^`\n]+(?:\n[^`\n]+)?)`")
_LINK = re.compile(r"(?<!`)\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]+)?\)")


def name_of(path: Path) -> str:
    """A page's path below the checkout."""
    return path.relative_to(CHECKOUT).as_posix()


def blocks(text: str, language: str) -> list[str]:
    """The contents of a page's blocks of one language."""
    return [found[2] for found in _FENCE.finditer(text) if found[1] == language]


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
