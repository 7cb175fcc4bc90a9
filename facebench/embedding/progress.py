"""What an extraction shows, on standard error only: standard output is for results."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from facebench.base.text import printable
from facebench.embedding.types import ExtractionProfile


class _FacesPerSecond(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} faces/s" if speed else "")


@contextmanager
def progress_bar(
    title: str, known: int, faces: int, shown: bool
) -> Iterator[Callable[[int], None]]:
    """Yields the function that advances the bar; nothing is drawn where there is no terminal."""
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        _FacesPerSecond(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not (shown and console.is_terminal),
        refresh_per_second=4,
    )
    with bar:
        task = bar.add_task(printable(title), total=faces, completed=known)
        yield lambda count: bar.advance(task, count)


def summarise(title: str, profile: ExtractionProfile) -> None:
    """One line on standard error: what was done, how fast, and the failures."""
    line = f"{title}: {profile.embedded:,} faces embedded"
    if profile.embedded:
        line += f" in {profile.total:.1f} s ({profile.faces_per_second:,.0f} faces/s)"
    if profile.from_store:
        line += f", {profile.from_store:,} from the store"
    if profile.failed:
        line += f", {profile.failed:,} not acquired"
    Console(stderr=True, highlight=False, soft_wrap=True).print(printable(line), markup=False)
