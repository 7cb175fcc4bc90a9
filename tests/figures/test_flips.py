"""Which pairs a contact sheet shows, and in which order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.comparison.compare import Comparison, compare_records
from facebench.faces.types import FaceSource, Image, ImageError
from facebench.figures.faces import PairFaces, pair_faces
from facebench.figures.flips import flips_of, require_flips, save_flips
from facebench.records.record import Record
from facebench.records.sections import VerificationSection
from tests.helpers.records import MakeRecord
from tests.tables.test_rates import record as rates_record


class Grey(FaceSource):
    """One grey image per key; ``bad`` cannot be decoded."""

    name, kind = "grey", "real"

    def keys(self) -> list[str]:
        return []

    def read(self, key: str) -> Image:
        if key == "bad":
            raise ImageError(key, "is truncated")
        return np.full((40, 30, 3), 128, np.uint8)

    def fingerprint(self, keys: object) -> str:
        return "grey"


@pytest.fixture
def comparison(make_record: MakeRecord) -> Comparison:
    base = make_record("base", per_kind=40, draws=0)
    other = make_record("$other$", seed=1, per_kind=40, draws=0)
    return compare_records(base, [other])[0]


@pytest.fixture
def faces(comparison: Comparison) -> PairFaces:
    assert comparison.base.table is not None
    n = len(comparison.base.table.mated)
    names = tuple(f"P{i}/$P$_{'long' * 20}_{i}.jpg" for i in range(n))
    return PairFaces(Grey(), names, names)


def test_both_kinds_take_turns_and_the_wrong_ones_lead(
    comparison: Comparison, faces: PairFaces
) -> None:
    assert len(comparison.worse) > 3 and len(comparison.better) > 3
    flips = flips_of(comparison, faces, 5)
    assert [flip.right for flip in flips] == [False, False, False, True, True]
    assert [flip.position for flip in flips[:3]] == list(comparison.worse[:3])
    assert [flip.position for flip in flips[3:]] == list(comparison.better[:2])


def test_one_kind_fills_the_sheet_where_the_other_is_short(
    comparison: Comparison, faces: PairFaces
) -> None:
    flips = flips_of(replace(comparison, better=comparison.better[:1]), faces, 5)
    assert [flip.right for flip in flips] == [False] * 4 + [True]


def test_a_flip_crosses_its_threshold(comparison: Comparison, faces: PairFaces) -> None:
    for flip in flips_of(comparison, faces, 20):
        sides = [s >= t for s, t in zip(flip.scores, flip.thresholds, strict=True)]
        assert sides[0] != sides[1]
        assert (sides[1] == flip.mated) == flip.right


def test_a_threshold_on_squared_distances_is_crossed_as_a_cosine(
    comparison: Comparison, faces: PairFaces
) -> None:
    """As of the rule facenet-grid."""

    def on_distances(record: Record) -> Record:
        section = record.statistics
        assert isinstance(section, VerificationSection)
        squared = tuple(2 * (1 - one) for one in section.accuracy.thresholds)
        update = {"thresholds": squared, "threshold_unit": "squared L2 distance"}
        accuracy = section.accuracy.model_copy(update=update)
        statistics = section.model_copy(update={"accuracy": accuracy})
        return record.model_copy(update={"statistics": statistics}).with_table(record.table)

    base, candidate = on_distances(comparison.base), on_distances(comparison.candidate)
    found = flips_of(replace(comparison, base=base, candidate=candidate), faces, 8)
    for one, same in zip(found, flips_of(comparison, faces, 8), strict=True):
        assert one.thresholds == pytest.approx(same.thresholds)


def test_the_sheet_is_the_same_each_time_whatever_the_names(
    comparison: Comparison, faces: PairFaces, tmp_path: Path
) -> None:
    flips = flips_of(comparison, faces, 2)
    for name in ("one.png", "two.png"):
        save_flips(comparison, flips, faces, tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_what_cannot_be_drawn_is_refused(
    comparison: Comparison, faces: PairFaces, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="no comparison changed"):
        save_flips(comparison, [], faces, tmp_path / "x.png")
    bad = replace(faces, left=("bad",) * len(faces.left))
    with pytest.raises(UserError, match="bad: is truncated"):
        save_flips(comparison, flips_of(comparison, bad, 1), bad, tmp_path / "x.png")
    with pytest.raises(UserError, match="does not compare single faces"):
        pair_faces(rates_record(), "anywhere")
    with pytest.raises(UserError, match="the ending must be"):
        require_flips(Path("x.gif"), 3)
    assert list(tmp_path.iterdir()) == []
