"""The fields of Settings and ModelOptions as tables, where a page asks for them.

``<!-- fields Settings -->`` becomes a table of `facebench.Settings`: the words are those of
``--help``, since both are declared once.
"""

from __future__ import annotations

import re
from typing import Any

from mkdocs.config.defaults import MkDocsConfig

import facebench
from facebench.base.options import Field, options_of

PLACE = re.compile(r"<!-- fields (\w+) -->")


def on_page_markdown(markdown: str, *, page: Any, config: MkDocsConfig, files: Any) -> str:
    """Put the tables in."""
    return PLACE.sub(lambda found: _table(getattr(facebench, found[1])), markdown)


def _table(kind: type) -> str:
    rows = [_row(field) for field in options_of(kind)]
    return "\n".join(["| field | default | meaning |", "| :--- | :--- | :--- |", *rows])


def _row(field: Field) -> str:
    option = field.option
    words = f"False: {option.help[0].lower()}{option.help[1:]}" if option.off else option.help
    return f"| `{field.name}` | `{field.default!r}` | {words} |"
