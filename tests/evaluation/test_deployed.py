"""Rates at a threshold that was set on other people, in records, tables and gates."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import facebench
from facebench.base.errors import UserError
from facebench.comparison.calibration.deployed import DeployedScores, DeployedThreshold
from facebench.comparison.calibration.threshold import threshold
from facebench.comparison.calibration.written import ScoredBy
from facebench.records.record import folds_of
from facebench.records.sections import DeployedSection
from facebench.statistics.calibration.people import halves
from facebench.statistics.intervals.bootstrap import Units
from facebench.tables.records import record_table
from tests.evaluation.test_evaluate import QUICK, Grey
from tests.helpers.records import drawn_record

CENTRE = QUICK | {"align": "centre"}


def scores_of(record: facebench.Record, fingerprint: str = "0123456789abcdef") -> DeployedScores:
    table = record.table
    assert table is not None
    people = table.left_subjects, table.right_subjects
    return DeployedScores(table.scores, table.mated, table.folds, *people, fingerprint)


def set_on(record: facebench.Record, path: Path, far: float = 0.1, **changes: Any) -> Path:
    values = json.loads(threshold(record, far=far, draws=0).file.to_json())
    values["set_on"] |= changes
    path.write_text(json.dumps(values))
    return path


@pytest.fixture
def other_list(faces: Path) -> Path:
    """The same faces in pairs of which the threshold knows nothing."""
    lines = (faces / "pairs.txt").read_text().splitlines()
    path = faces / "others.txt"
    path.write_text("\n".join([lines[0], *lines[1:5][::-1], *lines[5:]]) + "\n")
    return path


@pytest.mark.parametrize("seed", range(20))
def test_rates_are_counts_at_the_threshold_as_it_stands(seed: int, tmp_path: Path) -> None:
    record = drawn_record(seed=seed, per_kind=30, draws=0, failures=seed % 3)
    path = set_on(record, tmp_path / "t.json")
    found = DeployedThreshold.read(path).rates(scores_of(record), "lfw")
    table = record.table
    assert table is not None and found.half is None
    accepted = [bool(score >= found.threshold) for score in table.scores.astype(np.float64)]
    pairs = list(zip(accepted, table.mated.tolist(), strict=True))
    false_matches = sum(a and not m for a, m in pairs)
    false_non_matches = sum(m and not a for a, m in pairs)
    mated = int(table.mated.sum())
    assert (found.fmr.errors, found.fmr.number) == (false_matches, len(pairs) - mated)
    assert (found.fnmr.errors, found.fnmr.number) == (false_non_matches, mated)
    assert found.accuracy.value == pytest.approx(
        1 - (false_matches + false_non_matches) / len(pairs)
    )
    for rate in (found.accuracy, found.fmr, found.fnmr):
        assert rate.interval is not None
        assert rate.interval.low <= rate.value <= rate.interval.high
        assert "subjects" in rate.interval.kind


def test_of_its_own_list_the_other_half_is_judged(tmp_path: Path) -> None:
    record = drawn_record(per_kind=30, draws=0)
    path = set_on(record, tmp_path / "t.json")
    given = scores_of(record, record.comparisons.fingerprint)
    found = DeployedThreshold.read(path).rates(given, "lfw")
    halved = halves(Units.of(given.mated, given.left, given.right, "t"), given.folds)
    assert found.half == halved.by
    assert found.accuracy.number == halved.other.sum()
    checked = threshold(record, far=0.1, draws=0).checked
    assert (found.fmr.errors, found.fnmr.errors) == (checked.fmr.errors, checked.fnmr.errors)
    assert found.fmr.interval == checked.fmr.interval


def test_a_record_has_the_rates_its_signature_and_its_table_say_so(
    faces: Path, other_list: Path, tmp_path: Path
) -> None:
    plain = facebench.evaluate(Grey(), "lfw", faces, **CENTRE)
    path = set_on(plain, tmp_path / "t.json", far=0.3)
    own = CENTRE | {"pairs": other_list}
    without = facebench.evaluate(Grey(), "lfw", faces, **own)
    record = facebench.evaluate(Grey(), "lfw", faces, threshold=path, **own)
    deployed = folds_of(record).deployed
    assert isinstance(deployed, DeployedSection) and deployed.half is None
    assert f"|deployed:{deployed.threshold:.6g}({deployed.file})|" in record.signature
    assert "deployed" not in without.signature and folds_of(without).deployed is None
    assert b"deployed" not in without.canonical_json()
    kept = facebench.save_record(record, tmp_path / "records")
    assert facebench.read_record(kept) == record
    assert facebench.save_record(without, tmp_path / "records") != kept
    table = record_table([without, record])
    column = table.headings.index("FMR % at the deployed threshold")
    assert [row.cells[column].text for row in table.rows] == [
        "–",
        f"{100 * deployed.fmr.value:.2f}",
    ]
    said = f"the deployed threshold of {record.model.id}: {deployed.threshold:.4f}, set on lfw for"
    assert any(line.startswith(said) for line in table.reading)


def test_a_gate_bounds_them(faces: Path, other_list: Path, tmp_path: Path) -> None:
    plain = facebench.evaluate(Grey(), "lfw", faces, **CENTRE)
    path = set_on(plain, tmp_path / "t.json", far=0.3)
    record = facebench.evaluate(
        Grey(), "lfw", faces, threshold=path, **CENTRE | {"pairs": other_list}
    )
    rules = [
        "lfw.fmr@deployed <= 99%",
        "lfw.fnmr@deployed <= 99% at 95%",
        "lfw.accuracy@deployed >= 1%",
    ]
    found = facebench.judge(record, rules[:2])
    assert [verdict.outcome for verdict in found.verdicts] == ["pass", "pass"]
    with pytest.raises(UserError, match="no rates at a deployed threshold; evaluate it with thr"):
        facebench.judge(plain, rules[:1])
    with pytest.raises(UserError, match="thresholds of their own"):
        facebench.judge(record, ["lfw.fmr@deployed rise <= 1pt"], plain)
    with pytest.raises(UserError, match="no statistic 'fmr@deploied'; did you mean 'fmr@deployed'"):
        facebench.judge(record, ["lfw.fmr@deploied <= 1%"])


def test_what_was_changed_by_hand_is_told(faces: Path, other_list: Path, tmp_path: Path) -> None:
    plain = facebench.evaluate(Grey(), "lfw", faces, **CENTRE)
    path = set_on(plain, tmp_path / "t.json", far=0.3)
    record = facebench.evaluate(
        Grey(), "lfw", faces, threshold=path, **CENTRE | {"pairs": other_list}
    )
    kept = facebench.save_record(record, tmp_path / "records")
    values = json.loads(kept.read_text())
    del values["seal"]
    fnmr = values["statistics"]["deployed"]["fnmr"]
    fnmr["errors"] = fnmr["errors"] + 1 if fnmr["errors"] < fnmr["number"] else 0
    fnmr["value"] = fnmr["errors"] / fnmr["number"]
    fnmr["interval"] |= {"low": 0.0, "high": 1.0}
    kept.write_text(json.dumps(values))
    with pytest.raises(UserError, match="deployed threshold are not those of its scores"):
        facebench.read_record(kept)


@pytest.mark.parametrize(
    ("part", "field", "value", "told"),
    [
        ("scores_of", "weights_hash", "cd" * 32, "weights_hash"),
        ("scores_of", "similarity", "joint-bayesian(0123)", "similarity joint-bayesian"),
        ("scores_of", "flip", "concat", "flip concat"),
        ("scores_of", "template", "int8", "template int8"),
        ("scores_of", "alignment", "landmarks-5pt(e517)->similarity", "faces aligned by landmarks"),
        ("set_on", "kind", "synthetic", "set on synthetic faces, and those of lfw are real"),
        ("set_on", "half", None, "was set on all of these people (lfw)"),
    ],
)
def test_another_threshold_is_refused_before_any_work(
    faces: Path, tmp_path: Path, part: str, field: str, value: Any, told: str
) -> None:
    plain = facebench.evaluate(Grey(), "lfw", faces, **CENTRE)
    path = set_on(plain, tmp_path / "t.json", far=0.3)
    values = json.loads(path.read_text())
    values[part][field] = value
    path.write_text(json.dumps(values))
    model = Grey()
    with pytest.raises(UserError, match=re.escape(told)) as raised:
        facebench.evaluate(model, "lfw", faces, threshold=path, **CENTRE)
    assert "\n" not in str(raised.value) and str(path) in str(raised.value)
    assert not model.seen


def test_other_protocols_and_files_are_refused(faces: Path, tmp_path: Path) -> None:
    plain = facebench.evaluate(Grey(), "lfw", faces, **CENTRE)
    path = set_on(plain, tmp_path / "t.json", far=0.3)
    with pytest.raises(UserError, match="threshold= is of pairs in folds"):
        facebench.evaluate(Grey(), "lfw-all-pairs", faces, threshold=path, **CENTRE)
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(UserError, match="is not a threshold's file"):
        facebench.evaluate(Grey(), "lfw", faces, threshold=tmp_path / "x.json", **CENTRE)


def test_what_it_was_checked_on_does_not_matter(tmp_path: Path) -> None:
    record = drawn_record(per_kind=30, draws=0)
    path = set_on(record, tmp_path / "t.json")
    digest = DeployedThreshold.read(path).digest
    values = json.loads(path.read_text())
    path.write_text(json.dumps(values | {"checked_on": None}))
    assert DeployedThreshold.read(path).digest == digest
    path.write_text(json.dumps(values | {"threshold": 0.5}))
    assert DeployedThreshold.read(path).digest != digest
    DeployedThreshold.read(path).require_same(ScoredBy.of(record))
