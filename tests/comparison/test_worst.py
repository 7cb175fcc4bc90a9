"""A model's worst errors, and whom a second model hurts most."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.comparison.worst import most_hit, person_of, worst_errors
from facebench.records.record import Record, folds_of
from facebench.records.sections import VerificationSection
from tests.helpers.records import MakeRecord, comparisons, drawn_record
from tests.tables.test_rates import record as rates_record

PER_KIND = 40
PAIRS = comparisons(per_kind=PER_KIND)
KEYS = [(PAIRS.keys[a], PAIRS.keys[b]) for a, b in zip(PAIRS.left, PAIRS.right, strict=True)]


@pytest.fixture
def base() -> Record:
    return drawn_record("base", per_kind=PER_KIND, draws=0)


@pytest.fixture
def other() -> Record:
    return drawn_record("other", seed=1, per_kind=PER_KIND, draws=0, strength=3.2)


def margins(record: Record) -> np.ndarray:
    """By a loop: how far each score is on the right side, in standard deviations."""
    table, accuracy = record.table, folds_of(record).accuracy
    assert table is not None
    there = np.isfinite(table.scores)
    kinds = [table.scores[there & (table.mated == kind)] for kind in (True, False)]
    scale = np.sqrt(np.mean([kind.astype(float).var(ddof=1) for kind in kinds]))
    found = []
    for score, mated, fold in zip(table.scores, table.mated, table.folds, strict=True):
        away = float(score) - accuracy.thresholds[accuracy.folds.index(int(fold))]
        found.append((away if mated else -away) / scale)
    return np.array(found)


def test_worst_errors_are_the_highest_and_lowest_scores(base: Record) -> None:
    table = base.table
    assert table is not None
    found = worst_errors(base, 7, KEYS)
    scores = {kind: sorted(table.scores[table.mated == kind].tolist()) for kind in (True, False)}
    assert [one.score for one in found.nonmated] == scores[False][::-1][:4]
    assert [one.score for one in found.mated] == scores[True][:3]
    for one in (*found.nonmated, *found.mated):
        assert one.right == bool(table.correct[one.position]) == (one.margin >= 0)
        assert one.margin == pytest.approx(margins(base)[one.position], rel=1e-5)
        assert one.faces == KEYS[one.position]
    wrong = ~table.correct
    assert found.wrong == ((wrong & ~table.mated).sum(), (wrong & table.mated).sum())
    assert next(row["position"] for row in found.rows()) == found.nonmated[0].position
    assert len(found.to_frame()) == 7


def test_a_threshold_on_squared_distances_is_shown_as_the_cosine_that_it_is(base: Record) -> None:
    """As of the rule facenet-grid: at most d² of unit vectors is a cosine of at least 1 - d²/2."""
    section = base.statistics
    assert isinstance(section, VerificationSection)
    squared = tuple(2 * (1 - one) for one in section.accuracy.thresholds)
    accuracy = section.accuracy.model_copy(
        update={"thresholds": squared, "threshold_unit": "squared L2 distance"}
    )
    grid = base.model_copy(update={"statistics": section.model_copy(update={"accuracy": accuracy})})
    grid = grid.with_table(base.table)
    for one, same in zip(worst_errors(grid, 6).mated, worst_errors(base, 6).mated, strict=True):
        assert one.threshold == pytest.approx(same.threshold)
        assert one.margin == pytest.approx(same.margin)


def test_failures_are_no_errors_to_look_at() -> None:
    failed = drawn_record("failed", failures=5, per_kind=PER_KIND, draws=0)
    found = worst_errors(failed, 4)
    assert found.failed == 5 and all(np.isfinite(one.score) for one in found.mated)
    hit = most_hit(failed, failed)
    assert hit.failed == 5 and hit.between == 0


def test_changes_equal_those_of_a_loop(base: Record, other: Record) -> None:
    table = base.table
    assert table is not None
    found = most_hit(base, other, 10_000, keys=KEYS)
    change = margins(other) - margins(base)
    beyond = change.copy()
    for kind in (True, False):
        beyond[table.mated == kind] -= change[table.mated == kind].mean()
    left, right = table.left_subjects, table.right_subjects
    assert left is not None and right is not None and other.table is not None
    assert len(found.hits) == found.total == len(set(left) | set(right))
    names = [person_of(KEYS[hit.before.position][0]) for hit in found.hits]
    assert len(set(names)) > 100
    whose: dict[int, list[int]] = {}
    for row, pair in enumerate(zip(left.tolist(), right.tolist(), strict=True)):
        for person in set(pair):
            whose.setdefault(person, []).append(row)
    told = sorted((h.comparisons, round(h.change, 4), h.worse, h.better) for h in found.hits)
    right_now = other.table.correct.astype(int) - table.correct
    assert told == sorted(
        (len(r), round(beyond[r].mean(), 4), (right_now[r] < 0).sum(), (right_now[r] > 0).sum())
        for r in (np.array(rows) for rows in whose.values())
    )
    expected = [hit.expected for hit in found.hits]
    assert expected == sorted(expected)
    assert found.means == pytest.approx([change[table.mated == kind].mean() for kind in (1, 0)])


def with_people(record: Record, people: int, hurt: int | None = None) -> Record:
    """The record as one of few people, each in many comparisons; hurt: whose scores all got worse,
    by a standard deviation.
    """
    table = record.table
    assert table is not None
    rng = np.random.default_rng(3)
    left = rng.integers(0, people, table.mated.size)
    right = np.where(table.mated, left, (left + rng.integers(1, people, left.size)) % people)
    scores = table.scores.astype(np.float64)
    if hurt is not None:
        own = (left == hurt) | (right == hurt)
        spread = scores[table.mated].std()
        scores = scores + own * np.where(table.mated, -spread, spread)
    return record.with_table(
        replace(table, scores=scores, left_subjects=left, right_subjects=right)
    )


def test_a_planted_person_is_first_and_chance_is_called_chance(base: Record, other: Record) -> None:
    found = most_hit(with_people(base, 20), with_people(other, 20, hurt=13), 20)
    assert found.hits[0].name == "person 13" and not found.hits[0].few
    assert found.hits[0].expected < 2 * found.hits[1].expected < 0
    assert found.between is not None and found.between > 0.1
    # A change of everybody alike: most people differ by chance alone.
    alike = most_hit(with_people(base, 20), with_people(other, 20), 20)
    assert alike.between is not None and alike.between < 0.1
    assert sum(hit.few for hit in alike.hits) > 10


def test_by_image_and_by_people_nobody_knows(base: Record, other: Record) -> None:
    found = most_hit(base, other, 3, "image", KEYS)
    assert found.hits[0].name in KEYS[found.hits[0].before.position]
    assert found.total == len({key for pair in KEYS for key in pair})
    assert found.between is None and all(hit.few for hit in found.hits)  # each in one comparison
    table = base.table
    assert table is not None
    unknown = base.with_table(replace(table, left_subjects=None, right_subjects=None))
    assert most_hit(unknown, other, 3, keys=KEYS).by == "image"
    with pytest.raises(UserError, match="do not say which images they compare: name the faces"):
        most_hit(unknown, other)
    with pytest.raises(UserError, match="does not say who is in its images; count by image"):
        most_hit(unknown, other, by="person", keys=KEYS)


def test_what_cannot_be_told_is_refused(base: Record, make_record: MakeRecord) -> None:
    with pytest.raises(UserError, match="has no pairs in folds, whose errors could be shown"):
        worst_errors(rates_record())
    with pytest.raises(UserError, match="told by its scores: it is gone"):
        worst_errors(base.without_table("it is gone"))
    with pytest.raises(UserError, match="never compared"):
        most_hit(base, make_record(kind="synthetic", per_kind=PER_KIND, draws=0))


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("Ann_Lee/Ann_Lee_0001.jpg", "Ann_Lee"),
        ("a/b/x.png", "a/b"),
        ("Ann_Lee_0001.jpg", "Ann_Lee"),
        ("0017.jpg", "0017.jpg"),
    ],
)
def test_who_is_in_an_image(key: str, name: str) -> None:
    assert person_of(key) == name
