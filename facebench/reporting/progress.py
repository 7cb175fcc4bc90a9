"""Progress on standard error of work that is no extraction: rendering the synthetic faces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_TITLE = "rendering synthetic faces"


@contextmanager
def rendering_bar(shown: bool) -> Iterator[Callable[[int, int], None]]:
    """Yields a function of (faces done, faces in all); a bar, or one line where no terminal is."""
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not (shown and console.is_terminal),
    )
    with bar:
        task = bar.add_task(_TITLE, total=None, visible=False)
        told = False

        def advance(done: int, total: int) -> None:
            nonlocal told
            if shown and not told and not console.is_terminal:
                console.print(f"{_TITLE}: {total:,}", markup=False)
            told = True
            bar.update(task, completed=done, total=total, visible=True)

        yield advance
