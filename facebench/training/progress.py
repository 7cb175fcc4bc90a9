"""What a training shows on standard error: a bar where a terminal is, otherwise lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from facebench.training.learner import Machine


@contextmanager
def shown_machine(device: str, precision: str | None, shown: bool) -> Iterator[Machine]:
    """A machine whose trainings have bars, and whose losses are told as lines."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not (shown and console.is_terminal),
        refresh_per_second=2,
    )

    def bar(title: str, steps: int) -> Callable[[int], None]:
        task = progress.add_task(title, total=steps)

        def advance(step: int) -> None:
            progress.update(task, completed=step, visible=step < steps)

        return advance

    def report(line: str) -> None:
        if shown:
            console.print(line, markup=False)

    with progress:
        yield Machine(device, precision, report, bar)


def duration_words(log: Path | None, faces: int, without: str = "") -> str:
    """How long ``faces`` faces took, from the speed that the end of a training's log states.

    without: what is not counted, such as ``its ancestors``. Empty where there is no log.
    """
    if log is None or not log.is_file():
        return ""
    speed = float(log.read_text().splitlines()[-1].rsplit(",", 1)[1])
    words = f"about {faces / max(speed, 0.1) / 60:.0f} minutes"
    return f"{words} without {without}" if without else words
