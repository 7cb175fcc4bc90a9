"""Thresholds from records: who is judged by what, what is refused, and LFW by scikit-learn."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

import facebench
from facebench.base.errors import UserError
from facebench.comparison.calibration.threshold import threshold
from facebench.comparison.calibration.written import read_threshold
from facebench.records.record import Record
from facebench.records.sections import UNKNOWN, UNSEEN
from facebench.statistics.calibration.people import halves
from facebench.statistics.intervals.bootstrap import Units
from facebench.tables.paired.threshold import threshold_table
from tests.helpers.records import drawn_record
from tests.tables.test_rates import record as rates_record

PER_KIND = 30


def drawn(name: str = "base", weights: str = "ab" * 32, **more) -> Record:
    return drawn_record(name, per_kind=PER_KIND, draws=0, weights=weights, strength=2.5, **more)


def elsewhere(record: Record, sign: float = 1.0, people: bool = True) -> Record:
    """The record as one of another list: other people, and scores that lie a little higher."""
    assert record.table is not None
    table = replace(record.table, scores=sign * (record.table.scores + 0.05))
    if not people:
        table = replace(table, left_subjects=None, right_subjects=None)
    counts = record.comparisons.model_copy(update={"fingerprint": "0123456789abcdef"})
    return record.model_copy(update={"comparisons": counts}).with_table(table)


def test_one_half_sets_and_the_other_judges() -> None:
    record = drawn()
    table = record.table
    assert table is not None
    found = threshold(record, far=0.02, draws=20)
    units = Units.of(table.mated, table.left_subjects, table.right_subjects, "test")
    halved = halves(units, table.folds)
    scores, mated = table.scores[halved.one], table.mated[halved.one]
    lowest = min(s for s in scores if (scores[~mated] >= s).mean() <= 0.02)
    assert found.threshold == lowest and found.file.set_on.half == "folds" == found.checked.half
    scores, mated = table.scores[halved.other], table.mated[halved.other]
    assert found.checked.fmr.errors == (scores[~mated] >= lowest).sum()
    assert found.checked.fnmr.errors == (scores[mated] < lowest).sum()
    assert found.checked.fmr.number + found.file.set_on.nonmated == (~table.mated).sum()
    assert found.file.set_on.resolvable and not threshold(record, draws=0).file.set_on.resolvable
    assert threshold(record, draws=0).file.interval is None
    assert found.probability(1.0) > found.probability(found.threshold) > found.probability(-1.0)
    assert found.probability(0.1, prior=0.5) > found.probability(0.1)


def test_on_another_list_all_comparisons_set_and_judge() -> None:
    record = drawn()
    other = elsewhere(record)
    found = threshold(record, far=0.01, check=other, draws=0)
    assert record.table is not None and other.table is not None
    mated = record.table.mated
    rate = (record.table.scores[~mated] >= found.threshold).mean()
    assert found.file.set_on.half is None and rate == found.file.set_on.reached <= 0.01
    assert found.checked.fmr.value == (other.table.scores[~mated] >= found.threshold).mean() > rate


def test_the_same_list_is_halved_under_another_name_too() -> None:
    """Scores of the same people, of whatever images, are not judged by what was fitted on them."""
    record = drawn()
    assert record.table is not None
    dimmer = record.with_table(replace(record.table, scores=record.table.scores / 2))
    found = threshold(record, far=0.02, check=dimmer, draws=0)
    assert found.checked.half == "folds" and found.checked.fnmr.value > 0.9
    assert found.checked.fmr.number < (~record.table.mated).sum()


def test_a_written_threshold_is_checked_where_its_people_are_not(tmp_path: Path) -> None:
    record, path = drawn(), tmp_path / "threshold.json"
    halved = threshold(record, far=0.02, draws=20)
    halved.save(path)
    assert read_threshold(path) == halved.file
    again = threshold(record, use=path)
    assert again.file == halved.file  # the other half of the same people
    other = threshold(record, use=path, prior=0.5)
    assert other.file.log_likelihood_ratio.prior == 0.5 and again.file != other.file
    assert other.probability(0.3) > again.probability(0.3)
    assert threshold(elsewhere(record), use=path).checked.half is None
    threshold(record, check=elsewhere(record), far=0.02, draws=0).save(path)
    with pytest.raises(UserError, match="set on all of these people"):
        threshold(record, use=path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 2}, "field 'version': must be 1, not 2"),
        ({"threshold": "high"}, "field 'threshold': must be a number, not 'high'"),
        ({"extra": 1}, "unknown field 'extra'"),
        ({"format": "gate"}, "is not a threshold's file"),
        ({"set_on": None}, "field 'set_on'"),
    ],
)
def test_files_are_read_strictly(tmp_path: Path, change: dict[str, object], said: str) -> None:
    path = tmp_path / "threshold.json"
    values = json.loads(threshold(drawn(), far=0.02, draws=0).file.to_json())
    path.write_text(json.dumps(values | change))
    with pytest.raises(UserError) as refused:
        read_threshold(path)
    assert said in str(refused.value) and "\n" not in str(refused.value)
    path.write_text("[]")
    with pytest.raises(UserError, match="is not a threshold's file"):
        read_threshold(path)


def test_what_makes_no_sense_is_refused_in_one_line() -> None:
    record = drawn()
    without, rendered = elsewhere(record, people=False), drawn(kind="synthetic")
    cases = (
        (lambda: threshold(elsewhere(record, sign=-1.0)), "look like distances"),
        (lambda: threshold(without), "does not say who is in its images"),
        (lambda: threshold(rates_record()), "has no pairs in folds"),
        (lambda: threshold(record.without_table("gone")), "a threshold is set on scores: gone"),
        (lambda: threshold(record, check=elsewhere(drawn("b", "cd" * 32))), "another scale"),
        (lambda: threshold(record, far=0), "give a share above 0 and below 1, e.g. 0.001"),
        (lambda: threshold(record, prior=1.0), "give a share above 0 and below 1, e.g. 0.01"),
        (lambda: threshold(record, draws=-1), "give 0 for none"),
        (lambda: threshold(record, draws=19), "an interval takes 20 draws at least"),
        (lambda: threshold(record, draws=10**6), "100,000 at most"),
        (lambda: threshold(record, level=95), "give a share between 0 and 1"),
        (lambda: threshold(record, use="a", check=record), "leave out"),
        (lambda: threshold(record, use="a", far=0.01), "leave out far="),
        (lambda: threshold(record, check=elsewhere(rendered)), "is synthetic: rendered faces"),
        (lambda: threshold(record, use="nowhere.json"), "nowhere.json"),
    )
    for call, said in cases:
        with pytest.raises(UserError) as refused:
            call()
        assert said in str(refused.value) and "\n" not in str(refused.value)


def as_given(record: Record, file: str, **more: object) -> Record:
    """The record as one of a file of scores (or embeddings): hash and name are the file's."""
    told = {"preprocessing": UNSEEN, "flip": "unknown", "dimension": 0, "weights_hash": file * 32}
    model = record.model.model_copy(update={**told, "id": f"table-{file}", **more})
    given = {"model": model, "similarity": "given" if "preprocessing" not in more else "cosine"}
    return record.model_copy(update=given).with_table(record.table)


def test_scores_of_a_file_are_checked_by_scores_of_another_file(tmp_path: Path) -> None:
    """Their hashes are the files': two files of one network never have the same."""
    one, other = as_given(drawn(), "ab"), as_given(elsewhere(drawn()), "cd")
    found = threshold(one, check=other, far=0.02, draws=0)
    assert found.checked.fmr.number == found.file.set_on.nonmated
    found.save(tmp_path / "threshold.json")
    again = threshold(other, use=tmp_path / "threshold.json")
    assert again.file == found.file
    said = "table-ab and table-cd are taken for one network"
    assert said in " ".join(threshold_table(again).notes)
    assert said not in " ".join(threshold_table(threshold(one, far=0.02, draws=0)).notes)


def test_embeddings_of_a_file_tell_what_they_can(tmp_path: Path) -> None:
    told = {"preprocessing": UNKNOWN, "dimension": 512}
    one = as_given(drawn(), "ab", **told)
    threshold(one, far=0.02, draws=0).save(tmp_path / "threshold.json")
    threshold(as_given(elsewhere(drawn()), "cd", **told), use=tmp_path / "threshold.json")
    threshold(elsewhere(drawn()), use=tmp_path / "threshold.json")  # a network's own, of any hash
    more = {**told, "dimension": 128}
    with pytest.raises(UserError, match=r"dimension 512.*128.*another scale"):
        threshold(as_given(elsewhere(drawn()), "cd", **more), use=tmp_path / "threshold.json")
    with pytest.raises(UserError, match="similarity cosine"):
        threshold(as_given(elsewhere(drawn()), "cd"), use=tmp_path / "threshold.json")


def test_without_people_comparisons_are_taken_for_independent() -> None:
    record = drawn()
    found = threshold(record, check=elsewhere(record, people=False), far=0.02, draws=20)
    assert found.checked.subjects is None
    assert found.checked.fmr.interval.kind == "wilson over comparisons"


def test_rows_hold_everything() -> None:
    found = threshold(drawn(failures=3), far=0.02, draws=20)
    rows = {row["statistic"]: row for row in found.rows()}
    assert rows["FMR"]["value"] == found.checked.fmr.value and rows["threshold"]["low"] is not None
    assert found.file.set_on.failures + found.checked.failures == 3
    assert len(found.to_frame()) == len(rows) == 6


@pytest.mark.shipped_results
@pytest.mark.parametrize("model", ["baseline", "sparse_074", "sparse_012"])
def test_half_of_lfw_against_the_other_by_scikit_learn(model: str) -> None:
    """Everything again from the scores, by scikit-learn's own functions."""
    found = facebench.threshold(model, protocol="lfw", draws=0)
    table = found.record.table
    assert table is not None and table.left_subjects is not None
    assert table.right_subjects is not None
    units = Units.of(table.mated, table.left_subjects, table.right_subjects, "test")
    one, other = (getattr(halves(units, table.folds), name) for name in ("one", "other"))
    for side in (table.left_subjects, table.right_subjects):
        assert not set(side[one]) & (set(table.left_subjects[other]) | set(side[other]))
    scores, mated = table.scores.astype(float)[one], table.mated[one]
    assert mated.sum() == (~mated).sum() == 1500
    spread = np.sqrt((scores[mated].var() + scores[~mated].var()) / 2)
    fit = LogisticRegression(C=1 / spread**2, class_weight="balanced", tol=1e-10, max_iter=10_000)
    fit.fit(scores[:, None], mated)
    ratio = found.file.log_likelihood_ratio
    assert ratio.slope == pytest.approx(fit.coef_[0, 0], rel=1e-4)
    assert ratio.intercept == pytest.approx(fit.intercept_[0], rel=1e-4)
    scores, mated = table.scores.astype(float)[other], table.mated[other]
    # As many of each kind: the mean loss is the mean over kinds, and the odds are the ratios.
    shares = fit.predict_proba(scores[:, None])[:, 1]
    assert found.checked.cllr == pytest.approx(log_loss(mated, shares) / np.log(2), rel=1e-4)
    best = IsotonicRegression(y_min=0, y_max=1).fit_transform(scores, mated)
    least = log_loss(mated, np.clip(best, 1e-15, 1 - 1e-15)) / np.log(2)
    assert found.checked.min_cllr == pytest.approx(least, rel=1e-6)
    assert found.checked.min_cllr < found.checked.cllr < 1
