"""Which threshold to deploy for a false match rate, what it gives on others, what scores say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any

import numpy as np

from facebench.base.errors import UserError
from facebench.base.options import require, require_draws, require_level
from facebench.base.storage import write_atomically
from facebench.base.version import __version__
from facebench.comparison.calibration.written import (
    CheckedSection,
    ErrorSection,
    PeopleOf,
    RatioSection,
    ScoredBy,
    SetSection,
    ThresholdFile,
    read_threshold,
)
from facebench.records.find import Named, is_file, named_in, require_words, several
from facebench.records.frames import Scalar, Shown, frame_of
from facebench.records.record import Record
from facebench.records.sections import IntervalSection, VerificationSection
from facebench.statistics.calibration.likelihood import (
    LikelihoodRatio,
    fit_likelihood,
    likelihood_cost,
)
from facebench.statistics.calibration.people import PeopleHalves, halves
from facebench.statistics.calibration.threshold import DRAWS, ErrorRate, error_rates, set_threshold
from facebench.statistics.checks import AnyFloatArray, BoolArray
from facebench.statistics.given import refused_in
from facebench.statistics.intervals.bootstrap import Units

if TYPE_CHECKING:
    from pandas import DataFrame

_WHERE = "threshold"
FAR, PRIOR = 0.001, 0.01  # of `threshold`


@dataclass(frozen=True)
class Threshold(Shown):
    """A threshold and what it gives on other people.

    file: everything, as `facebench threshold -o` writes it; checked: its part on these people;
    record: of the comparisons that it was checked on; dropped: comparisons across the halves.
    """

    file: ThresholdFile
    checked: CheckedSection
    record: Record
    dropped: int = 0

    @property
    def threshold(self) -> float:
        """A pair is accepted when its score is at least this."""
        return self.file.threshold

    @property
    def ratio(self) -> LikelihoodRatio:
        """What a score says."""
        found = self.file.log_likelihood_ratio
        return LikelihoodRatio(found.slope, found.intercept)

    def probability(self, score: float, prior: float | None = None) -> float:
        """That both faces are of one person; prior: None: the one that was stated."""
        if prior is None:
            prior = self.file.log_likelihood_ratio.prior
        with refused_in("probability"):
            return self.ratio.probability(score, prior)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the file."""
        write_atomically(Path(path), self.file.to_json().encode())

    def rows(self) -> list[dict[str, Scalar]]:
        """One for every number; rates are shares."""
        file, checked = self.file, self.checked
        set_on, prior = file.set_on, file.log_likelihood_ratio.prior
        asked = round(set_on.reached * set_on.nonmated), set_on.nonmated
        named: list[tuple[str, float, IntervalSection | None, tuple[int, int] | None, PeopleOf]] = [
            ("threshold", file.threshold, file.interval, asked, set_on),
            *(
                (name, rate.value, rate.interval, (rate.errors, rate.number), checked)
                for name, rate in (("FMR", checked.fmr), ("FNMR", checked.fnmr))
            ),
            ("Cllr", checked.cllr, checked.cllr_interval, None, checked),
            ("minCllr", checked.min_cllr, None, None, checked),
            ("probability at the threshold", self.probability(file.threshold), None, None, set_on),
        ]
        return [
            {
                "data_kind": people.kind,
                "protocol": people.protocol,
                "data": people.fingerprint,
                "half": people.half,
                "model": file.scores_of.model,
                "far": set_on.far,
                "resolvable": set_on.resolvable,
                "prior": prior,
                "statistic": name,
                "value": value,
                "low": interval.low if interval else None,
                "high": interval.high if interval else None,
                "level": interval.level if interval else None,
                "interval": interval.kind if interval else None,
                "errors": counts[0] if counts else None,
                "comparisons": counts[1] if counts else None,
            }
            for name, value, interval, counts, people in named
        ]

    def to_frame(self) -> DataFrame:
        """One row for every number."""
        return frame_of(self.rows())


def threshold(
    model: Named,
    *,
    far: float | None = None,
    check: Named | None = None,
    use: str | PathLike[str] | None = None,
    prior: float | None = None,
    protocol: str | None = None,
    similarity: str | None = None,
    found_in: Sequence[Path] = (),
    level: float = 0.95,
    draws: int = DRAWS,
) -> Threshold:
    """The threshold for a false match rate, what it gives on other people, and what scores say.

    Parameters
    ----------
    model : Record, str or path
        A record, its file, or the name of a model that was evaluated, on pairs in folds.
    far : float, optional
        The share of non-mated pairs that may be accepted; default: 0.001.
    check : Record, str or path, optional
        Where the threshold is judged: a protocol that the model was evaluated on, or a record of
        it. Default: the people are halved, one half sets the threshold and the other judges it; so
        they are where both records are of the same list.
    use : str or path, optional
        A threshold's file: nothing is set, it is judged on the record of the model.
    prior : float, optional
        The probability that two faces are of one person before they are compared; default: the
        one in the file of ``use``, else 0.01.
    protocol : str, optional
        Of a model that is named by name; needed where it has records of several.
    similarity : str, optional
        Of a model that is named by name: ``cosine``, ``joint-bayesian`` or ``projection``.
    found_in : sequence of paths, optional
        Folders in which records are looked for, first.
    level : float, optional
        Of the intervals.
    draws : int, optional
        Of the bootstrap over people for the threshold's interval; 0: none.

    Returns
    -------
    Threshold
        ``threshold``, ``checked.fmr``, ``checked.fnmr``, ``checked.cllr`` and so on, with
        intervals; ``probability(score)``; ``save(path)`` writes it as JSON.

    Raises
    ------
    UserError
        A record that is not found, keeps no scores or is of no pairs in folds; one that does not
        say who is in its images, without another to check on; a check on the people that the
        threshold was set on; distances; another model than the threshold's.

    Examples
    --------
    >>> import facebench
    >>> found = facebench.threshold("sparse_074", protocol="lfw")
    >>> round(found.threshold, 3), found.checked.fmr.number
    (0.758, 1500)
    """
    _require_arguments(far, prior, level, draws, use, check)
    require_words(protocol, similarity)
    (record,) = named_in(found_in, several([model]), protocol, similarity)
    if use is not None:
        return check_threshold(read_threshold(Path(use)), record, prior=prior, level=level)
    other = record if check is None else _to_check(record, check, found_in)
    same = record.comparisons.fingerprint == other.comparisons.fingerprint
    halved = _halves(record) if same else None
    rows, judged = (None, None) if halved is None else (halved.one, halved.other)
    far, prior = FAR if far is None else far, PRIOR if prior is None else prior
    file = _set(record, rows, halved, far, prior, level, draws)
    file.scores_of.require_same(ScoredBy.of(other))
    _require_kind(file, other)
    return _checked(file, other, judged, halved, level)


def check_threshold(
    file: ThresholdFile, record: Record, *, prior: float | None = None, level: float = 0.95
) -> Threshold:
    """What a threshold gives on a record: on the other half of the people where it was set on a
    half of these. prior: None: the file's. UserError: as `threshold`.
    """
    if prior is not None:
        ratio = file.log_likelihood_ratio.model_copy(update={"prior": prior})
        file = file.model_copy(update={"log_likelihood_ratio": ratio})
    require_pairs(record)
    file.scores_of.require_same(ScoredBy.of(record))
    _require_kind(file, record)
    halved = None
    if file.set_on.comparisons == record.comparisons.fingerprint:
        if file.set_on.half is None:
            raise UserError(
                f"the threshold was set on all of these people ({record.protocol.name}): their "
                "rates would flatter it; check it on another protocol or other data"
            )
        halved = _halves(record)
    return _checked(file, record, None if halved is None else halved.other, halved, level)


def _require_kind(file: ThresholdFile, record: Record) -> None:
    if file.set_on.kind != record.data.kind:
        raise UserError(
            f"the threshold was set on {file.set_on.kind} faces, and {record.protocol.name} on "
            f"{record.data.fingerprint} is {record.data.kind}: rendered faces say nothing about "
            "photographs; check it on faces of its kind"
        )


def require_pairs(record: Record) -> None:
    """UserError: a record without scores, or of other comparisons than pairs in folds."""
    if not isinstance(record.statistics, VerificationSection):
        raise UserError(
            f"{record.model.id}: {record.protocol.name} ({record.protocol.kind}) has no pairs in "
            "folds, whose scores a threshold could be set on; name a record of such a protocol, "
            "e.g. -p lfw"
        )
    if record.table is None:
        raise UserError(f"a threshold is set on scores: {record.missing}")


def _require_arguments(
    far: float | None,
    prior: float | None,
    level: float,
    draws: int,
    use: object,
    check: object,
) -> None:
    for name, value, example in (("far", far, 0.001), ("prior", prior, 0.01)):
        require(name, value, (float, int, NoneType), f"{example}")
        if value is not None and not 0 < value < 1:
            raise UserError(f"--{name} {value}: give a share above 0 and below 1, e.g. {example}")
    require_level(_WHERE, level)
    require("draws", draws, (int,), "1000")
    require_draws(draws)
    require("use", use, (str, PathLike, NoneType), "'threshold.json'")
    if use is not None and far is not None:
        raise UserError(
            "--use judges a threshold that was set for a rate of its own; leave out --far"
        )
    if use is not None and check is not None:
        raise UserError("--use judges a threshold on the model's record; leave out --check")


def _to_check(record: Record, check: Named, found_in: Sequence[Path]) -> Record:
    """The record to check on: of the same model on another protocol, or one that is named."""
    if isinstance(check, str) and not is_file(check):
        (found,) = named_in(found_in, [record.model.id], check, record.similarity.split("(")[0])
        return found
    (found,) = named_in(found_in, several([check]))
    return found


def _units(record: Record, rows: BoolArray | None) -> tuple[AnyFloatArray, Units]:
    """Scores, and who is in them, of some comparisons."""
    require_pairs(record)
    table = record.table
    assert table is not None
    if rows is not None:
        table = table.only(np.flatnonzero(rows))
    units = Units.of(table.mated, table.left_subjects, table.right_subjects, _WHERE)
    return table.scores, units


def _halves(record: Record) -> PeopleHalves:
    _, units = _units(record, None)
    if units.kind != "subjects":
        raise UserError(
            f"the record of {record.model.id} on {record.protocol.name} does not say who is in its "
            "images, so that no people can be kept apart; name other data with --check"
        )
    assert record.table is not None
    with refused_in(f"{_WHERE}, {record.protocol.name}"):
        return halves(units, record.table.folds)


def _set(
    record: Record,
    rows: BoolArray | None,
    halved: PeopleHalves | None,
    far: float,
    prior: float,
    level: float,
    draws: int,
) -> ThresholdFile:
    scores, units = _units(record, rows)
    with refused_in(f"{_WHERE}, {record.model.id} on {record.protocol.name}"):
        ratio = fit_likelihood(scores, units.mated)
        found = set_threshold(scores, units, far, draws=draws, level=level)
    return ThresholdFile(
        format="facebench threshold",
        version=1,
        facebench=__version__,
        threshold=found.point.threshold,
        interval=IntervalSection.of_any(found.interval),
        log_likelihood_ratio=RatioSection(
            slope=ratio.slope, intercept=ratio.intercept, prior=prior
        ),
        scores_of=ScoredBy.of(record),
        set_on=SetSection(
            **_people(record, units, halved),
            far=far,
            reached=found.point.far,
            resolvable=found.point.resolvable,
            failures=int(np.count_nonzero(scores == -np.inf)),
        ),
        checked_on=None,
    )


def _checked(
    file: ThresholdFile,
    record: Record,
    rows: BoolArray | None,
    halved: PeopleHalves | None,
    level: float,
) -> Threshold:
    scores, units = _units(record, rows)
    ratio = LikelihoodRatio(file.log_likelihood_ratio.slope, file.log_likelihood_ratio.intercept)
    with refused_in(f"{_WHERE}, {record.model.id} on {record.protocol.name}"):
        rates = error_rates(scores, units, file.threshold, level=level)
        cost = likelihood_cost(ratio, scores, units, level=level)
    checked = CheckedSection(
        **_people(record, units, halved),
        fmr=_error(rates.fmr),
        fnmr=_error(rates.fnmr),
        cllr=cost.value,
        cllr_interval=IntervalSection.of(cost.interval),
        min_cllr=cost.best,
        failures=cost.failures,
    )
    whole = file.model_copy(update={"checked_on": checked})
    return Threshold(whole, checked, record, 0 if halved is None else halved.dropped)


def _people(record: Record, units: Units, halved: PeopleHalves | None) -> dict[str, Any]:
    mated = int(np.count_nonzero(units.mated))
    return {
        "protocol": record.protocol.name,
        "data": record.data.name,
        "kind": record.data.kind,
        "fingerprint": record.data.fingerprint,
        "comparisons": record.comparisons.fingerprint,
        "mated": mated,
        "nonmated": units.mated.size - mated,
        "subjects": units.count if units.kind == "subjects" else None,
        "half": halved.by if halved else None,
    }


def _error(rate: ErrorRate) -> ErrorSection:
    return ErrorSection(
        value=rate.value,
        errors=rate.errors,
        number=rate.number,
        interval=IntervalSection.of(rate.interval),
    )
