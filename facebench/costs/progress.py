"""A bar on standard error while models are counted, loaded and measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from facebench.foreign import printable

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
