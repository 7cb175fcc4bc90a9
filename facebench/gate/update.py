"""Baselines: records kept in git, moved with a reason that is kept beside them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from facebench.base.errors import UserError
from facebench.base.locks import path_lock
from facebench.base.opening import read_text
from facebench.records.comparability import (
    measured_otherwise,
    scored_otherwise,
    signature_differences,
)
from facebench.records.files import read_record, remove_scores, write_record, write_scores
from facebench.records.find import records_below
from facebench.records.record import Record, similarity_kind, template_kind
from facebench.records.scores import file_name


@dataclass(frozen=True)
class Move:
    """One baseline: its file, the record's digest before (None: there was none) and after."""

    path: Path
    old: str | None
    new: str

    @property
    def line(self) -> str:
        """What is said of it."""
        if self.old == self.new:
            return f"{self.path}: is this record already"
        before = self.old[:16] if self.old else "new"
        return f"{self.path}: {before} → {self.new[:16]}"


def update_baselines(
    baseline: Path,
    records: Sequence[Record],
    reason: str,
    *,
    other_data: bool = False,
    now: datetime | None = None,
) -> list[Move]:
    """Put records in the place of baselines, with their scores, and note date, reason and digests.

    baseline: a record's file, for one record, or a folder: there the record of the same protocol,
    similarity (whatever it has learned), pooling and template is replaced, or one is added; a name
    that ends otherwise must be a folder that is there. other_data: let a
    baseline become one that its predecessor cannot be compared with, e.g. of synthetic faces. The
    notes are lines of JSON in ``<baseline>.moves.jsonl``. All is checked before the first is
    written. UserError: no reason, a record whose scores are not beside it, two records for one
    place, a record of other data, comparisons, alignment or settings than the baseline.
    """
    said = " ".join(reason.split())
    if not said:
        raise UserError('a baseline is moved with a reason: --reason "..."')
    places = [_place(baseline, record) for record in records]
    if not records:
        raise UserError("name the records that become the baseline")
    if len(set(places)) < len(places):
        raise UserError(f"{baseline}: two of the records would be the same baseline; name one")
    for record in records:
        if record.scores is not None and record.table is None:
            raise UserError(f"{record.missing}; without scores no drop can be told")
    if not other_data:
        for path, record in zip(places, records, strict=True):
            _require_same_measure(path, record)
    moment = (now or datetime.now(UTC)).isoformat(timespec="seconds")
    return [_move(path, record, said, moment) for path, record in zip(places, records, strict=True)]


def moves_path(baseline: Path) -> Path:
    """Where a baseline's moves are noted; not ``.json``, so that no folder of records has it."""
    return baseline.with_name(f"{baseline.stem}.moves.jsonl")


def _require_same_measure(path: Path, record: Record) -> None:
    """UserError where the baseline in a file and the record measure different things."""
    if not path.exists():
        return
    old = read_record(path)
    differs = measured_otherwise(old, record) + scored_otherwise(old, record)
    if differs:
        raise UserError(
            f"{path}: the baseline of {old.model.id} and the record of {record.model.id} measure "
            f"different things ({'; '.join(differs)}); name another --baseline, or add --other-data"
        )


def _place(baseline: Path, record: Record) -> Path:
    """The file that a record replaces, or where it is added."""
    if not baseline.is_dir():
        if baseline.suffix == ".json":
            return baseline
        if baseline.exists() or baseline.suffix:
            raise UserError(
                f"--baseline {baseline}: is neither a .json file nor a folder; write "
                f"{baseline.with_suffix('.json')}, or make the folder first"
            )
    held = records_below(baseline)
    fit = [
        (path, old)
        for path, old in held
        if old.protocol.name == record.protocol.name and not scored_otherwise(old, record)
    ]
    same = [(path, old) for path, old in fit if old.similarity == record.similarity]
    own = [path for path, _ in same or fit]
    if len(own) > 1:
        raise UserError(f"{baseline}: {own[0].name} and {own[1].name} both fit; name one file")
    if own:
        return own[0]
    words = [record.protocol.name]
    if record.similarity != "cosine":
        words.append(similarity_kind(record.similarity))
    if record.model.template:
        words.append(template_kind(record.model))
    path = baseline / f"{file_name('-'.join(words))}.json"
    if path.exists():
        raise UserError(f"{path}: is a record of other settings; name a file with --baseline")
    return path


def _move(path: Path, record: Record, reason: str, moment: str) -> Move:
    """Scores, note and record as one step; a stop in its midst can be repeated."""
    old = read_record(path) if path.exists() else None
    move = Move(path, old.digest() if old else None, record.digest())
    if move.old != move.new:
        notes = {moves_path(path): _noted(path, move, old, record, reason, moment)}
        write_record(record, path, notes)
    else:  # its scores may have been lost
        write_scores(record, path)
    _remove_replaced(path)
    return move


def _noted(
    path: Path, move: Move, old: Record | None, record: Record, reason: str, moment: str
) -> bytes:
    """The notes of a baseline with a move at their end."""
    lines = _notes(path)
    differs = signature_differences(old.signature, record.signature) if old else []
    note: dict[str, object] = {
        "date": moment,
        "reason": reason,
        "old": move.old,
        "new": move.new,
        "model": record.model.id,
        "signature": record.signature,
        "differs": [str(difference) for difference in differs],
    }
    if old is not None and old.scores is not None and old.scores != record.scores:
        note["replaced_scores"] = old.scores.file
    last = _last(lines)
    if (last.get("old"), last.get("new")) == (move.old, move.new):
        lines = lines[:-1]  # a stop came after the note
    return ("\n".join([*lines, json.dumps(note, ensure_ascii=False)]) + "\n").encode()


def _remove_replaced(path: Path) -> None:
    """Remove the scores that the last move replaced, also where a stop came before that."""
    name = _last(_notes(path)).get("replaced_scores")
    if isinstance(name, str) and Path(name).name == name and ".scores-" in name:
        with path_lock(path.parent) as lock:
            lock.wait()  # for who writes scores there that the list belongs to
            remove_scores(path.with_name(name))


def _notes(path: Path) -> list[str]:
    notes = moves_path(path)
    return read_text(notes, "the notes").splitlines() if notes.exists() else []


def _last(lines: Sequence[str]) -> dict[str, object]:
    try:
        found = json.loads(lines[-1]) if lines else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
