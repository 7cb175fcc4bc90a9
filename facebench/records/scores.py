"""Every comparison's score and decision, kept beside the record for paired tests later.

They are a file of their own, so that records stay small and readable; the record names it and its
SHA-256. Format: safetensors, tensors ``scores``, ``decisions``, ``mated``, ``folds``, and, where
the protocol says who is in its images, ``left_subjects``, ``right_subjects``; of searches whose
scores do not tell it, ``ranks`` (in older files ``first``).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError

_NAMES = ("scores", "decisions", "mated", "folds")
_OPTIONAL = ("left_subjects", "right_subjects", "first", "ranks")
_TYPES = {
    "scores": ("float32", "float64"),
    "decisions": ("bool",),
    "mated": ("bool",),
    "first": ("bool",),
    "ranks": ("uint32",),
}
Subjects = NDArray[np.int64] | None


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """scores: float32 or float64[n], -inf for a failure to acquire; decisions, mated: bool[n];
    folds: int64[n], or draws, or splits; left_subjects, right_subjects: int64[n], numbers of the
    people, or None where they are not known; a search has its probe's only. ranks:
    uint32[n], of a search's own identity, 0 where it is found at none; first: bool[n], whether it
    is the first, in files without ranks; neither: it is where its score is not -inf. The
    comparisons are in the protocol's order.
    """

    scores: NDArray[np.floating]
    decisions: NDArray[np.bool_]
    mated: NDArray[np.bool_]
    folds: NDArray[np.int64]
    left_subjects: Subjects = None
    right_subjects: Subjects = None
    first: NDArray[np.bool_] | None = None
    ranks: NDArray[np.uint32] | None = None

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
        )

    def to_bytes(self) -> bytes:
        """The file's bytes; the same table gives the same bytes."""
        from safetensors.numpy import save

        named = {name: getattr(self, name) for name in _NAMES + _OPTIONAL}
        return save({k: np.ascontiguousarray(v) for k, v in named.items() if v is not None})

    @classmethod
    def from_bytes(cls, data: bytes, where: str) -> ScoreTable:
        """The table in a file's bytes; UserError where they are not such a file."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            arrays = load(data)
        except SafetensorError as error:
            raise UserError(f"{where}: not a file of scores: {error}") from None
        known = set(_NAMES) <= set(arrays) <= set(_NAMES + _OPTIONAL)
        if not known or len({array.shape for array in arrays.values()}) != 1:
            raise UserError(f"{where}: not a file of scores: it has {', '.join(sorted(arrays))}")
        for name, array in arrays.items():
            if array.ndim != 1 or array.dtype.name not in _TYPES.get(name, ("int64",)):
                raise UserError(
                    f"{where}: not a file of scores: {name} is {array.dtype}{array.shape}"
                )
        return cls(**arrays)


def record_name(model: str, signature: str) -> str:
    """The file name of a record, without its ending: the model, and 8 digits of the signature's
    SHA-256, so that records of other settings are other files.
    """
    return f"{file_name(model)}-{hashlib.sha256(signature.encode()).hexdigest()[:8]}"


def file_name(text: str) -> str:
    """A plain file name; a text that had to be changed carries its hash, so that none collide."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", text).lstrip(".-")[:80]
    if plain == text:
        return plain
    return f"{plain or 'model'}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
