"""Tables as one self-contained page: no script, no address outside it, every name is text."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from facebench.base.text import printable
from facebench.base.version import __version__
from facebench.figures.pages.drawings import drawings_of_records
from facebench.figures.styles import SCHEMES, Styles
from facebench.tables.table import HOW_TO_READ, Table

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
NOTHING_RUNS = "default-src 'none'; style-src 'unsafe-inline'"
_MARKS = {"▲": "significantly better than", "▼": "significantly worse than"}


def to_html(tables: Sequence[Table], title: str) -> str:
    """The page with one section per table: notice, table and notes; of records also curves, folds
    and signatures.
    """
    styles = Styles()
    drawings = [
        list(drawings_of_records(table.records, table.contrasts, table.title, styles))
        for table in tables
    ]
    return page("page.html", tables=tables, title=title, drawings=drawings)


def to_fragment(tables: Sequence[Table]) -> str:
    """Tables as a part of a notebook's page, without styles that would reach beyond them."""
    return page("notebook.html", tables=tables)


def page(template: str, policy: str = NOTHING_RUNS, **values: object) -> str:
    """A template filled with values; whatever is put into it stays text."""
    return (
        _environment()
        .get_template(template)
        .render(
            **values,
            **SCHEMES,
            version=__version__,
            policy=policy,
        )
    )


def mark_words(mark: str) -> str:
    """A mark against the reference, read aloud."""
    return _MARKS.get(mark, "not significantly different from")


def environment(*folders: Path) -> Environment:
    """Of templates in folders, in which every value is escaped and none may be missing."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        finalize=lambda value: printable(value) if type(value) is str else value,
        loader=FileSystemLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@lru_cache(maxsize=1)
def _environment() -> Environment:
    found = environment(TEMPLATES)
    found.globals["mark_words"] = mark_words
    found.globals["how_to_read"] = HOW_TO_READ
    return found
