"""Rates at a threshold that was set on other people, as an evaluation records them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.base.text import json_text
from facebench.comparison.calibration.written import ScoredBy, ThresholdFile, read_threshold
from facebench.faces.types import DataKind
from facebench.records.sections import UNKNOWN, DeployedRate, DeployedSection, IntervalSection
from facebench.statistics.calibration.people import PeopleHalves, halves
from facebench.statistics.calibration.threshold import ErrorRate, error_rates
from facebench.statistics.given import refused_in
from facebench.statistics.intervals.bootstrap import Units
from facebench.statistics.intervals.dyadic import Sharing, share_interval
from facebench.statistics.intervals.influence import of_share
from facebench.statistics.paired import units_of_all

_LEVEL = 0.95


@dataclass(frozen=True, eq=False)
class DeployedScores:
    """Scores float[n] of comparisons, -inf for failures to acquire; mated: bool[n]; folds:
    int64[n]; left, right: int64[n], the people, or None; fingerprint: of the list.
    """

    scores: NDArray[np.floating]
    mated: NDArray[np.bool_]
    folds: NDArray[np.int64]
    left: NDArray[np.int64] | None
    right: NDArray[np.int64] | None
    fingerprint: str


@dataclass(frozen=True)
class DeployedThreshold:
    """A threshold's file, to be held fixed. path: for messages."""

    path: Path
    file: ThresholdFile

    @classmethod
    def read(cls, path: Path) -> DeployedThreshold:
        """UserError: as `read_threshold`."""
        return cls(path, read_threshold(path))

    @property
    def digest(self) -> str:
        """16 hexadecimal digits over the threshold and what it was set on; what it was checked on
        does not matter.
        """
        said = self.file.model_dump(mode="json", include={"threshold", "scores_of", "set_on"})
        return hashlib.sha256(json_text(said).encode()).hexdigest()[:16]

    def require_same(self, scored: ScoredBy) -> None:
        """UserError: scores of another network, input, flip, similarity or template, which are on
        another scale, or of faces that were cut out by another rule.
        """
        own = self.file.scores_of
        try:
            own.require_same(scored)
        except UserError as error:
            raise UserError(f"--threshold {self.path}: {error}") from None
        rules = [one.alignment.partition("(")[0].partition("->")[0] for one in (own, scored)]
        if rules[0] != rules[1] and UNKNOWN.partition("(")[0] not in rules:
            raise UserError(
                f"--threshold {self.path}: the threshold is of faces aligned by {own.alignment}, "
                f"and these are by {scored.alignment}; set one for these, or align alike (--align)"
            )

    def require_others(self, protocol: str, fingerprint: str, kind: DataKind) -> None:
        """UserError: set on all of these very people, or on faces of another kind."""
        on = self.file.set_on
        if on.kind != kind:
            raise UserError(
                f"--threshold {self.path}: was set on {on.kind} faces, and those of {protocol} are "
                f"{kind}: rendered faces say nothing about photographs"
            )
        if on.comparisons == fingerprint and on.half is None:
            raise UserError(
                f"--threshold {self.path}: was set on all of these people ({protocol}): their "
                "rates would flatter it; choose another protocol or other data"
            )

    def rates(self, given: DeployedScores, where: str) -> DeployedSection:
        """Accuracy, FMR and FNMR of scores at the threshold as it stands, each with its interval
        over people; where it was set on half of these people, of the others. UserError: where the
        comparisons cannot carry them.
        """
        file = self.file
        with refused_in(where):
            units = Units.of(given.mated, given.left, given.right, where)
            halved = self._halved(given, units)
            rows = np.ones(given.mated.size, np.bool_) if halved is None else halved.other
            scores = given.scores[rows]
            units = Units.of(
                given.mated[rows],
                None if given.left is None else given.left[rows],
                None if given.right is None else given.right[rows],
                where,
            )
            found = error_rates(scores, units, file.threshold, level=_LEVEL)
            accuracy = _accuracy(scores.astype(np.float64) >= file.threshold, units)
        return DeployedSection(
            threshold=file.threshold,
            file=self.digest,
            protocol=file.set_on.protocol,
            far=file.set_on.far,
            half=halved.by if halved else None,
            accuracy=accuracy,
            fmr=_rate(found.fmr),
            fnmr=_rate(found.fnmr),
        )

    def _halved(self, given: DeployedScores, units: Units) -> PeopleHalves | None:
        same = self.file.set_on.comparisons == given.fingerprint
        return halves(units, given.folds) if same else None


def _accuracy(accepted: NDArray[np.bool_], units: Units) -> DeployedRate:
    right = accepted == units.mated
    number, errors = right.size, int(np.count_nonzero(~right))
    value = (number - errors) / number
    interval = share_interval(
        value,
        of_share(right, units.mated, np.full(number, 1 / number)),
        Sharing.of(units),
        comparisons=number,
        independent=units_of_all(units),
        level=_LEVEL,
    )
    return DeployedRate(
        value=value, interval=IntervalSection.of(interval), errors=errors, number=number
    )


def _rate(rate: ErrorRate) -> DeployedRate:
    return DeployedRate(
        value=rate.value,
        interval=IntervalSection.of(rate.interval),
        errors=rate.errors,
        number=rate.number,
    )
