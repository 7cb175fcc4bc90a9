"""Two models on the same comparisons by their scores alone: differences, intervals, verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike, NDArray

from facebench.base.errors import UserError
from facebench.comparison.paired import Paired, corrected, paired_row
from facebench.records.frames import Results, Shown, frame_of
from facebench.statistics.checks import AnyFloatArray, BoolArray, checked_comparisons
from facebench.statistics.folds import FoldAccuracy, ten_fold_accuracy
from facebench.statistics.given import (
    SubjectPair,
    given_array,
    given_fars,
    given_mated,
    given_scores,
    given_subjects,
    refused_in,
)
from facebench.statistics.intervals.exact import tar_key
from facebench.statistics.paired import Difference, McNemar, mcnemar_exact
from facebench.statistics.roc import auc, eer, tar_at_far
from facebench.statistics.verification import NAMES, paired_with_each

if TYPE_CHECKING:
    from pandas import DataFrame

_WHERE = "compare_scores"


@dataclass(frozen=True)
class ScoreComparison(Shown):
    """One candidate's scores against the base's, of the same comparisons.

    name: of the candidate; statistics: paired, the first of them with a verdict; changed: how many
    comparisons only one of the two decided rightly, at the folds' thresholds, None without folds;
    total: comparisons.
    """

    name: str
    statistics: tuple[Paired, ...]
    changed: McNemar | None
    total: int

    def to_frame(self) -> DataFrame:
        """One row for every statistic; shares, and differences of shares."""
        return frame_of(
            {"candidate_model": self.name, **paired_row(found)} for found in self.statistics
        )


def compare_scores(
    base: ArrayLike,
    candidates: ArrayLike | Mapping[str, ArrayLike],
    mated: ArrayLike,
    folds: ArrayLike | None = None,
    subjects: SubjectPair | None = None,
    *,
    fars: Sequence[float] = (0.1, 0.01, 0.001),
    rule: str = "exact",
    level: float = 0.95,
) -> Results[ScoreComparison]:
    """Models against a base by their scores of the same comparisons.

    Parameters
    ----------
    base : array_like of float, shape (n,)
        The reference's score for every comparison; higher is more alike, ``-inf`` is a failure to
        acquire.
    candidates : array_like of float, shape (n,), or mapping of names to such
        One candidate's scores, or several candidates': then the p-values of their first statistics
        are corrected for their number (Holm).
    mated : array_like of bool, shape (n,)
        Whether both faces are of one person; 1 and 0 will do.
    folds : array_like of int, shape (n,), optional
        The fold of every comparison; without folds accuracies are not compared.
    subjects : pair of array_like, each of shape (n,), optional
        The person on the left and on the right of every comparison. Without them comparisons are
        taken for independent, and too much is called different where people come back.
    fars : sequence of float, optional
        The false accept rates at which TAR is compared.
    rule : str, optional
        How a fold's threshold is chosen: ``exact``, or ``facenet-grid``.
    level : float, optional
        Of the intervals of the differences.

    Returns
    -------
    Results of ScoreComparison
        For each candidate the differences (candidate minus base) with interval and p-value of
        ``accuracy`` (where folds are given), ``auc``, ``eer``, ``TAR@FAR=0.1`` and so on. The first
        has the verdict: ``better``, ``worse`` or ``no difference shown`` at 5%.

    Raises
    ------
    UserError
        As `verification`, and where two lists of scores are of different lengths.

    Examples
    --------
    >>> import facebench
    >>> mated = [True, False] * 50
    >>> base = [0.9, 0.1] * 50
    >>> worse = [0.9, 0.1] * 35 + [0.1, 0.9] * 15
    >>> found = facebench.compare_scores(base, worse, mated, folds=[1, 1, 2, 2] * 25)
    >>> accuracy = found[0].statistics[0]
    >>> round(accuracy.difference, 6), accuracy.verdict
    (-0.3, 'worse')
    >>> facebench.compare_scores(base, {"same": base, "worse": worse}, mated).to_frame().shape[0]
    10
    """
    named = candidates if isinstance(candidates, Mapping) else {"candidate": candidates}
    if not named:
        raise UserError(f"{_WHERE}: give at least one candidate's scores")
    with refused_in(f"{_WHERE}, base"):
        first = given_scores(base)
    with refused_in(_WHERE):
        _, flags = checked_comparisons(first, given_mated(mated, first.size), _WHERE)
    others = {name: _scores_of(name, values, flags.size) for name, values in named.items()}
    with refused_in(_WHERE):
        left, right = given_subjects(subjects, flags.size)
        parts = None if folds is None else given_array(folds, "folds")
        fars = given_fars(fars)
        one, *models = (
            _Scored.of(values, flags, parts, fars, rule) for values in (first, *others.values())
        )
        differences = paired_with_each(
            (one.scores, one.decisions),
            [(model.scores, model.decisions) for model in models],
            flags,
            parts,
            left,
            right,
            fars,
            names=NAMES if parts is not None else NAMES[1:],
            level=level,
        )
    paired = [_paired(one, *two) for two in zip(models, differences, strict=True)]
    judged = corrected([statistics[0] for statistics in paired])
    return Results(
        ScoreComparison(name, (leading, *own[1:]), one.changed(model, flags), flags.size)
        for name, model, own, leading in zip(others, models, paired, judged, strict=True)
    )


def _scores_of(name: str, values: ArrayLike, n: int) -> AnyFloatArray:
    """A candidate's scores; UserError: wrong ones, or another number than the base's."""
    with refused_in(f"{_WHERE}, {name}"):
        scores = given_scores(values)
        if scores.size != n:
            raise ValueError(f"{scores.size} scores, and the base has {n}; compare the same pairs")
    return scores


@dataclass(frozen=True, eq=False)
class _Scored:
    """values: by the keys of `paired_with_each`; resolvable: likewise."""

    scores: AnyFloatArray
    accuracy: FoldAccuracy | None
    values: dict[str, float]
    resolvable: dict[str, bool]

    @classmethod
    def of(
        cls,
        scores: AnyFloatArray,
        mated: BoolArray,
        folds: NDArray[Any] | None,
        fars: Sequence[float],
        rule: str,
    ) -> _Scored:
        accuracy = None if folds is None else ten_fold_accuracy(scores, mated, folds, rule)
        points = {tar_key(point.target): point for point in tar_at_far(scores, mated, fars)}
        values = {} if accuracy is None else {"accuracy": accuracy.accuracy}
        values |= {"auc": auc(scores, mated), "eer": eer(scores, mated)}
        values |= {key: point.tar for key, point in points.items()}
        return cls(scores, accuracy, values, {key: p.resolvable for key, p in points.items()})

    @property
    def decisions(self) -> BoolArray | None:
        """bool[n], at the folds' thresholds."""
        return None if self.accuracy is None else self.accuracy.decisions

    def changed(self, other: _Scored, mated: BoolArray) -> McNemar | None:
        """Comparisons that only one of the two decided rightly."""
        if self.decisions is None or other.decisions is None:
            return None
        return mcnemar_exact(self.decisions == mated, other.decisions == mated)


def _paired(one: _Scored, other: _Scored, differences: Mapping[str, Difference]) -> list[Paired]:
    return [
        Paired(
            key if key in NAMES else f"TAR@FAR={float(key.partition('=')[2]):g}",
            one.values[key],
            other.values[key],
            interval=difference.interval,
            p_value=difference.p_value,
            resolvable=one.resolvable.get(key, True),
        )
        for key, difference in differences.items()
    ]
