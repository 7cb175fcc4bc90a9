"""The search keeps to its budget, and depends on time only where that runs out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from facebench.models.doctor.passes import Passes
from facebench.models.doctor.search import Search
from facebench.models.doctor.trial import Choices, Trial, normalisations
from facebench.models.embedders.base import Preprocessing
from facebench.statistics.intervals.exact import Interval
from facebench.statistics.paired import Difference

GIVEN = Trial(Preprocessing(flip="add"), "landmarks")
WORTH = {"colour": 1.0, "crop": 0.01}  # of the right one of each


@dataclass
class Pretended:
    """Passes of a face that take a second of a clock that runs by them alone."""

    pace: float = 1.0
    mirrored_worth: float = 1.0  # of the right colour, with the mirrored face
    now: float = 0.0
    done: dict[tuple[Trial, bool], int] = field(default_factory=dict)

    def __len__(self) -> int:
        return 600

    @property
    def pairs(self) -> Pretended:
        return self

    def faces_of(self, pairs: int) -> int:
        return pairs * 2

    def missing(self, trial: Trial, pairs: int) -> int:
        sides = (False,) if trial.prepared.flip == "none" else (False, True)
        plain = trial.changed("flip", "none")
        return sum(max(0, 2 * pairs - self.done.get((plain, side), 0)) for side in sides)

    def scores(self, trial: Trial, pairs: int) -> NDArray[np.float64]:
        self.now += self.missing(trial, pairs) * self.pace
        plain = trial.changed("flip", "none")
        for side in (False,) if trial.prepared.flip == "none" else (False, True):
            self.done[plain, side] = max(2 * pairs, self.done.get((plain, side), 0))
        better = {"colour": trial.prepared.colour == "bgr", "crop": trial.crop == "margin"}
        worth = {**WORTH, "colour": 1.0 if trial.prepared.flip == "none" else self.mirrored_worth}
        return np.full(pairs, 5 + sum(worth[axis] for axis in WORTH if better[axis]))

    def separation(self, trial: Trial, pairs: int) -> float:
        return float(self.scores(trial, pairs)[0])

    def difference(self, base: NDArray[np.float64], other: NDArray[np.float64]) -> Difference:
        found = float(other[0] - base[0])
        p = 1e-6 if abs(found) > 0.1 else 0.5
        return Difference(found, Interval(found - 0.1, found + 0.1, 0.95, "pretended"), p)


def searched(
    budget: float, pace: float = 1.0, mirrored_worth: float = 1.0
) -> tuple[Search, Trial, float]:
    passes = Pretended(pace, mirrored_worth)
    choices = Choices(
        {
            "colour": ("rgb", "bgr"),
            "normalisation": (GIVEN.value("normalisation"), *normalisations()[:3]),
            "crop": ("plain", "margin"),
            "alignment": ("landmarks", "centre", "none"),
        }
    )
    search = Search(
        cast(Passes, passes), choices, GIVEN, budget, lambda: None, clock=lambda: passes.now
    )
    return search, search.run(), passes.now


def looked(search: Search) -> list[Any]:
    return list(search.looked)


def test_what_is_not_told_apart_is_taken_back() -> None:
    search, best, _ = searched(1e9)
    assert best == GIVEN.changed("colour", "bgr")
    assert search.leader == best.changed("crop", "margin")
    assert (search.cut, search.pairs, search.tried) == (False, 600, search.planned)


@pytest.mark.parametrize("worth", [-1.0, 0.0])
def test_what_wins_without_the_mirrored_face_alone_is_not_right(worth: float) -> None:
    """So it is of products, where the rule for the mirrored face divides by the length."""
    _, best, _ = searched(1e9, mirrored_worth=worth)
    assert best == GIVEN


def test_as_long_as_it_does_not_run_out_time_decides_nothing() -> None:
    search, best, took = searched(1e9)
    slow, same, longer = searched(3 * took * 1.2, pace=3.0)
    assert (looked(slow), same, slow.pairs, slow.cut) == (looked(search), best, 600, False)
    assert longer == pytest.approx(3 * took)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_the_budget_is_kept_and_half_of_it_is_for_the_later_rounds(share: float) -> None:
    _, _, took = searched(1e9)
    search, _, used = searched(share * took)
    slack = 2 * 2 * 60  # one more trial on the first pairs, with its mirrored faces
    assert search.cut and used <= share * took + slack
    assert search.pairs > 60 or share < 0.5
