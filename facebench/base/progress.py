"""Progress on standard error: of rendering, and of a measurement."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from facebench.base.text import printable

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


Stage = Callable[[str, int], Callable[[], None]]
"""What is done next and in how many steps → what is called after each of them."""


def unseen(name: str, steps: int) -> Callable[[], None]:
    """A `Stage` that shows nothing."""
    return lambda: None


@contextmanager
def bars(shown: bool) -> Iterator[Stage]:
    """Yields a `Stage` that shows a bar, where standard error is a terminal."""
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(),
        console=console, transient=True, disable=not (shown and console.is_terminal),
    )  # fmt: skip
    with bar:
        task = bar.add_task("", total=None, visible=False)

        def stage(name: str, total: int) -> Callable[[], None]:
            bar.reset(task, total=total, description=printable(name), visible=True)
            return lambda: bar.advance(task)

        yield stage
