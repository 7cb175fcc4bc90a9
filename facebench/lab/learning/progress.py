"""What a training shows on standard error: bars where a terminal is, otherwise lines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from facebench.base.progress import Advanced, error_console, works
from facebench.base.text import printable
from facebench.lab.learning.learner import Machine


@contextmanager
def shown_machine(device: str, precision: str | None, shown: bool) -> Iterator[Machine]:
    """A machine whose trainings tell how far they are, with their losses, and what they come to."""
    with works(shown) as all_works:

        def bar(title: str, total: int, unit: str = "steps") -> Advanced:
            work = all_works.begin(title, total, unit, lasting=True)

            def move(done: int, note: str = "") -> None:
                work.to(done, note=note)

            return move

        def report(line: str) -> None:
            if shown:
                error_console().print(printable(line), markup=False)

        yield Machine(device, precision, report, bar)
