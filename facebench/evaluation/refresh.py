"""Records that are kept in git, made again from their scores when the rules of this version change.

Numbers move only where a rule did: values of statistics are told where they differ by more than
rounding. Records whose protocols keep no scores of pairs must be evaluated again; they only get the
form in which this version writes files.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isclose
from pathlib import Path
from typing import Any

from facebench.base.errors import UserError, in_one_line
from facebench.evaluation.recompute import recomputed
from facebench.records.costs import COSTS, read_costs, save_costs
from facebench.records.files import read_record, table_files, write_record
from facebench.records.find import record_files
from facebench.records.record import Record
from facebench.records.statistics import find_statistic, statistics_in

FORM_ONLY = "--form-only"
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Refreshed:
    """One record's file. changed: whether it, or a file beside it, was written; moved: the values
    that are not what they were; why: its statistics were left as they are, else empty.
    """

    path: Path
    changed: bool = False
    moved: tuple[str, ...] = ()
    why: str = ""

    @property
    def line(self) -> str:
        """What is said of it."""
        if self.why:
            left = "its statistics stay as they are" if self.changed else "left as it is"
            return f"{self.path}: {left}: {self.why}"
        said = "made again" if self.changed else "is so already"
        return f"{self.path}: {said}{''.join(f'; {one}' for one in self.moved)}"


def refresh(places: Sequence[Path], *, form_only: bool = False) -> Iterator[Refreshed]:
    """Every record in the places, files or folders, with statistics and seal of this version.

    form_only: leave all numbers, and write the files as this version does. Each is written as soon
    as it is computed, complete or not at all, so that a run which was stopped goes on. Costs, which
    nothing computes again, are sealed where they were not. UserError: a file that is no record.
    """
    for place in places:
        if not place.exists():
            raise UserError(f"{place}: no such file or folder")
        for path in record_files(place):
            yield _refreshed(path, form_only)
        for path in sorted((place / COSTS).glob("*.json")):
            before = path.read_bytes()
            save_costs(read_costs(path), path.parent)
            yield Refreshed(path, path.read_bytes() != before)


def _refreshed(path: Path, form_only: bool) -> Refreshed:
    record, why = read_record(path), ""
    try:
        again = record if form_only else recomputed(record).sealed()
    except UserError as error:
        again, why = record, str(error)
    beside = table_files(again, path)
    alike = _alike(json.loads(path.read_bytes()), again.values())
    if alike:
        again = record  # what another processor rounds otherwise is no change
    changed = not alike or any(
        not file.is_file() or file.read_bytes() != data for file, data in beside.items()
    )
    if changed:
        write_record(again, path)
    return Refreshed(path, changed, tuple(_moved(record, again)), why)


def _alike(kept: Any, made: Any) -> bool:
    """Whether values of JSON differ by rounding at most; the seal is not looked at."""
    if isinstance(kept, dict) and isinstance(made, dict):
        names = kept.keys() - {"seal"}
        same = names == made.keys() - {"seal"} and bool(kept.get("seal")) == bool(made.get("seal"))
        return same and all(_alike(kept[name], made[name]) for name in names)
    if isinstance(kept, list) and isinstance(made, list):
        return len(kept) == len(made) and all(map(_alike, kept, made))
    if isinstance(kept, float) and isinstance(made, float):
        return isclose(kept, made, rel_tol=_ROUNDING, abs_tol=_ROUNDING)
    return bool(kept == made)


def _moved(before: Record, after: Record) -> Iterator[str]:
    for name in statistics_in(before):
        old, new = find_statistic(before, name), find_statistic(after, name)
        if old is None or new is None or abs(old.value - new.value) > _ROUNDING:
            told = [f"{one.value:.6f}" if one else "none" for one in (old, new)]
            yield f"{name} {' → '.join(told)}"


def main(places: Sequence[str]) -> int:
    """Make the records in files or folders again; say what was changed, or left and why.

    ``--form-only`` before them: see `refresh`.
    """
    form_only = places[:1] == [FORM_ONLY]
    paths = [Path(place) for place in (places[1:] if form_only else places)]
    with in_one_line("refresh"):
        for found in refresh(paths, form_only=form_only):
            if found.changed or found.why:
                print(found.line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
