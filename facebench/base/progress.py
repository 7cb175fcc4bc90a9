"""How far a long work has come, on standard error: a bar on a terminal, elsewhere a line now and
then, and nothing in a program of others.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID
from rich.table import Column
from rich.text import Text

from facebench.base.errors import by_command_line
from facebench.base.text import printable

Clock = Callable[[], float]
Stage = Callable[[str, int], Callable[[], None]]
"""What is done next and in how many steps → what is called after each of them."""
# The first line comes after so many seconds, the others after a twentieth of the work's time, which
# a work of days wants; a builder that hears nothing for ten minutes stops the run.
_FIRST, _SHARE, _LATEST = 30.0, 20, 300.0
_BYTES = "bytes"


class Advanced(Protocol):
    """Tells how much of a work is done, and something to say beside it, e.g. losses."""

    def __call__(self, done: int, note: str = "") -> None: ...


def lines_on(console: Console) -> bool:
    """Whether a line on work that is done may be written."""
    return console.file.isatty() or by_command_line()


def error_console() -> Console:
    """Standard error, for whole lines that are no markup; they stand above bars that are drawn."""
    return _drawn.console if _drawn is not None else _new_console()


def _new_console() -> Console:
    return Console(stderr=True, highlight=False, soft_wrap=True)


# There is one standard error: whatever works within a work has its bar below that one's.
_drawn: _Bars | None = None


@contextmanager
def works(shown: bool, clock: Clock = time.monotonic) -> Iterator[Works]:
    """Within it works are told of, those that are not done at its end no longer."""
    global _drawn
    if _drawn is not None and shown:
        inner = Works(_drawn, None)
        try:
            yield inner
        finally:
            inner.end()
        return
    console = _new_console()
    if shown and console.file.isatty() and not console.is_dumb_terminal:
        with _Bars(console, clock) as bars:
            _drawn = bars
            try:
                yield Works(bars, None)
            finally:
                _drawn = None
    else:
        yield Works(None, _Lines(console, clock) if shown and by_command_line() else None)


@dataclass
class Works:
    """Where works are told of: bars, lines, or neither."""

    bars: _Bars | None
    lines: _Lines | None
    _begun: list[Work] = field(default_factory=list)

    def begin(
        self,
        title: str,
        total: int | None = None,
        unit: str = "steps",
        *,
        lasting: bool | None = None,
    ) -> Work:
        """A work of ``total`` units (None: told later), which is shown from its first move on.

        unit: a plural, or ``bytes``. lasting: whether a line that stays says that the work is done;
        None: where lines said before how far it was.
        """
        teller = _Teller()
        if self.bars is not None:
            teller = _Bar(self.bars, lasting)
        elif self.lines is not None:
            teller = _Written(self.lines, lasting)
        work = Work(printable(title), unit, teller, total)
        self._begun.append(work)
        return work

    def end(self) -> None:
        """Tell no longer of what was begun."""
        for work in self._begun:
            work.leave()


@dataclass
class Work:
    """One work, and how far it is."""

    title: str
    unit: str
    _teller: _Teller
    total: int | None = None
    done: int = 0
    note: str = ""
    _open: bool | None = None  # None: before the first move

    def to(self, done: int, total: int | None = None, note: str = "") -> None:
        """So much is done. What the first move tells counts for no rate: it may be of a run that
        was stopped.
        """
        if self._open is False:
            return
        self.done, self.note = done, printable(note)
        self.total = self.total if total is None else total
        if self._open is None:
            self._open = True
            self._teller.begin(self)
        self._teller.move(self)
        if self.total is not None and done >= self.total:
            self._open = False
            self._teller.end(self)

    def by(self, count: int = 1) -> None:
        """So much more is done."""
        self.to(self.done + count, note=self.note)

    def leave(self) -> None:
        """Show it no longer; nothing is said."""
        if self._open:
            self._open = False
            self._teller.leave()


class _Teller:
    """What is told of a work: nothing, unless one below tells."""

    def begin(self, work: Work) -> None: ...

    def move(self, work: Work) -> None: ...

    def end(self, work: Work) -> None: ...

    def leave(self) -> None: ...


@dataclass
class _Pace:
    """When a work began to be told of, and where it was then."""

    clock: Clock
    began: float = 0.0
    first: int = 0

    def begin(self, done: int) -> None:
        self.began, self.first = self.clock(), done

    @property
    def passed(self) -> float:
        return self.clock() - self.began

    def rate(self, done: int) -> float | None:
        """Units a second; None: cannot be told yet."""
        passed = self.passed
        return (done - self.first) / passed if passed > 0 and done > self.first else None

    def line(self, work: Work) -> str:
        """How far a work is, in words."""
        rate = self.rate(work.done)
        words = [_amount(work, " of ")]
        words += [] if rate is None else [_rate_text(rate, work.unit)]
        if rate is not None and work.total is not None and work.total > work.done:
            words.append(f"{time_text((work.total - work.done) / rate)} left")
        return f"{work.title}: {', '.join(words)}" + (f"; {work.note}" if work.note else "")


@dataclass
class _Lines:
    console: Console
    clock: Clock

    def say(self, line: str) -> None:
        self.console.print(line, markup=False)


class _Written(_Teller):
    """A work in lines."""

    def __init__(self, lines: _Lines, lasting: bool | None) -> None:
        self.lines, self.due, self.lasting = lines, _FIRST, lasting
        self.pace = _Pace(lines.clock)

    def begin(self, work: Work) -> None:
        self.pace.begin(work.done)

    def move(self, work: Work) -> None:
        passed = self.pace.passed
        if passed < self.due or (work.total is not None and work.done >= work.total):
            return
        self.due = passed + min(_LATEST, max(_FIRST, passed / _SHARE))
        self.lasting = self.lasting is not False
        self.lines.say(self.pace.line(work))

    def end(self, work: Work) -> None:
        if self.lasting:
            self.lines.say(self.pace.line(work))


class _Bar(_Teller):
    """A work as a bar."""

    def __init__(self, bars: _Bars, lasting: bool | None) -> None:
        self.bars, self.lasting = bars, lasting
        self.pace = _Pace(bars.get_time)
        self.task: TaskID | None = None

    def begin(self, work: Work) -> None:
        self.pace.begin(work.done)
        self.task = self.bars.add_task(
            work.title, completed=work.done, total=work.total, work=work, pace=self.pace
        )

    def move(self, work: Work) -> None:
        if self.task is not None:
            self.bars.update(self.task, completed=work.done, total=work.total)

    def end(self, work: Work) -> None:
        self.leave()
        if self.lasting:
            self.bars.console.print(self.pace.line(work), markup=False)

    def leave(self) -> None:
        if self.task is not None:
            self.bars.remove_task(self.task)
            self.task = None


class _Bars(Progress):
    """Bars of titles, counts, rates and the time that is left, notes below; gone when done."""

    def __init__(self, console: Console, clock: Clock) -> None:
        super().__init__(
            _Figure(lambda task: task.description, Column(overflow="ellipsis")),  # alone is cut
            BarColumn(bar_width=16, table_column=Column(no_wrap=True)),
            _Figure(lambda task: _amount(task.fields["work"], "/")),
            _Figure(lambda task: _rate_text(_speed(task), task.fields["work"].unit)),
            _Figure(_left),
            console=console,
            transient=True,
            refresh_per_second=4,
            get_time=clock,
            # What a program prints stays where it is to go, above the bars where it is seen.
            redirect_stdout=sys.stdout.isatty(),
        )

    def get_renderables(self) -> Iterable[RenderableType]:
        """The bars, and below them what is said beside them."""
        yield self.make_tasks_table(self.tasks)
        for task in self.tasks:
            note = task.fields["work"].note
            if note:
                yield Text(f"  {note}", no_wrap=True, overflow="ellipsis")


class _Figure(ProgressColumn):
    max_refresh = 0.5  # figures that can be read

    def __init__(self, text: Callable[[Task], str], column: Column | None = None) -> None:
        super().__init__(column or Column(no_wrap=True))
        self._text = text

    def render(self, task: Task) -> Text:
        return Text(self._text(task), no_wrap=True)


def _speed(task: Task) -> float | None:
    """Units a second of late; of steps that take longer than what rich looks back on, since the
    work began.
    """
    pace: _Pace = task.fields["pace"]
    return task.speed or pace.rate(task.fields["work"].done)


def _left(task: Task) -> str:
    speed, left = _speed(task), task.remaining
    return "" if not speed or not left else f"{time_text(left / speed)} left"


def _amount(work: Work, of: str) -> str:
    """``1,234 of 7,701 faces``."""
    if work.unit == _BYTES:
        known = "" if work.total is None else f"{of}{work.total / 1e6:,.1f}"
        return f"{work.done / 1e6:,.1f}{known} MB"
    return f"{work.done:,}{'' if work.total is None else f'{of}{work.total:,}'} {work.unit}"


def _rate_text(rate: float | None, unit: str) -> str:
    """``120 faces/s``, or, slower than one a second, ``40 s a step``."""
    if not rate:
        return ""
    if unit == _BYTES:
        return f"{rate / 1e6:,.1f} MB/s"
    if rate < 1:
        return f"{time_text(1 / rate)} a {unit.removesuffix('s')}"
    return f"{rate:,.{0 if rate >= 10 else 1}f} {unit}/s"


def time_text(seconds: float) -> str:
    """``9 s``, ``4 min 05 s``, ``3 h 20 min``, ``2 d 05 h``."""
    whole = max(0, round(seconds))
    for large, small, names in ((86400, 3600, "d h"), (3600, 60, "h min"), (60, 1, "min s")):
        if whole >= large:
            first, second = names.split()
            return f"{whole // large} {first} {whole % large // small:02} {second}"
    return f"{whole} s"


@contextmanager
def counting_bar(
    title: str, shown: bool, unit: str, said: bool = False
) -> Iterator[Callable[[int, int], None]]:
    """Yields a function of (done, in all); said: one line of the number of units at the beginning,
    too, where no terminal is and lines are said.
    """
    with works(shown) as all_works:
        work, lines = all_works.begin(title, None, unit), all_works.lines if said else None

        def advance(done: int, total: int) -> None:
            nonlocal lines
            if lines is not None:
                lines.say(f"{title}: {total:,}")
                lines = None
            work.to(done, total)

        yield advance


def unseen(name: str, steps: int) -> Callable[[], None]:
    """A `Stage` that shows nothing."""
    return lambda: None


@contextmanager
def stages(shown: bool) -> Iterator[Stage]:
    """Yields a `Stage` that is told of; the next one ends the one before."""
    with works(shown) as all_works:

        def stage(name: str, steps: int) -> Callable[[], None]:
            all_works.end()
            work = all_works.begin(name, steps)
            work.to(0)
            return work.by

        yield stage
