"""Scores of pairs that were computed elsewhere: ``image_a, image_b, score`` or ``distance``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.faces.images import without_ending
from facebench.faces.tables.columns import TextTable, read_columns
from facebench.faces.tables.pairs import IMAGES, SAME

SCORE, DISTANCE = "score", "distance"
_NEEDS = "a table of scores needs image_a, image_b and score (or distance)"
_SHOWN = 3
_DECIMAL_COMMA = re.compile("[-+]?[0-9]+,[0-9]+(e[-+]?[0-9]+)?", re.IGNORECASE)
_Sides = tuple[str, str]


@dataclass(frozen=True, eq=False)
class GivenScores:
    """A table of scores. values: float64[n], higher is more alike, -inf: not acquired; distances:
    they are distances, negated; lists_pairs: whether the table says which pairs are mated, too.
    """

    path: Path
    left: Sequence[str]
    right: Sequence[str]
    values: NDArray[np.float64]
    distances: bool
    lists_pairs: bool

    def of(
        self, left: Sequence[str], right: Sequence[str], on_missing: str = "error"
    ) -> NDArray[np.float64]:
        """Scores float64[m] of pairs of images, in either order; names are compared exactly, then
        without the image's ending. UserError: pairs that have no score, unless ``on_missing`` is
        ``count``, which makes them failures to acquire (-inf).
        """
        known = self._by_pair(str)
        keys = list(map(_pair, left, right))
        if any(key not in known for key in keys):
            short = self._by_pair(without_ending)
            found = [known.get(key, short.get(_shortened(key))) for key in keys]
        else:
            found = [known[key] for key in keys]
        absent = [f"{a} and {b}" for (a, b), one in zip(keys, found, strict=True) if one is None]
        if absent and (on_missing == "error" or len(absent) == len(keys)):
            more = ", …" if len(absent) > _SHOWN else ""
            raise UserError(
                f"{len(absent):,} of {len(keys):,} comparisons have no score in {self.path} "
                f"({', '.join(absent[:_SHOWN])}{more}; it has {self.left[0]} and {self.right[0]}); "
                "add them, or count them as failures to acquire with --on-missing count"
            )
        return np.array([-np.inf if one is None else one for one in found], dtype=np.float64)

    def _by_pair(self, name: Callable[[str], str]) -> Mapping[_Sides, float]:
        pairs = (_pair(name(a), name(b)) for a, b in zip(self.left, self.right, strict=True))
        return dict(zip(pairs, self.values.tolist(), strict=True))


def read_scores(path: Path, renamed: Mapping[str, str] | None = None) -> GivenScores:
    """The scores of a table in CSV or Parquet; the column's name says what they are: ``score``, a
    similarity, or ``distance``. UserError: both or neither, a cell that is empty or no number, a
    pair with two scores.
    """
    table = read_columns(path, renamed)
    table.require(*IMAGES, what=_NEEDS)
    if SCORE in table and DISTANCE in table:
        raise UserError(
            f"{path} has a column score and a column distance; keep the one that is meant: score "
            "is higher, distance lower, where two faces are more alike"
        )
    distances = DISTANCE in table
    if not distances:
        table.require(SCORE, what=_NEEDS)
    left, right = (table.filled(name) for name in IMAGES)
    values = _numbers(table, DISTANCE if distances else SCORE, distances)
    seen: dict[_Sides, int] = {}
    for row, pair in enumerate(map(_pair, left, right)):
        first = seen.setdefault(pair, row)
        if values[first] != values[row]:
            raise table.wrong(
                row,
                f"{pair[0]} and {pair[1]} have another score in {table.counted} "
                f"{table.lines[first]}; give every pair one",
            )
    return GivenScores(path, left, right, values, distances, SAME in table)


def _numbers(table: TextTable, name: str, distances: bool) -> NDArray[np.float64]:
    """A column as similarities; UserError names the first cell that is none."""
    lost = "inf" if distances else "-inf"
    found = np.empty(len(table))
    for row, text in enumerate(table.columns[name]):
        if not text:
            raise table.wrong(row, f"{name} is empty; write {lost} where a face was not acquired")
        try:
            number = float(text)
        except ValueError:
            point = "; write it with a point" if _DECIMAL_COMMA.fullmatch(text) else ""
            raise table.wrong(row, f"{name} is {text!r:.40}, not a number{point}") from None
        found[row] = -number if distances else number
        if not found[row] < np.inf:
            raise table.wrong(
                row, f"{name} is {text}; it is finite, or {lost} where a face was not acquired"
            )
    return found


def _pair(left: str, right: str) -> _Sides:
    return (left, right) if left <= right else (right, left)


def _shortened(pair: _Sides) -> _Sides:
    return _pair(*map(without_ending, pair))
