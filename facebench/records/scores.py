"""Every comparison's score and decision, kept beside the record for paired tests later.

They are a file of their own, so that records stay small and readable; the record names it and the
SHA-256 of its table. What all records of one list of comparisons share, which are mated, in which
fold and of whom, is one more file beside them, which the scores name by the SHA-256 of its columns.
Both are files of `facebench.records.columns`.

The plain form of a table, which older files have, is safetensors with the tensors ``scores``,
``decisions``, ``mated``, ``folds``, and, where the protocol says who is in its images,
``left_subjects``, ``right_subjects``; of searches whose scores do not tell it, ``ranks`` (in older
files ``first``); of groups their labels.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.base.opening import SCORES, plain_bytes, read_bytes
from facebench.base.storage import kept
from facebench.records.columns import (
    Columns,
    DamagedColumnsError,
    header_of,
    loaded,
    packed,
    tensor_bytes,
    unpacked,
)

_NAMES = ("scores", "decisions", "mated", "folds")
# As the plain form has them, which is by their types.
_ORDER = (
    "folds", "left_subjects", "right_subjects", "scores", "ranks", "decisions", "first", "mated"
)  # fmt: skip
_LISTED = ("folds", "left_subjects", "right_subjects", "mated")
_LABELS = re.compile(r"(?:label|image)_[ab]:.+")
_TYPES = {
    "scores": ("float32", "float64"),
    "decisions": ("bool",),
    "mated": ("bool",),
    "first": ("bool",),
    "ranks": ("uint32",),
}
_LIST = "list"  # in the header of scores: the SHA-256 of what they leave out
_SHA256 = re.compile(r"[0-9a-f]{64}")
Subjects = NDArray[np.int64] | None


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """scores: float32 or float64[n], -inf for a failure to acquire; decisions, mated: bool[n];
    folds: int64[n], or draws, or splits; left_subjects, right_subjects: int64[n], numbers of the
    people, or None where they are not known; a search has its probe's only. ranks:
    uint32[n], of a search's own identity, 0 where it is found at none; first: bool[n], whether it
    is the first, in files without ranks; neither: it is where its score is not -inf. labels: of
    groups, uint32[n] by ``label_a:COLUMN`` and ``label_b:COLUMN``, 0 where there is none, and of
    images their numbers by ``image_a:COLUMN`` and ``image_b:COLUMN``. The comparisons are in the
    protocol's order.
    """

    scores: NDArray[np.floating]
    decisions: NDArray[np.bool_]
    mated: NDArray[np.bool_]
    folds: NDArray[np.int64]
    left_subjects: Subjects = None
    right_subjects: Subjects = None
    first: NDArray[np.bool_] | None = None
    ranks: NDArray[np.uint32] | None = None
    labels: Mapping[str, NDArray[np.uint32]] = field(default_factory=dict)

    @property
    def correct(self) -> NDArray[np.bool_]:
        """bool[n]: which comparisons were decided rightly."""
        return np.equal(self.decisions, self.mated)

    @property
    def came_first(self) -> NDArray[np.bool_] | None:
        """bool[n]: whether a search's own identity came first; None: see ``first``."""
        return self.first if self.ranks is None else np.equal(self.ranks, 1)

    def has_comparisons_of(self, other: ScoreTable) -> bool:
        """Whether another table has the same comparisons in the same order, as far as both tell."""
        people = (
            (self.left_subjects, other.left_subjects),
            (self.right_subjects, other.right_subjects),
        )
        return (
            np.array_equal(self.mated, other.mated)
            and np.array_equal(self.folds, other.folds)
            and all(a is None or b is None or np.array_equal(a, b) for a, b in people)
        )

    def with_people_of(self, other: ScoreTable) -> ScoreTable:
        """The table with the people that another one of the same comparisons knows and it does
        not.
        """
        left = other.left_subjects if self.left_subjects is None else self.left_subjects
        right = other.right_subjects if self.right_subjects is None else self.right_subjects
        return replace(self, left_subjects=left, right_subjects=right)

    def only(self, rows: NDArray[np.int64]) -> ScoreTable:
        """The table of some comparisons, int64[k] positions."""
        left, right = self.left_subjects, self.right_subjects
        return ScoreTable(
            self.scores[rows],
            self.decisions[rows],
            self.mated[rows],
            self.folds[rows],
            None if left is None else left[rows],
            None if right is None else right[rows],
            None if self.first is None else self.first[rows],
            None if self.ranks is None else self.ranks[rows],
            {name: column[rows] for name, column in self.labels.items()},
        )

    @property
    def columns(self) -> Columns:
        """What it has, by name, in the order of the plain form."""
        named = {name: getattr(self, name) for name in _ORDER}
        there = {name: column for name, column in named.items() if column is not None}
        return there | dict(sorted(self.labels.items()))

    @property
    def listed(self) -> Columns:
        """The columns that are the same for all records of one list of comparisons."""
        return {name: column for name, column in self.columns.items() if _is_listed(name)}

    def to_bytes(self) -> bytes:
        """The plain form; the same table gives the same bytes."""
        return tensor_bytes(self.columns)

    @property
    def sha256(self) -> str:
        """Of the plain form."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def own_bytes(self) -> bytes:
        """The file of what is the record's own, which names the list of comparisons."""
        own = {name: column for name, column in self.columns.items() if not _is_listed(name)}
        return packed(own, {_LIST: _sha256(self.listed)})

    def list_bytes(self) -> bytes:
        """The file of the list of comparisons."""
        return packed(self.listed, {})

    @property
    def list_file(self) -> str:
        """The name of that file."""
        return list_file(_sha256(self.listed))

    def whole_bytes(self) -> bytes:
        """One file of both."""
        return packed(self.columns, {})

    @classmethod
    def from_bytes(cls, data: bytes, where: str) -> ScoreTable:
        """The table in the bytes of the plain form; UserError where they are no such file."""
        try:
            return cls._of(loaded(data), where)
        except DamagedColumnsError as error:
            raise _no_scores(where, error) from None

    @classmethod
    def _of(cls, columns: Columns, where: str) -> ScoreTable:
        labels = {name: column for name, column in columns.items() if _LABELS.fullmatch(name)}
        known = set(_NAMES) <= set(columns) - set(labels) <= set(_ORDER)
        if not known or len({column.shape for column in columns.values()}) != 1:
            raise _no_scores(where, f"it has {', '.join(sorted(columns))}")
        for name, column in columns.items():
            types = ("uint32",) if name in labels else _TYPES.get(name, ("int64",))
            if column.ndim != 1 or column.dtype.name not in types:
                raise _no_scores(where, f"{name} is {column.dtype}{column.shape}")
        named = {name: column for name, column in columns.items() if name not in labels}
        return cls(**named, labels=labels)


def table_in(
    data: bytes, sha256: str, where: str, find_lists: Callable[[str], Sequence[Path]]
) -> ScoreTable:
    """The table in a file of scores, of whatever form, whose plain form has a SHA-256.

    find_lists: where files of the list of comparisons by a name are, of which the first that is
    intact counts; what it raises is raised here. UserError in one line, which names the file: no
    such file, or another table's.
    """
    if hashlib.sha256(data).hexdigest() == sha256:
        return ScoreTable.from_bytes(data, where)
    try:
        columns = unpacked(data, SCORES)
        named = list_named_in(data)
    except DamagedColumnsError as error:
        raise _no_scores(where, error) from None
    if named is not None:
        columns |= _listed_in(find_lists(list_file(named)), named)
    table = ScoreTable._of(columns, where)
    if table.sha256 != sha256:
        raise UserError(f"{where}: its SHA-256 is not the one in its record; make both again")
    return table


def _listed_in(paths: Sequence[Path], sha256: str) -> Columns:
    """The first intact list of files that have its name. UserError about the first: none is."""
    wrong: UserError | None = None
    for path in paths:
        try:
            return _list_in(path, sha256)
        except UserError as error:
            wrong = wrong or error
    assert wrong is not None  # there is a file at least
    raise wrong


@kept
def _list_in(path: Path, sha256: str) -> Columns:
    mend = "copy it again, or evaluate one of its models again, which writes it anew"
    try:
        columns = unpacked(read_bytes(path, "the list of comparisons", SCORES), SCORES)
    except DamagedColumnsError as error:
        raise UserError(f"{path}: not a list of comparisons ({error}): {mend}") from None
    if _sha256(columns) != sha256:
        raise UserError(f"{path}: its SHA-256 is not that of its name: {mend}")
    for column in columns.values():  # which records may share
        column.setflags(write=False)
    return columns


def is_list(path: Path) -> bool:
    """Whether a file is the list of comparisons that its name says."""
    try:
        columns = unpacked(plain_bytes(path, SCORES), SCORES)
    except (OSError, DamagedColumnsError):
        return False
    return list_file(_sha256(columns)) == path.name


def list_named_in(data: bytes) -> str | None:
    """The SHA-256 of the list of comparisons that the first bytes of a file of scores name; None:
    it holds its own. `DamagedColumnsError`: no SHA-256.
    """
    named = (header_of(data) or {}).get(_LIST)
    if named is not None and not (isinstance(named, str) and _SHA256.fullmatch(named)):
        raise DamagedColumnsError(f"its header names the list {str(named)[:80]!r}")
    return named


def _is_listed(name: str) -> bool:
    return name in _LISTED or _LABELS.fullmatch(name) is not None


def list_file(sha256: str) -> str:
    """The name of the file of a list of comparisons."""
    return f"comparisons-{sha256[:12]}.safetensors"


def _sha256(columns: Columns) -> str:
    ordered = {name: columns[name] for name in _ORDER if name in columns}
    ordered |= {name: columns[name] for name in sorted(columns) if name not in _ORDER}
    return hashlib.sha256(tensor_bytes(ordered)).hexdigest()


def _no_scores(where: str, why: object) -> UserError:
    return UserError(f"{where}: not a file of scores: {why}")


def record_name(model: str, signature: str) -> str:
    """The file name of a record, without its ending: the model, and 8 digits of the signature's
    SHA-256, so that records of other settings are other files.
    """
    return f"{file_name(model)}-{hashlib.sha256(signature.encode()).hexdigest()[:8]}"


def file_name(text: str, also: str = "") -> str:
    """A plain file name; a text that had to be changed carries its hash, so that none collide.

    also: characters that are allowed besides letters, digits, dots, ``_`` and ``-``.
    """
    plain = re.sub(rf"[^A-Za-z0-9._{re.escape(also)}-]+", "-", text).lstrip(".-")[:80]
    if plain == text:
        return plain
    return f"{plain or 'model'}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
