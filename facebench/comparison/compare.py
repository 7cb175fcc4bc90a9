"""Models against a base, on the same comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from facebench.base.options import require_level
from facebench.comparison.paired import Paired, corrected, paired_row, paired_statistics
from facebench.records.comparability import SettingDifference, require_comparable
from facebench.records.find import Named, named_in, require_words, several
from facebench.records.frames import Results, Scalar, Shown, frame_of
from facebench.records.record import Record
from facebench.statistics.paired import McNemar, mcnemar_exact

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class Comparison(Shown):
    """One candidate against the base.

    changed: comparisons that only one of the two decided rightly, None without scores; worse,
    better: their positions in the protocol's list, from 0, those whose scores moved most first;
    settings: what else their signatures differ in; keys: the faces of every comparison, where they
    are known.
    """

    base: Record
    candidate: Record
    statistics: tuple[Paired, ...]
    changed: McNemar | None
    worse: tuple[int, ...]
    better: tuple[int, ...]
    settings: tuple[SettingDifference, ...]
    keys: tuple[tuple[str, str], ...] | None = None

    def rows(self) -> list[dict[str, Scalar]]:
        """One for every statistic; shares in full precision."""
        base, changed = self.base, self.changed
        return [
            {
                "data_kind": base.data.kind,
                "protocol": base.protocol.name,
                "data": base.data.fingerprint,
                "base_model": base.model.id,
                "candidate_model": self.candidate.model.id,
                "base_digest": base.digest(),
                "candidate_digest": self.candidate.digest(),
                **paired_row(found),
                "changed_worse": changed.only_a if changed else None,
                "changed_better": changed.only_b if changed else None,
            }
            for found in self.statistics
        ]

    def to_frame(self) -> DataFrame:
        """One row for every statistic: shares, and differences of shares."""
        signed: dict[str, Scalar] = {
            "base_signature": self.base.signature,
            "candidate_signature": self.candidate.signature,
        }
        return frame_of(row | signed for row in self.rows())


def compare(
    base: Named,
    candidates: Named | Sequence[Named],
    *,
    protocol: str | None = None,
    similarity: str | None = None,
    found_in: Sequence[Path] = (),
    level: float = 0.95,
) -> Results[Comparison]:
    """Models against a base on the same comparisons: effect, interval, p-value, and what changed.

    Parameters
    ----------
    base : Record, str or path
        The reference: a record, its file, or the name of a model that was evaluated.
    candidates : Record, str, path, or several of them
        What is compared with it, of the same protocol and data.
    protocol : str, optional
        Of models that are named by name; needed where they have records of several.
    similarity : str, optional
        Of models that are named by name: ``cosine``, ``joint-bayesian`` or ``projection``.
    found_in : sequence of paths, optional
        Folders in which records of models are looked for, before the committed ones and the cache.
    level : float, optional
        Of the intervals of the differences.

    Returns
    -------
    Results of Comparison
        One for every candidate. Its ``statistics`` are paired over people, where they are known;
        the first has the ``verdict`` ``better``, ``worse``, ``no difference shown`` or
        ``undecided`` at 5%, its p-value corrected for the number of candidates (Holm).

    Raises
    ------
    UserError
        A record that is not found, several to choose from, or records that were not made on the
        same comparisons of the same faces.

    Examples
    --------
    >>> import facebench
    >>> found = facebench.compare("baseline", ["sparse_074", "sparse_076"], protocol="lfw")
    >>> accuracy = found[0].statistics[0]
    >>> accuracy.statistic, accuracy.verdict
    ('accuracy', 'no difference shown')
    >>> found.to_frame()["candidate_model"].unique().tolist()
    ['sparse_074', 'sparse_076']
    """
    require_words(protocol, similarity)
    require_level("compare", level)
    first, *others = named_in(found_in, several([base, *several(candidates)]), protocol, similarity)
    return Results(compare_records(first, others, level=level))


def compare_records(
    base: Record,
    candidates: Sequence[Record],
    *,
    level: float = 0.95,
) -> list[Comparison]:
    """Every candidate against the base; all are checked before the first is computed.

    Their first statistics are one family of tests, see `corrected`; the others are not judged.
    UserError: `require_comparable`, `paired_statistics`.
    """
    settings = [require_comparable(base, candidate) for candidate in candidates]
    found = [
        _compare(base, candidate, differs, level)
        for candidate, differs in zip(candidates, settings, strict=True)
    ]
    judged = corrected([one.statistics[0] for one in found])
    return [
        replace(one, statistics=(first, *one.statistics[1:]))
        for one, first in zip(found, judged, strict=True)
    ]


def _compare(
    base: Record,
    candidate: Record,
    settings: list[SettingDifference],
    level: float,
) -> Comparison:
    statistics = paired_statistics(base, candidate, level=level)
    one, other = base.table, candidate.table
    changed, worse, better = None, np.array([], np.int64), np.array([], np.int64)
    if one is not None and other is not None and one.has_comparisons_of(other):
        changed = mcnemar_exact(one.correct, other.correct)
        with np.errstate(invalid="ignore"):
            moved = np.abs(other.scores.astype(np.float64) - one.scores.astype(np.float64))
        order = np.argsort(-np.nan_to_num(moved), kind="stable")
        worse = order[(one.correct & ~other.correct)[order]]
        better = order[(other.correct & ~one.correct)[order]]
    return Comparison(
        base,
        candidate,
        tuple(statistics),
        changed,
        tuple(worse.tolist()),
        tuple(better.tolist()),
        tuple(settings),
    )
