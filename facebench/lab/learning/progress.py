"""What a training shows on standard error: a bar where a terminal is, otherwise lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from facebench.base.progress import bar_on, error_console
from facebench.base.text import printable
from facebench.lab.learning.learner import Machine


@contextmanager
def shown_machine(device: str, precision: str | None, shown: bool) -> Iterator[Machine]:
    """A machine whose trainings have bars, and whose losses are told as lines."""
    console = error_console()
    progress = bar_on(console, shown, refreshed=2)

    def bar(title: str, steps: int) -> Callable[[int], None]:
        task = progress.add_task(printable(title), total=steps)

        def advance(step: int) -> None:
            progress.update(task, completed=step, visible=step < steps)

        return advance

    def report(line: str) -> None:
        if shown:
            console.print(printable(line), markup=False)

    with progress:
        yield Machine(device, precision, report, bar)
