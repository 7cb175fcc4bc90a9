"""Records that keep no scores are compared by the draws that they keep."""

from __future__ import annotations

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.comparison.paired import corrected, paired_statistics, paired_with_first
from facebench.evaluation.build import build_record
from facebench.gate.judge import gated
from facebench.gate.rules import parse_rules
from facebench.protocols.cards import load_protocol
from facebench.protocols.outcome import Outcome, Rate
from facebench.records.record import Record
from facebench.records.sections import BootstrapSection
from facebench.statistics.paired import p_value_range
from tests.comparison.test_compare import changed
from tests.helpers.records import drawn_facts


def all_pairs(model: str, value: float, drawn: np.ndarray | None) -> Record:
    rate = Rate("TAR", 0.01, value, 0.0, "standard deviation", (value,), (0.01,), (0.5,),
                drawn=drawn)  # fmt: skip
    outcome = Outcome("splits", 1, (rate,), (), 1000, 100, 900, 50, 0, "0123456789abcdef",
                      "exact", 1000, None)  # fmt: skip
    return build_record(load_protocol("lfw-all-pairs"), outcome, drawn_facts(60, model))


def draws(shift: float) -> np.ndarray:
    """What both models have in common is in all draws of a seed."""
    common = np.random.default_rng(0).normal(0.8, 0.05, 1000)
    return common + shift + np.random.default_rng(1).normal(0, 0.01 if shift else 0, 1000)


def test_draws_of_one_seed_are_subtracted() -> None:
    base, other = all_pairs("a", 0.8, draws(0)), all_pairs("b", 0.75, draws(-0.05))
    (found,) = paired_statistics(base, other)
    low, high = np.quantile(draws(-0.05) - draws(0), [0.025, 0.975])
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high))
    assert found.verdict == "worse" and found.p_value == pytest.approx(2 / 1001)
    assert paired_with_first(base, [other]) == [found]
    assert Record.model_validate_json(base.canonical_json()) == base


def test_without_draws_or_of_other_seeds_it_says_what_to_do() -> None:
    base, bare = all_pairs("a", 0.8, draws(0)), all_pairs("b", 0.75, None)
    (found,) = paired_statistics(base, bare)
    assert found.verdict == "unknown" and not found.tested
    assert found.why == "the record of b keeps no draws of it; evaluate it again"
    other = changed(
        all_pairs("b", 0.75, draws(-0.05)), bootstrap=BootstrapSection(draws=1000, seed=2)
    )
    (found,) = paired_statistics(base, other)
    assert found.why == "draws or seeds differ; evaluate both with one --seed, --draws"


@pytest.mark.parametrize(
    ("beyond", "open_"), [(0, False), (5, False), (25, True), (30, True), (80, False)]
)
def test_what_more_draws_might_turn_is_undecided(beyond: int, open_: bool) -> None:
    """Of 1,000 draws 25 at or beyond zero are a p-value of 5%."""
    values = np.repeat([-0.1, 0.1], [1000 - beyond, beyond])
    low, high = p_value_range(values)
    assert (low <= 0.05 <= high) == open_
    base = all_pairs("a", 0.8, np.full(1000, 0.8))
    (found,) = paired_statistics(base, all_pairs("b", 0.7, 0.8 + values))
    assert (found.verdict == "undecided") == open_ and (found.mark == "?") == open_


def test_what_more_draws_might_turn_among_several_tests_is_undecided_too() -> None:
    """Five of 1,000 draws at or beyond zero are a p-value of 1.2%, and 4.8% as one of four, which
    endless draws may well take above 5%.
    """
    values = np.repeat([-0.1, 0.1], [995, 5])
    base = all_pairs("a", 0.8, np.full(1000, 0.8))
    models = [all_pairs(name, 0.7, 0.8 + values) for name in "bcde"]
    (alone,) = paired_with_first(base, models[:1])
    assert alone.p_value == pytest.approx(12 / 1001) and alone.verdict == "worse"
    judged = corrected(paired_with_first(base, models))
    assert [one.adjusted for one in judged] == pytest.approx([4 * 12 / 1001] * 4)
    assert [one.verdict for one in judged] == ["undecided"] * 4


def test_a_gate_reads_the_draws_that_compare_reads() -> None:
    base, other = all_pairs("a", 0.8, draws(0)), all_pairs("b", 0.75, draws(-0.05))
    ends = paired_with_first(base, [other])[0].interval
    assert ends is not None
    for points, outcome in ((100 * -ends.high - 0.01, "fail"), (100 * -ends.low + 0.01, "pass")):
        rule = f"lfw-all-pairs.tar@0.01 drop <= {points:.4f}pt at 95%"
        assert gated(parse_rules([rule]), [base.sealed()], [other.sealed()]).outcome == outcome
    bare = all_pairs("b", 0.75, None).sealed()
    with pytest.raises(UserError, match="the record of b keeps no scores; evaluate it again"):
        gated(parse_rules([rule]), [base.sealed()], [bare])
