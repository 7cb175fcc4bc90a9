"""The bar on standard error, and what a long work is given to move it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from facebench.base.errors import by_command_line
from facebench.base.text import printable

Stage = Callable[[str, int], Callable[[], None]]
"""What is done next and in how many steps → what is called after each of them."""


def lines_on(console: Console) -> bool:
    """Whether a line on work that is done may be written."""
    return console.file.isatty() or by_command_line()


def error_console() -> Console:
    """Standard error, for whole lines that are no markup."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def bar_on(
    console: Console, shown: bool, *columns: ProgressColumn, refreshed: float = 10
) -> Progress:
    """A bar of titles, counts and the time that is left, which goes when its work is done; nothing
    where it is not shown or no terminal is there.

    columns: what stands after the bar in place of a count of steps; refreshed: times a second.
    """
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        *(columns or (MofNCompleteColumn(),)),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        # Not ``is_terminal``: where FORCE_COLOR says so, the log of a build is one.
        disable=not (shown and console.file.isatty()),
        refresh_per_second=refreshed,
    )


@contextmanager
def counting_bar(
    title: str, shown: bool, said: bool = False
) -> Iterator[Callable[[int, int], None]]:
    """Yields a function of (done, in all); said: one line of the number of steps where no
    terminal is and lines are said.
    """
    console = error_console()
    with bar_on(console, shown) as bar:
        task = bar.add_task(printable(title), total=None, visible=False)
        unsaid = said and shown and by_command_line() and not console.file.isatty()

        def advance(done: int, total: int) -> None:
            nonlocal unsaid
            if unsaid:
                console.print(f"{title}: {total:,}", markup=False)
            unsaid = False
            bar.update(task, completed=done, total=total, visible=True)

        yield advance


def unseen(name: str, steps: int) -> Callable[[], None]:
    """A `Stage` that shows nothing."""
    return lambda: None


@contextmanager
def stages(shown: bool) -> Iterator[Stage]:
    """Yields a `Stage` that shows a bar, where standard error is a terminal."""
    with bar_on(error_console(), shown) as bar:
        task = bar.add_task("", total=None, visible=False)

        def stage(name: str, total: int) -> Callable[[], None]:
            bar.reset(task, total=total, description=printable(name), visible=True)
            return lambda: bar.advance(task)

        yield stage
