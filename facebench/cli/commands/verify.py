"""``facebench verify``: whether a record says what its scores give."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facebench.base.errors import UserError, left_out
from facebench.base.text import printable
from facebench.cli.commands.results import record_named

if TYPE_CHECKING:
    from facebench.records.record import Record

_ROUNDING = 1e-12


def command(
    records: Annotated[list[str], typer.Argument(help="Records' files, folders of them, or ids.")],
) -> None:
    """Check records against their seals, and compute their numbers again from their scores.

    Exit code 0: everything agrees; 1: a number is another; 2: a file was changed by hand, or is no
    record. Records without scores are checked by their seal alone, and say so.

    Example: facebench verify reports/results/lfw
    """
    from facebench.records.files import NoRecordError
    from facebench.records.find import record_files

    paths = [
        path
        for name in records
        for path in (record_files(Path(name)) if Path(name).is_dir() else [record_named(name)])
    ]
    if not paths:
        raise UserError(f"{', '.join(records)}: no record is there")
    wrong = number = 0
    for path in paths:
        try:
            verdict, agrees = _verified(path)
        except NoRecordError as error:
            if str(path) in records:
                raise
            left_out(error)  # JSON of another tool in a folder
            continue
        number += 1
        wrong += not agrees
        sys.stdout.write(f"{printable(path)}: {printable(verdict)}\n")
    if not number:
        raise UserError(f"{', '.join(records)}: no record is there")
    if len(paths) > 1:
        sys.stdout.write(f"{number - wrong} of {number} records agree\n")
    if wrong:
        raise typer.Exit(1)


def _verified(path: Path) -> tuple[str, bool]:
    """In words what was checked, and whether it agrees; UserError: the seal or a field is wrong."""
    from facebench.evaluation.recompute import recomputed
    from facebench.records.files import read_record

    record = read_record(path)
    seal = "the seal agrees" if record.seal is not None else "no seal (made before there were any)"
    try:
        again = recomputed(record)
    except UserError:
        again_by = f"facebench eval -m {record.model.id} -p {record.protocol.name}"
        return f"{seal}; {_unscored(record)}: `{again_by} --data FOLDER` makes it again", True
    moved = list(_moved(record, again))
    if moved:
        return f"{seal}, but its scores give {'; '.join(moved)}", False
    number = record.comparisons.total
    return f"{seal}; all numbers follow again from the scores of {number:,} comparisons", True


def _unscored(record: Record) -> str:
    if record.table is None:
        return record.missing
    return "its scores are checked as it is read; its intervals are not computed again"


def _moved(record: Record, again: Record) -> list[str]:
    """Values and ends of intervals that are not those of the scores."""
    from facebench.records.frames import named_estimates, shown_interval

    found = named_estimates(again.statistics)
    told = []
    for name, estimate in named_estimates(record.statistics).items():
        ends, others = shown_interval(estimate), shown_interval(found[name])
        numbers = [("", estimate.value, found[name].value)]
        if ends is not None and others is not None:
            numbers += [("low ", ends.low, others.low), ("high ", ends.high, others.high)]
        told += [
            f"{name} {of}{new:.6f} where it says {old:.6f}"
            for of, old, new in numbers
            if abs(old - new) > _ROUNDING
        ]
    return told
