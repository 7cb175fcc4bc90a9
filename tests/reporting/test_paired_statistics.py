"""Rates of templates and searches, paired: at every FAR whose thresholds the record names."""

from __future__ import annotations

import numpy as np
import pytest

from facebench.protocols.cards import load_protocol
from facebench.protocols.outcome import Decided, Outcome, Rate
from facebench.reporting.build import build_record
from facebench.reporting.paired_statistics import paired_statistics
from facebench.reporting.record import Record
from facebench.statistics.rates import paired_rate_difference
from tests.reporting.conftest import drawn_facts

SPLITS, MATED, PEOPLE = 3, 60, 30


def templates(model: str, strength: float, *, told: bool = True) -> Record:
    """A record of ijba in three splits, at two FARs; told: its thresholds are in it."""
    rng = np.random.default_rng(5)
    mated = np.tile(np.repeat([True, False], [MATED, 400]), SPLITS)
    scores = strength * mated + rng.normal(size=mated.size)
    parts = np.repeat(np.arange(1, SPLITS + 1), MATED + 400)
    subjects = rng.integers(0, PEOPLE, mated.size)
    fars = {0.1: (1.2, 1.3, 1.25), 0.01: (2.2, 2.3, 2.4)}
    rates = []
    for far, thresholds in fars.items():
        accepted = scores >= np.array(thresholds)[parts - 1]
        shares = tuple(float(accepted[mated & (parts == p)].mean()) for p in range(1, SPLITS + 1))
        kept = thresholds if told else ()
        rates.append(
            Rate("TAR", far, float(np.mean(shares)), 0.1, "standard deviation", shares,
                 (far,) * SPLITS, kept)
        )  # fmt: skip
    decided = Decided(
        scores,
        scores >= np.array(fars[0.1])[parts - 1],
        mated,
        parts,
        subjects,
        np.where(mated, subjects, subjects + 1),
    )
    outcome = Outcome("splits", SPLITS, tuple(rates), (), mated.size, SPLITS * MATED,
                      SPLITS * 400, PEOPLE, 0, "0123456789abcdef", "smallest", 100,
                      decided)  # fmt: skip
    return build_record(load_protocol("ijba"), outcome, drawn_facts(500, model))


def test_tar_is_paired_at_every_far() -> None:
    base, worse = templates("base", 3.0), templates("worse", 2.0)
    found = paired_statistics(base, worse, draws=300)
    assert [f.statistic for f in found] == ["TAR@FAR=0.1", "TAR@FAR=0.01"]
    assert base.table is not None and worse.table is not None
    one, other = base.table, worse.table
    thresholds = np.array([2.2, 2.3, 2.4])[one.folds - 1]
    expected = paired_rate_difference(
        (one.scores >= thresholds)[one.mated],
        (other.scores >= thresholds)[one.mated],
        one.folds[one.mated],
        one.left_subjects[one.mated],  # type: ignore[index]
        draws=300,
        rng=np.random.default_rng(0),
    )
    assert found[1].interval == expected.interval
    assert found[1].difference == pytest.approx(expected.estimate)
    assert found[1].verdict == "worse" and found[1].p_value == expected.p_value


def test_a_far_may_be_written_in_any_way() -> None:
    base, worse = templates("base", 3.0), templates("worse", 2.0)
    (one,) = paired_statistics(base, worse, ["TAR@FAR=1e-2"], draws=100)
    (two,) = paired_statistics(base, worse, ["TAR@FAR=0.01"], draws=100)
    assert one.interval == two.interval


def test_without_thresholds_nothing_paired_is_told() -> None:
    base, worse = templates("base", 3.0, told=False), templates("worse", 2.0, told=False)
    for found in paired_statistics(base, worse, draws=100):
        assert found.interval is None and "no decisions" in found.why
        assert found.verdict == "unknown"
