"""What an extraction shows, on standard error only: standard output is for results."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import MofNCompleteColumn, ProgressColumn, Task
from rich.text import Text

from facebench.base.progress import bar_on, error_console, lines_on
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
    with bar_on(
        error_console(), shown, MofNCompleteColumn(), _FacesPerSecond(), refreshed=4
    ) as bar:
        task = bar.add_task(printable(title), total=faces, completed=known)
        yield lambda count: bar.advance(task, count)


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
