"""Records that are kept in git, made again from their scores when the rules of this version change.

Numbers move only where a rule did: values of statistics are told where they differ by more than
rounding. Records whose protocols keep no scores of pairs must be evaluated again.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from facebench.base.errors import UserError
from facebench.base.storage import write_atomically
from facebench.evaluation.recompute import recomputed
from facebench.records.costs import COSTS, read_costs, save_costs
from facebench.records.files import read_record
from facebench.records.find import record_files
from facebench.records.record import Record
from facebench.records.statistics import find_statistic, statistics_in

_ROUNDING = 1e-12


@dataclass(frozen=True)
class Refreshed:
    """One record's file. moved: the values that are not what they were; why: it was left as it is,
    else empty.
    """

    path: Path
    changed: bool = False
    moved: tuple[str, ...] = ()
    why: str = ""

    @property
    def line(self) -> str:
        """What is said of it."""
        if self.why:
            return f"{self.path}: left as it is: {self.why}"
        said = "made again" if self.changed else "is so already"
        return f"{self.path}: {said}{''.join(f'; {one}' for one in self.moved)}"


def refresh(places: Sequence[Path]) -> Iterator[Refreshed]:
    """Every record in the places, files or folders, with statistics and seal of this version.

    Each is written as soon as it is computed, complete or not at all, so that a run which was
    stopped goes on. Costs, which nothing computes again, are sealed where they were not. UserError:
    a file that is no record.
    """
    for place in places:
        if not place.exists():
            raise UserError(f"{place}: no such file or folder")
        for path in record_files(place):
            yield _refreshed(path)
        for path in sorted((place / COSTS).glob("*.json")):
            before = path.read_bytes()
            save_costs(read_costs(path), path.parent)
            yield Refreshed(path, path.read_bytes() != before)


def _refreshed(path: Path) -> Refreshed:
    record = read_record(path)
    try:
        again = recomputed(record).sealed()
    except UserError as error:
        return Refreshed(path, why=str(error))
    data = again.canonical_json()
    changed = data != path.read_bytes()
    if changed:
        write_atomically(path, data)
    return Refreshed(path, changed, tuple(_moved(record, again)))


def _moved(before: Record, after: Record) -> Iterator[str]:
    for name in statistics_in(before):
        old, new = find_statistic(before, name), find_statistic(after, name)
        if old is None or new is None or abs(old.value - new.value) > _ROUNDING:
            told = [f"{one.value:.6f}" if one else "none" for one in (old, new)]
            yield f"{name} {' → '.join(told)}"


def main(places: Sequence[str]) -> int:
    """Make the records in files or folders again; say what was changed, or left and why."""
    for found in refresh([Path(place) for place in places]):
        if found.changed or found.why:
            print(found.line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
