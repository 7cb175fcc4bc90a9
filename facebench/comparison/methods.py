"""Methods, not networks: two ways of making a network, of each of which several seeds were trained.

A record tells its method and seed by the name of its model: ``taylor_s3`` is seed 3 of ``taylor``.
Records of one name and other weights are seeds of one method, too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from facebench.base.errors import UserError
from facebench.base.options import require_level
from facebench.comparison.paired import SIGNIFICANCE, SMALLER_IS_BETTER, target_of, verification_key
from facebench.records.comparability import require_comparable
from facebench.records.find import Named, named_in, require_words, several
from facebench.records.frames import Results, Scalar, Shown, frame_of
from facebench.records.record import Record
from facebench.records.sections import VerificationSection
from facebench.records.statistics import require_statistic, statistics_in
from facebench.statistics.intervals.methods import MethodDifference
from facebench.statistics.paired import holm
from facebench.statistics.verification import method_differences

if TYPE_CHECKING:
    from pandas import DataFrame

BY_METHOD = "{method}_s{seed}"
_DEFAULT = re.compile(r"(?P<method>.+?)[_.-]?(?:seed|(?<=[_.-])s)[_.-]?(?P<seed>[0-9]+)")


@dataclass(frozen=True)
class MethodStatistic:
    """One statistic of two methods. base, candidate: means over seeds; found: their difference;
    deciding_p: corrected for the number of methods (Holm) where it is judged, None: it is not.
    """

    statistic: str
    base: float
    candidate: float
    found: MethodDifference
    deciding_p: float | None = None

    @property
    def verdict(self) -> str:
        """``better``, ``worse``, ``no difference shown``; nothing of one seed, or not judged."""
        if self.deciding_p is None or not self.found.both_known:
            return ""
        gain = self.found.estimate * (-1 if self.statistic in SMALLER_IS_BETTER else 1)
        if self.deciding_p >= SIGNIFICANCE or not gain:
            return "no difference shown"
        return "better" if gain > 0 else "worse"


@dataclass(frozen=True)
class MethodComparison(Shown):
    """A method against the base's; of each its seeds' records."""

    base: str
    candidate: str
    base_records: tuple[Record, ...]
    candidate_records: tuple[Record, ...]
    statistics: tuple[MethodStatistic, ...]

    @property
    def of_one_seed(self) -> list[str]:
        """The methods of which there is one seed only."""
        pairs = ((self.base, self.base_records), (self.candidate, self.candidate_records))
        return [name for name, records in pairs if len(records) == 1]

    def rows(self) -> list[dict[str, Scalar]]:
        """One for every statistic; shares in full precision."""
        record = self.base_records[0]
        return [
            {
                "data_kind": record.data.kind,
                "protocol": record.protocol.name,
                "data": record.data.fingerprint,
                "base_method": self.base,
                "candidate_method": self.candidate,
                "base_seeds": len(self.base_records),
                "candidate_seeds": len(self.candidate_records),
                "statistic": one.statistic,
                "base": one.base,
                "candidate": one.candidate,
                "difference": one.found.estimate,
                "low": one.found.interval.low,
                "high": one.found.interval.high,
                "level": one.found.interval.level,
                "interval": one.found.interval.kind,
                "p_value": one.found.p_value,
                "p_holm": one.deciding_p,
                "share_of_people": shares[0] if shares else None,
                "share_of_seeds": shares[1] if shares else None,
                "share_of_both": shares[2] if shares else None,
                "seeds_needed": one.found.seeds_for(),
                "verdict": one.verdict or None,
            }
            for one in self.statistics
            for shares in [one.found.shares]
        ]

    def to_frame(self) -> DataFrame:
        """One row for every statistic: shares, and differences of shares."""
        return frame_of(self.rows())


def compare_methods(
    records: Named | Sequence[Named],
    by: str = BY_METHOD,
    *,
    protocol: str | None = None,
    similarity: str | None = None,
    found_in: Sequence[Path] = (),
    level: float = 0.95,
) -> Results[MethodComparison]:
    """Methods against the first record's: differences over people and seeds.

    Parameters
    ----------
    records : Record, str or path, or several of them
        Several seeds of each method; the first one's method is the base.
    by : str, optional
        How names tell method and seed, e.g. ``{method}-run{seed}``; a name that does not is a
        method itself.
    protocol : str, optional
        Of models that are named by name.
    similarity : str, optional
        As of `facebench.compare`.
    found_in : sequence of paths, optional
        As of `facebench.compare`.
    level : float, optional
        Of the intervals of the differences.

    Returns
    -------
    Results of MethodComparison
        One for every other method: differences with intervals over people and seeds, the share of
        variance of each, and how many seeds would decide.

    Raises
    ------
    UserError
        As of `facebench.compare`; one method, a seed that is given twice, records without scores,
        or of other protocols than pairs in folds.

    Examples
    --------
    >>> import facebench
    >>> (found,) = facebench.compare_methods(["baseline", "sparse_012"], protocol="lfw")
    >>> found.candidate, found.of_one_seed, found.statistics[0].statistic
    ('sparse_012', ['baseline', 'sparse_012'], 'accuracy')
    """
    require_words(protocol, similarity)
    require_level("compare_methods", level)
    given = named_in(found_in, several(records), protocol, similarity)
    groups = _by_method(given, _pattern(by))
    if len(groups) < 2:
        name = next(iter(groups), "none")
        raise UserError(
            f"--by {by}: all records are of one method, {name}; give records "
            "of two, or say how names tell them, e.g. --by '{method}_run{seed}'"
        )
    first = given[0]
    for record in given[1:]:
        require_comparable(first, record)
    for record in given:
        if not isinstance(record.statistics, VerificationSection):
            raise UserError(
                f"--by {by}: methods are compared on pairs in folds, and {record.protocol.name} "
                f"({record.protocol.kind}) has none; leave --by out, or choose another protocol"
            )
        if record.table is None:
            raise UserError(f"--by {by}: methods are compared by their scores; {record.missing}")
    (base, of_base), *others = groups.items()
    found = [_statistics(of_base, records_of, level) for _, records_of in others]
    judged = holm([one[0].found.p_value if one[0].found.both_known else None for one in found])
    return Results(
        MethodComparison(
            base,
            name,
            tuple(of_base),
            tuple(records_of),
            (_judged(one[0], p), *one[1:]),
        )
        for (name, records_of), one, p in zip(others, found, judged, strict=True)
    )


def _judged(one: MethodStatistic, p: float | None) -> MethodStatistic:
    return MethodStatistic(one.statistic, one.base, one.candidate, one.found, p)


def _pattern(by: str) -> re.Pattern[str]:
    """What a name must be; UserError: it does not say where method and seed stand."""
    if by in ("method", BY_METHOD):
        return _DEFAULT
    if by.count("{method}") != 1 or by.count("{seed}") != 1:
        raise UserError(
            f"--by {by}: write method, or a pattern of names with {{method}} and {{seed}}, such as "
            "'{method}_run{seed}'"
        )
    parts = re.split(r"(\{method\}|\{seed\})", by)
    kinds = {"{method}": "(?P<method>.+?)", "{seed}": "(?P<seed>[0-9A-Za-z]+)"}
    return re.compile("".join(kinds.get(part, re.escape(part)) for part in parts))


def _by_method(records: Sequence[Record], pattern: re.Pattern[str]) -> dict[str, list[Record]]:
    groups: dict[str, list[Record]] = {}
    for record in records:
        match = pattern.fullmatch(record.model.id)
        of_one = groups.setdefault(match["method"] if match else record.model.id, [])
        twin = next((r for r in of_one if r.model.weights_hash == record.model.weights_hash), None)
        if twin is not None:
            raise UserError(
                f"{record.model.id} and {twin.model.id} have the same weights: one seed is given "
                "twice; name each once"
            )
        of_one.append(record)
    return groups


def _statistics(
    base: Sequence[Record], candidate: Sequence[Record], level: float
) -> list[MethodStatistic]:
    table = base[0].table
    assert table is not None  # see compare_methods
    names = [
        name
        for name in statistics_in(base[0])
        if all(require_statistic(record, name).resolvable for record in (*base, *candidate))
    ]
    one, other = (
        [(r.table.scores, r.table.decisions) for r in records if r.table is not None]
        for records in (base, candidate)
    )
    targets = [target_of(name) for name in names if "=" in name]
    found = method_differences(
        one,
        other,
        table.mated,
        table.folds,
        table.left_subjects,
        table.right_subjects,
        targets,
        level=level,
    )
    means = [
        [sum(require_statistic(r, name).value for r in records) / len(records) for name in names]
        for records in (base, candidate)
    ]
    return [
        MethodStatistic(name, before, after, found[verification_key(name)])
        for name, before, after in zip(names, *means, strict=True)
    ]
