"""Rates of templates and searches, paired: at every FAR, with the errors of thresholds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facebench.comparison.compare import compare_records
from facebench.comparison.paired import paired_statistics, paired_with_first
from facebench.evaluation.build import build_record
from facebench.protocols.cards import load_protocol
from facebench.protocols.outcome import Decided, Outcome, Rate
from facebench.records.record import Record
from facebench.records.scores import ScoreTable
from facebench.statistics.rates import paired_rate_difference
from facebench.statistics.templates import SplitScores, paired_tar_differences, tar_over_splits
from facebench.tables.paired.comparison import comparison_table
from tests.helpers.records import drawn_facts

SPLITS, MATED, OTHERS, PEOPLE = 3, 60, 400, 30
FARS = (0.1, 0.01)


def splits_of(strength: float, seed: int = 5) -> list[SplitScores]:
    """Scores whose noise all models of a seed share."""
    rng, splits = np.random.default_rng(seed), []
    for _ in range(SPLITS):
        mated = np.repeat([True, False], [MATED, OTHERS])
        left = rng.integers(0, PEOPLE, mated.size)
        right = np.where(mated, left, (left + 1) % PEOPLE)
        splits.append(
            SplitScores(strength * mated + rng.normal(size=mated.size), mated, left, right)
        )
    return splits


def templates(
    model: str, splits: list[SplitScores], *, told: bool = True, right: bool = True
) -> Record:
    """A record of ijba; told: its thresholds are in it; right: both people of a comparison are."""
    tars = tar_over_splits(splits, FARS)
    rates = [
        Rate("TAR", tar.target, tar.mean, tar.spread, "standard deviation",
             tuple(p.tar for p in tar.points), tuple(p.far for p in tar.points),
             tuple(p.threshold for p in tar.points) if told else ())
        for tar in tars
    ]  # fmt: skip
    scores, mated, left, others = (
        np.concatenate([getattr(split, name) for split in splits])
        for name in ("scores", "mated", "left", "right")
    )
    parts = np.repeat(np.arange(1, SPLITS + 1), MATED + OTHERS)
    decided = Decided(
        scores,
        scores >= np.array([p.threshold for p in tars[0].points])[parts - 1],
        mated,
        parts,
        left,
        others if right else None,
    )
    outcome = Outcome("splits", SPLITS, tuple(rates), (), mated.size, SPLITS * MATED,
                      SPLITS * OTHERS, PEOPLE, 0, "0123456789abcdef", "smallest", 100,
                      decided)  # fmt: skip
    return build_record(load_protocol("ijba"), outcome, drawn_facts(500, model))


def test_tar_is_paired_at_every_far() -> None:
    one, two = splits_of(3.0), splits_of(2.0)
    base, worse = templates("base", one), templates("worse", two)
    found = paired_statistics(base, worse)
    assert [f.statistic for f in found] == ["TAR@FAR=0.1", "TAR@FAR=0.01"]
    expected = paired_tar_differences(one, two, FARS)
    for measured, difference in zip(found, expected, strict=True):
        assert measured.interval == difference.interval
        assert measured.difference == pytest.approx(difference.estimate)
        assert measured.p_value == difference.p_value and measured.verdict == "worse"
        assert measured.over_subjects


def test_the_table_has_the_interval_of_the_first_rate() -> None:
    one, two = splits_of(3.0), splits_of(2.0)
    (paired,) = paired_with_first(templates("base", one), [templates("worse", two)])
    (expected,) = paired_tar_differences(one, two, FARS[:1])
    assert paired.interval == expected.interval and paired.mark == "▼"


def test_the_errors_of_thresholds_count() -> None:
    """Thresholds held fixed would leave most of the uncertainty at FAR 0.01 out."""
    one, two = splits_of(2.5, seed=1), splits_of(2.5, seed=2)
    two = [replace(b, left=a.left, right=a.right) for a, b in zip(one, two, strict=True)]
    known = paired_statistics(templates("a", one), templates("b", two))
    fixed = paired_statistics(templates("a", one, right=False), templates("b", two, right=False))
    for found, held in zip(known, fixed, strict=True):
        assert found.interval is not None and held.interval is not None
        assert found.interval.kind.startswith("dyadic over subjects")
        assert "mated comparisons, thresholds held fixed" in held.interval.kind
        if found.statistic == "TAR@FAR=0.1":
            continue
        wider = (found.interval.high - found.interval.low) / (
            held.interval.high - held.interval.low
        )
        assert wider > 1.3, found.statistic


def test_where_non_mated_people_are_not_stored_it_says_that_thresholds_are_fixed() -> None:
    one, two = splits_of(3.0), splits_of(2.0)
    base, worse = (templates(m, s, right=False) for m, s in (("base", one), ("worse", two)))
    found = paired_statistics(base, worse)[1]
    thresholds = [tar_over_splits(splits, FARS)[1].points for splits in (one, two)]
    accepted = [
        np.concatenate([s.scores[s.mated] >= p.threshold for s, p in zip(splits, t, strict=True)])
        for splits, t in zip((one, two), thresholds, strict=True)
    ]
    expected = paired_rate_difference(
        *accepted,
        np.repeat(np.arange(SPLITS), MATED),
        np.concatenate([s.left[s.mated] for s in one]),  # type: ignore[index]
    )
    assert found.interval is not None
    assert (found.interval.low, found.p_value) == (expected.interval.low, expected.p_value)
    (compared,) = compare_records(base, [worse])
    assert "thresholds held fixed" in "\n".join(comparison_table(compared).notes)


def test_a_far_may_be_written_in_any_way() -> None:
    base, worse = templates("base", splits_of(3.0)), templates("worse", splits_of(2.0))
    (one,) = paired_statistics(base, worse, ["TAR@FAR=1e-2"])
    (two,) = paired_statistics(base, worse, ["TAR@FAR=0.01"])
    assert one.interval == two.interval


def test_without_people_and_thresholds_nothing_paired_is_told() -> None:
    base, worse = (
        templates(m, splits_of(s), told=False, right=False) for m, s in (("a", 3.0), ("b", 2.0))
    )
    for found in paired_statistics(base, worse):
        assert found.interval is None and "no decisions" in found.why
        assert found.verdict == "unknown"


def test_scores_that_do_not_give_the_rate_tell_nothing() -> None:
    base, worse = templates("a", splits_of(3.0)), templates("b", splits_of(2.0))
    table = base.table
    assert table is not None
    other = base.with_table(
        ScoreTable(table.scores[::-1].copy(), table.decisions, table.mated, table.folds,
                   table.left_subjects, table.right_subjects)
    )  # fmt: skip
    assert all(found.interval is None for found in paired_statistics(other, worse))
    (paired,) = paired_with_first(other, [worse])
    assert paired.interval is None and paired.mark == ""


def test_models_that_separate_everybody_are_not_the_same() -> None:
    """No draw shows a difference: of 30 people, that leaves 11.6 points open."""
    base, other = templates("a", splits_of(30.0, seed=1)), templates("b", splits_of(29.0, seed=1))
    people = np.unique(base.table.left_subjects[base.table.mated]).size  # type: ignore[union-attr, index]
    for found in paired_statistics(base, other):
        assert (found.base, found.difference) == (1.0, 0.0) and found.interval is not None
        assert found.interval.high == pytest.approx(1 - 0.025 ** (1 / people))
        assert found.interval.kind == f"exact bound for {people} subjects, all alike"
    (compared,) = compare_records(base, [other])
    assert f"exact bound for {people} subjects" in "\n".join(comparison_table(compared).notes)
