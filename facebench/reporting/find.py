"""Records for the cells of a report: those of --records, then the committed ones, then the cache's.

Only the heads of files are looked at until a record is chosen, so that a large folder stays fast.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from facebench.costs.record import COSTS
from facebench.errors import UserError
from facebench.faces.types import DataKind
from facebench.opening import RECORD, plain_bytes
from facebench.protocols.cards import load_protocol
from facebench.reporting.files import default_folder, read_record
from facebench.reporting.record import SCHEMA_VERSION, Record
from facebench.storage import result_folders

DIAGNOSTICS = "diagnostics"
_SKIPPED = (DIAGNOSTICS, COSTS, "distillation", "schema")


@dataclass(frozen=True)
class Wanted:
    """What a cell asks for. model: a record's ``model.id``; pooling None: the protocol's."""

    model: str
    protocol: str
    similarity: str = "cosine"
    pooling: str | None = None


@dataclass(frozen=True, order=True)
class DataKey:
    """Records with the same key may share a column: they are of the same faces, cut out alike, and
    of the same comparisons and threshold rule, as in `facebench.reporting.comparability`.
    """

    kind: DataKind
    faces: str
    comparisons: str
    edition: str
    alignment: str
    rule: str

    @property
    def foreign(self) -> bool:
        """Whether the protocol's card is not the shipped one."""
        return "+" in self.edition


@dataclass(frozen=True)
class Entry:
    """The head of a record's file. place: 0 of --records, 1 committed, 2 of the cache; created:
    when it was last made.
    """

    path: Path
    place: int
    model: str
    protocol: str
    similarity: str
    pooling: str
    weights: str
    data: DataKey
    version: tuple[int, ...]
    created: str

    def answers(self, wanted: Wanted, pooling: str | None) -> bool:
        """Whether it is of this model, protocol and settings; pooling None: any."""
        return (
            (self.model, self.protocol) == (wanted.model, wanted.protocol)
            and _named(self.similarity, wanted.similarity, "(")
            and _named(self.pooling, pooling, ",(")
        )

    @property
    def rank(self) -> tuple[int, tuple[int, ...], str, str]:
        """Ascending: the best last, within its place the newest; the path breaks ties."""
        return -self.place, self.version, self.created, str(self.path)


@dataclass
class Finder:
    """All records in reach. skipped: files of the cache that are no records of this version."""

    entries: list[Entry] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, folders: Sequence[Path] = (), *, cache: bool = True) -> Finder:
        """Records of folders (or files) that were named, committed ones, and the default folder.

        UserError: a named or committed file that is not a record of this version.
        """
        finder = cls()
        for place in folders:
            if not place.exists():
                raise UserError(f"--records {place}: no such file or folder")
            finder._add(place, 0)
        for folder in result_folders():
            finder._add(folder, 1)
        if cache:
            finder._add(default_folder(), 2)
        return finder

    def candidates(self, wanted: Wanted) -> list[Entry]:
        """All that answer, best first."""
        pooling = wanted.pooling or default_pooling(wanted.protocol)
        found = [entry for entry in self.entries if entry.answers(wanted, pooling)]
        return sorted(found, key=lambda entry: entry.rank, reverse=True)

    def add(self, path: Path) -> None:
        """A record that has been made meanwhile."""
        self._add(path, 2)

    def _add(self, place: Path, rank: int) -> None:
        known = {entry.path for entry in self.entries}
        for path in record_files(place):
            whole = path.resolve()
            if whole in known:
                continue
            try:
                self.entries.append(_head(whole, path, rank))
            except UserError as error:
                if rank < 2:
                    raise
                self.skipped.append(str(error))


def load_entry(entry: Entry) -> Record:
    """The record of an entry, read once; UserError: see `facebench.reporting.files.read_record`."""
    return _load(entry.path, entry.path.stat().st_mtime_ns)


@lru_cache(maxsize=512)
def _load(path: Path, changed: int) -> Record:
    return read_record(path)


def default_pooling(protocol: str) -> str | None:
    """What records of a protocol say of pooling unless another was chosen, e.g. ``mean-score, all
    frames``; None: any, as its card names none, or there is no such card.
    """
    try:
        card = load_protocol(protocol)
    except UserError:
        return None
    pooling: str | None = getattr(card, "pooling", None)
    frames: str | None = getattr(card, "frames", None)
    return pooling if pooling is None or frames is None else f"{pooling}, {frames} frames"


def version_of(text: str) -> tuple[int, ...]:
    """``0.10.1`` as numbers, so that it is newer than ``0.9``."""
    return tuple(int(number) for number in re.findall(r"\d+", text)[:4])


def _named(text: str, wanted: str | None, opens: str) -> bool:
    """Whether a setting is the wanted one, whatever follows in parentheses or after a comma."""
    return wanted is None or text == wanted or text.startswith(tuple(wanted + o for o in opens))


def record_files(place: Path) -> Iterator[Path]:
    """A file itself, or the files in a folder that should be records, sorted."""
    if place.is_file():
        yield place
        return
    for path in sorted(place.rglob("*.json")):
        parts = path.relative_to(place).parts
        if parts[0] not in _SKIPPED and not path.name.startswith("."):
            yield path


def _head(path: Path, shown: Path, place: int) -> Entry:
    try:
        values: Any = json.loads(plain_bytes(path, RECORD))
        if values["schema_version"] != SCHEMA_VERSION:
            raise ValueError
        return Entry(
            path=path,
            place=place,
            model=values["model"]["id"],
            protocol=values["protocol"]["name"],
            similarity=values["similarity"],
            pooling=values["pooling"],
            weights=values["model"]["weights_hash"],
            data=DataKey(
                values["data"]["kind"],
                values["data"]["fingerprint"],
                values["comparisons"]["fingerprint"],
                f"v{values['protocol']['version']}{values['protocol'].get('edition', '')}",
                values["alignment"],
                values["rule"],
            ),
            version=version_of(values["facebench"]),
            created=values["run"].get("again") or values["run"]["created"],
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        read_record(shown)  # says in one line what is wrong
        raise UserError(f"{shown}: not a record; leave it out, or make it again") from None
