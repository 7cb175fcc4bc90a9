"""One model's worst errors, and the people or images that a second model hurts most.

Comparisons of single models are told by their scores. Two models have scales of their own, so what
is compared is the *margin*: how far a score lies on the right side of its fold's threshold, in
standard deviations of the model's scores (the root of the mean of both kinds' variances, as in d').
A person's *change* is the mean, over all comparisons of the person, of what the margin gained
beyond the mean of all comparisons of that kind, mated or not. Of so many people some look hurt by
chance, those in few comparisons first, so they are ordered by the change that is to be expected of
further comparisons (`facebench.statistics.paired.group_means`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.records.comparability import require_comparable
from facebench.records.frames import Scalar, Shown, frame_of
from facebench.records.record import Record, folds_of
from facebench.records.scores import ScoreTable
from facebench.records.sections import VerificationSection
from facebench.statistics.paired import GroupMeans, group_means

if TYPE_CHECKING:
    from pandas import DataFrame

By = Literal["person", "image"]
Keys = Sequence[tuple[str, str]]  # the two faces of every comparison
MOST = 120
LABELS = (
    "Look at the labels first: among the worst errors of a good model many are wrong labels, and "
    "faces that nobody could see."
)
FEW = 0.5  # the share of a change that is no chance, below which comparisons are too few


@dataclass(frozen=True)
class WorstPair:
    """One comparison. position: in the protocol's list, from 0; threshold: its fold's; margin: see
    the module; faces: their keys, where they are known.
    """

    position: int
    fold: int
    mated: bool
    right: bool
    score: float
    threshold: float
    margin: float
    faces: tuple[str, str] | None = None


@dataclass(frozen=True)
class WorstErrors(Shown):
    """The comparisons that a model gets most wrong.

    nonmated: those with the highest scores, mated: with the lowest, worst first; wrong: how many
    non-mated and mated ones it decides wrongly; failed: comparisons without a face that could be
    acquired, which have no score and are left out.
    """

    record: Record
    nonmated: tuple[WorstPair, ...]
    mated: tuple[WorstPair, ...]
    wrong: tuple[int, int]
    failed: int

    def rows(self) -> list[dict[str, Scalar]]:
        """One for every comparison; positions from 0."""
        record = self.record
        return [
            {
                "data_kind": record.data.kind,
                "protocol": record.protocol.name,
                "data": record.data.fingerprint,
                "model": record.model.id,
                "position": one.position,
                "fold": one.fold,
                "mated": one.mated,
                "decided_rightly": one.right,
                "score": one.score,
                "threshold": one.threshold,
                "margin": one.margin,
                "left_face": one.faces[0] if one.faces else None,
                "right_face": one.faces[1] if one.faces else None,
            }
            for one in (*self.nonmated, *self.mated)
        ]

    def to_frame(self) -> DataFrame:
        """One row for every comparison."""
        return frame_of(self.rows())


@dataclass(frozen=True)
class Hit:
    """One person or image. change, expected: see the module, below 0 where margin was lost; few:
    more than half of the change is chance; worse, better: comparisons that only the base, and only
    the candidate, decides rightly; before, after: the comparison that lost most, by either model.
    """

    name: str
    comparisons: int
    change: float
    expected: float
    few: bool
    worse: int
    better: int
    before: WorstPair
    after: WorstPair


@dataclass(frozen=True)
class MostHit(Shown):
    """Whom a candidate hurts most, against a base.

    hits: the most hurt first, of ``total`` people or images; means: of the margin's change, in
    mated and in non-mated comparisons; between: the standard deviation of true changes, 0 where
    they differ no more than chance brings, None where nobody is in two comparisons; failed:
    comparisons without a score of either model, which are left out.
    """

    base: Record
    candidate: Record
    by: By
    hits: tuple[Hit, ...]
    total: int
    means: tuple[float, float]
    between: float | None
    failed: int

    def rows(self) -> list[dict[str, Scalar]]:
        """One for every person or image."""
        base = self.base
        return [
            {
                "data_kind": base.data.kind,
                "protocol": base.protocol.name,
                "data": base.data.fingerprint,
                "base_model": base.model.id,
                "candidate_model": self.candidate.model.id,
                self.by: hit.name,
                "comparisons": hit.comparisons,
                "change": hit.change,
                "expected": hit.expected,
                "few": hit.few,
                "changed_worse": hit.worse,
                "changed_better": hit.better,
                "position": hit.before.position,
                "base_score": hit.before.score,
                "candidate_score": hit.after.score,
            }
            for hit in self.hits
        ]

    def to_frame(self) -> DataFrame:
        """One row for every person or image."""
        return frame_of(self.rows())


def worst_errors(record: Record, number: int = 12, keys: Keys | None = None) -> WorstErrors:
    """The non-mated comparisons with the highest scores and the mated ones with the lowest.

    number: of both together, the non-mated ones one more where it is odd; keys: the faces of every
    comparison. UserError: a record without scores, or of other comparisons than pairs in folds.
    """
    table, margins = _margins(record)
    there = np.isfinite(table.scores)
    of_kind = []
    for mated, most in ((False, number - number // 2), (True, number // 2)):
        rows = np.flatnonzero(there & (table.mated == mated))
        order = np.argsort(table.scores[rows] * (1 if mated else -1), kind="stable")
        of_kind.append([_pair(record, table, margins, row, keys) for row in rows[order][:most]])
    wrong = ~table.correct & there
    counts = (int((wrong & ~table.mated).sum()), int((wrong & table.mated).sum()))
    return WorstErrors(record, tuple(of_kind[0]), tuple(of_kind[1]), counts, int((~there).sum()))


def most_hit(
    base: Record,
    candidate: Record,
    number: int = 12,
    by: By | None = None,
    keys: Keys | None = None,
    people: Mapping[str, str] | None = None,
) -> MostHit:
    """The people or images whose comparisons lose most margin from the base to the candidate.

    by: None: people where the records know them, else images, which takes their keys; people: who
    is in an image, by its key; of others its name tells. UserError: as `worst_errors` and
    `require_comparable`; nobody known to be counted by.
    """
    require_comparable(base, candidate)
    (one, before), (other, after) = _margins(base), _margins(candidate)
    if not one.has_comparisons_of(other):
        raise UserError(
            f"{base.model.id} and {candidate.model.id}: the comparisons are in another order"
        )
    by, sides = _groups(base, one, by, keys)
    with np.errstate(invalid="ignore"):
        change = after - before
    there = np.isfinite(change)
    kinds = [there & (one.mated == mated) for mated in (True, False)]
    means = [float(change[kind].mean()) if kind.any() else 0.0 for kind in kinds]
    beyond = change - np.where(one.mated, means[0], means[1])
    rows, groups = _places(sides, there)
    known, of = np.unique(groups, return_inverse=True)
    found = _means(base, beyond[rows], of)
    # Among those whose change is all chance the change itself decides.
    order = np.lexsort((found.mean, found.expected))[:number]
    flipped = other.correct.astype(np.int64) - one.correct
    hits = []
    for at in order:
        own = rows[of == at]
        worst = int(own[np.argmin(beyond[own])])
        hits.append(
            Hit(
                name=_name(by, sides, keys, people or {}, worst, int(known[at])),
                comparisons=int(found.number[at]),
                change=float(found.mean[at]),
                expected=float(found.expected[at]),
                few=bool(found.weight[at] < FEW),
                worse=int((flipped[own] < 0).sum()),
                better=int((flipped[own] > 0).sum()),
                before=_pair(base, one, before, worst, keys),
                after=_pair(candidate, other, after, worst, keys),
            )
        )
    total, failed = int(known.size), int((~there).sum())
    return MostHit(
        base, candidate, by, tuple(hits), total, (means[0], means[1]), found.between, failed
    )


def require_errors(record: Record) -> None:
    """UserError: a record without scores, or of other comparisons than pairs in folds."""
    if not isinstance(record.statistics, VerificationSection):
        raise UserError(
            f"{record.model.id}: {record.protocol.name} ({record.protocol.kind}) has no pairs in "
            "folds, whose errors could be shown; name a record of such a protocol, e.g. -p lfw"
        )
    if record.table is None:
        raise UserError(f"the errors of a model are told by its scores: {record.missing}")


def _margins(record: Record) -> tuple[ScoreTable, NDArray[np.float64]]:
    """Scores, and float64[n] margins of a record, -inf or inf of failures to acquire."""
    require_errors(record)
    assert record.table is not None
    table, accuracy = record.table, folds_of(record).accuracy
    separation = folds_of(record).separation
    deviations = (separation.mated_std, separation.nonmated_std)
    scale = float(np.sqrt(np.mean([d * d for d in deviations if d is not None] or [0.0])))
    if not scale:
        raise UserError(f"{record.model.id}: all scores of a kind are equal; there is no worst one")
    places = np.searchsorted(np.array(accuracy.folds), table.folds)
    thresholds = np.array([accuracy.threshold_of(fold) for fold in accuracy.folds])
    away = table.scores.astype(np.float64) - thresholds[places]
    return table, np.where(table.mated, away, -away) / scale


def _pair(
    record: Record,
    table: ScoreTable,
    margins: NDArray[np.float64],
    row: int,
    keys: Keys | None,
) -> WorstPair:
    accuracy = folds_of(record).accuracy
    fold = int(table.folds[row])
    return WorstPair(
        position=int(row),
        fold=fold,
        mated=bool(table.mated[row]),
        right=bool(table.correct[row]),
        score=float(table.scores[row]),
        threshold=accuracy.threshold_of(fold),
        margin=float(margins[row]),
        faces=None if keys is None else keys[row],
    )


def _name(
    by: By,
    sides: NDArray[np.int64],
    keys: Keys | None,
    people: Mapping[str, str],
    row: int,
    group: int,
) -> str:
    """What a group is called, by one of its comparisons."""
    if keys is None:
        return f"person {group}"
    key = keys[row][0 if sides[0, row] == group else 1]
    return key if by == "image" else people.get(key) or person_of(key)


def person_of(key: str) -> str:
    """Who is in an image, by its key: its folder, else its name without the number at its end."""
    folder, _, name = key.rpartition("/")
    return folder or name.rpartition(".")[0].rstrip("0123456789").rstrip("_-. ") or key


def _groups(
    record: Record, table: ScoreTable, by: By | None, keys: Keys | None
) -> tuple[By, NDArray[np.int64]]:
    """By what comparisons are counted, and int64[2, n] numbers of both sides."""
    left, right = table.left_subjects, table.right_subjects
    people = left is not None and right is not None
    by = by or ("person" if people else "image")
    if by == "person":
        if left is None or right is None:
            raise UserError(
                f"the record of {record.model.id} does not say who is in its images; count by image"
            )
        sides = np.stack((left, right))
    else:
        if keys is None:
            raise UserError(
                "records do not say which images they compare: name the faces' folder with --data"
            )
        numbers: dict[str, int] = {}
        each = [[numbers.setdefault(key, len(numbers)) for key in pair] for pair in keys]
        sides = np.array(each, dtype=np.int64).T
    return by, sides


def _places(
    sides: NDArray[np.int64], there: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """int64[m] comparisons and whom each is of: once for each of the two who are in it."""
    two = np.flatnonzero(there & (sides[0] != sides[1]))
    rows = np.concatenate((np.flatnonzero(there), two))
    return rows, np.concatenate((sides[0][there], sides[1][two]))


def _means(record: Record, values: NDArray[np.float64], of: NDArray[np.int64]) -> GroupMeans:
    try:
        return group_means(values, of)
    except ValueError:
        raise UserError(
            f"{record.protocol.name}: two people or more with scores are needed, to tell whom a "
            "model hurts most"
        ) from None
