"""What an extraction shows, on standard error only: standard output is for results."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from facebench.base.progress import error_console, lines_on, works
from facebench.base.text import printable
from facebench.embedding.types import ExtractionProfile


@contextmanager
def progress_bar(
    title: str, known: int, faces: int, shown: bool
) -> Iterator[Callable[[int], None]]:
    """Yields the function that is told of further faces; `summarise` says the end."""
    with works(shown) as all_works:
        work = all_works.begin(title, faces, "faces", lasting=False)
        work.to(known)
        yield work.by


def summarise(title: str, profile: ExtractionProfile) -> None:
    """One line on standard error, where `lines_on`: what was done, how fast, and the failures."""
    console = error_console()
    if not lines_on(console):
        return
    line = f"{title}: {profile.embedded:,} faces embedded"
    if profile.embedded:
        line += f" in {profile.total:.1f} s ({profile.faces_per_second:,.0f} faces/s)"
    if profile.from_store:
        line += f", {profile.from_store:,} from the store"
    if profile.failed:
        line += f", {profile.failed:,} not acquired"
    console.print(printable(line), markup=False)
