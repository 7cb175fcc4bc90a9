"""Every kind of sentence, from records and tests made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

import facebench
from facebench.comparison.compare import compare_records
from facebench.comparison.paired import SAME, Paired, corrected
from facebench.comparison.verdict.agreement import agreement_text, order_sentence, papers_sentence
from facebench.comparison.verdict.contest import Contender, Contest, is_smaller
from facebench.comparison.verdict.pair import pair_verdict, size_sentence
from facebench.comparison.verdict.runs import runs_verdict
from facebench.comparison.verdict.several import (
    fewer_bytes,
    joint_standings,
    left_open,
    passed_over,
    several_verdict,
    smallest_of,
    smallest_sentence,
    unmeasured,
)
from facebench.comparison.verdict.single import single_verdict, warning_of
from facebench.comparison.verdict.words import change, names_text, saved_text, worst_left
from facebench.records.sections import ModelSection
from facebench.statistics.intervals.exact import Interval
from tests.comparison.test_compare import changed
from tests.helpers.records import MakeRecord, drawn_record

PLAIN = drawn_record(per_kind=10, draws=0)


def model(size: int | None, kept: int | None = None, products: int | None = None) -> ModelSection:
    """A model of so many bytes, kept weights and multiply-adds."""
    fields = {"bytes": size, "kept_parameters": kept, "multiply_adds": products}
    return PLAIN.model.model_copy(update=fields)


def paired(low: float, high: float, p: float | None, name: str = "accuracy") -> Paired:
    """A test whose interval is given in points, around the middle of it."""
    middle = (low + high) / 200
    interval = Interval(low / 100, high / 100, 0.95, "dyadic over subjects")
    if p is None:
        return Paired(name, 0.9, 0.9 + middle, why="no scores")
    return Paired(name, 0.9, 0.9 + middle, interval, p)


def contest(*tests: tuple[str, int | None, Paired], size: int | None = 10_000_000) -> Contest:
    """Models of so many bytes against a base of 10 MB."""
    rivals = (Contender(name, model(b), one) for name, b, one in tests)
    return Contest("base", model(size), tuple(rivals))


SAFE, LOST, WON = paired(-0.8, 0.4, 0.3), paired(-1.5, -0.5, 0.001), paired(0.2, 1.0, 0.002)


def test_who_holds_who_falls_and_which_is_smallest() -> None:
    found = contest(("a", 8_000_000, SAFE), ("b", 4_000_000, SAFE), ("c", 1_000_000, LOST))
    assert several_verdict(found) == (
        "2 of 3 are not told apart from base (each could still be up to 0.80 points worse, 95%); "
        "c is worse, by 1.00 points (95%: 0.50 to 1.50).",
        "Smallest not shown to be worse: b, 4.0 of 10.0 MB (−60%); it could still be 0.80 points "
        "worse.",
    )


@pytest.mark.parametrize(
    ("tests", "said"),
    [
        ((("a", 9_000_000, LOST), ("b", 1_000_000, LOST)),
         "a and b are worse than base, by 1.00 points."),
        ((("a", 9_000_000, SAFE), ("b", 1_000_000, SAFE)),
         "a and b are not told apart from base (each could still be up to 0.80 points worse, "
         "95%)."),
        ((("a", 9, SAFE), ("b", 1, SAFE), ("c", 1, SAFE)),
         "None of the 3 is told apart from base (each could still be up to 0.80 points worse, "
         "95%)."),
        ((("a", 9, WON),), "a is better than base, by 0.60 points (95%: 0.20 to 1.00)."),
        ((("a", 9, paired(-1, 1, None)),), "a is not tested (no scores)."),
        ((("a", 9, replace(SAFE, p_value=0.05, p_range=(0.04, 0.06))),),
         "a is undecided: the draws are too few."),
    ],
)  # fmt: skip
def test_standings(tests: Sequence[tuple[str, int, Paired]], said: str) -> None:
    assert several_verdict(contest(*tests))[0] == said


def test_where_none_holds_the_least_loss_is_told_with_its_size() -> None:
    worse = paired(-3.5, -2.5, 0.001)
    *_, said = several_verdict(contest(("a", 5_000_000, LOST), ("b", 1_000_000, worse)))
    assert said == (
        "None holds against base: the least loss is a's, −1.00 points, 95% from −1.50 to −0.50; it "
        "takes 5.0 of 10.0 MB (−50%)."
    )


def test_where_none_holds_it_is_said_by_which_of_several_columns() -> None:
    worse = paired(-3.5, -2.5, 0.001)
    none = contest(("a", 5_000_000, LOST), ("b", 1_000_000, worse))
    said = smallest_sentence(none, "LFW, cosine")
    assert said.startswith("None holds against base (LFW, cosine): the least loss is a's, ")
    larger = contest(("a", 12_000_000, SAFE), ("b", 1_000_000, worse))
    said = smallest_sentence(larger, "LFW, cosine")
    assert said == "None that is smaller than base holds (LFW, cosine)."


def test_a_larger_one_that_holds_saves_nothing() -> None:
    assert several_verdict(contest(("a", 5_000_000, LOST), ("b", 20_000_000, SAFE)))[1:] == (
        "None that is smaller than base holds.",
    )
    assert several_verdict(contest(("a", None, SAFE), ("b", None, SAFE), size=None))[1:] == ()


def test_the_smallest_is_by_bytes_then_weights() -> None:
    rivals = tuple(Contender(n, model(5, k), SAFE) for n, k in (("a", 3), ("b", 2)))
    found = Contest("base", model(5, 4), rivals).smallest
    assert found is not None and found.name == "b"
    assert not is_smaller(model(5, 4), model(5, 4)) and is_smaller(model(None, 1), model(5, 2))


def test_several_references_share_a_sentence() -> None:
    one, other = contest(("a", 5_000_000, SAFE)), contest(("b", 4_000_000, LOST))
    assert smallest_of([one, other]) == (
        "Smallest not shown to be worse: a (−50% bytes), none against base; it could still be 0.80 "
        "points worse (95%)."
    )
    wider = contest(("c", 2_000_000, paired(-1.2, 0.2, 0.1)))
    assert smallest_of([one, wider], "EER") == (
        "Smallest not shown to be worse (EER): a (−50% bytes), c (−80% bytes); each could still be "
        "up to 1.20 points worse (95%)."
    )
    assert fewer_bytes([one, other]) == "they take 50 to 60% fewer bytes"
    assert fewer_bytes([one]) == "a takes 50% fewer bytes"
    assert fewer_bytes([one, contest(("c", 10_000_000, SAFE))]) == ""


def test_several_contests_share_a_sentence_and_what_they_leave_open_another() -> None:
    one = contest(("a", 9, SAFE), ("b", 9, SAFE), ("c", 9, WON))
    other = contest(("d", 9, LOST), ("e", 9, paired(-1.2, 0.2, 0.1)))
    apart = Contest("other", model(9), contest(("f", 9, LOST)).contenders)
    assert joint_standings([("OBD", one), ("BRP", other), ("", apart)]) == (
        "OBD: 2 of 3 are not told apart from base, c is better, by 0.60 points; BRP: e is not told "
        "apart, d is worse, by 1.00 points; f is worse than other, by 1.00 points."
    )
    assert joint_standings([("", apart)]).startswith("f is worse than other")
    assert left_open([one, other]) == (
        "those not told apart could still be up to 1.20 points worse (95%)"
    )
    assert left_open([other]) == "e could still be 1.20 points worse (95%)"
    assert left_open([apart]) == ""


def test_after_correction_the_deciding_p_decides_and_the_interval_is_told() -> None:
    """Alone each would be worse; among five neither is, and the loss left is the interval's."""
    tests = corrected([paired(-1.0, -0.02, 0.03)] * 5)
    found = contest(*((name, 5_000_000, one) for name, one in zip("abcde", tests, strict=True)))
    said = several_verdict(found)[0]
    assert said.startswith("None of the 5 is told apart from base (each could still be up to 1.00")


def test_what_only_the_correction_leaves_open_is_not_recommended() -> None:
    """Its own interval excludes zero; the next larger one holds, and the page says why it is."""
    saved = replace(paired(-0.81, -0.02, 0.04), adjusted=0.3)
    assert saved.verdict == "no difference shown"
    found = contest(("a", 8_000_000, SAFE), ("b", 4_000_000, saved), ("c", 9_000_000, saved))
    assert [one.name for one in found.holding] == ["a"]
    assert several_verdict(found)[1:] == (
        "Smallest not shown to be worse: a, 8.0 of 10.0 MB (−20%); it could still be 0.80 points "
        "worse.",
        "Passed over: b, smaller, but its own interval excludes zero.",
    )
    none = contest(("a", 8_000_000, LOST), ("b", 4_000_000, saved), ("c", 3_000_000, saved))
    lost = "Passed over: c and b, smaller, but their own intervals exclude zero."
    assert several_verdict(none)[1:] == ("None that is smaller than base holds.", lost)
    both = [none, contest(("d", 5_000_000, WON))]
    assert smallest_of(both) == (
        "Smallest not shown to be worse: none against base, d (−50% bytes)."
    )
    assert passed_over(both) == lost
    error = replace(paired(0.02, 0.81, 0.04, "eer"), adjusted=0.3)
    gained = replace(paired(-0.81, -0.02, 0.04, "eer"), adjusted=0.3)
    rates = contest(("a", 4_000_000, error), ("b", 5_000_000, gained))
    assert rates.smallest is not None and rates.smallest.name == "b"
    assert [one.name for one in rates.passed_over] == ["a"]


def test_one_model_is_named_by_what_it_takes() -> None:
    assert several_verdict(contest(("a", 5_000_000, SAFE)))[1] == "a takes 5.0 of 10.0 MB (−50%)."


def test_of_an_error_rate_more_is_worse() -> None:
    eer = paired(-0.4, 0.9, 0.4, "eer")
    assert worst_left(eer) == pytest.approx(0.009)
    assert worst_left(SAFE) == pytest.approx(0.008) and worst_left(WON) == 0.0
    assert several_verdict(contest(("a", 9, paired(0.5, 1.5, 0.001, "eer"))))[0].startswith(
        "a is worse than base, by 1.00 points"
    )


@pytest.mark.parametrize(
    ("one", "start", "end"),
    [
        (SAFE, "other against base: NOT TOLD APART on lfw (200 pairs). Accuracy −0.20 points, 95% "
         "from −0.80 to +0.40.",
         "It could still be 0.80 points worse (95%): “as good” is not shown."),
        (LOST, "other against base: WORSE on lfw", ""),
        (WON, "other against base: BETTER on lfw", ""),
        (paired(-1, 1, None), "other against base: NOT TESTED on lfw",
         "Nothing paired can be told: no scores."),
        (replace(SAFE, p_value=0.05, p_range=(0.04, 0.06)), "other against base: UNDECIDED",
         "The draws are too few to tell on which side of 5% its p-value is."),
        (Paired("accuracy", 0.9, 0.9, Interval(0, 0, 0.95, SAME), 1.0),
         "other against base: NOT TOLD APART on lfw (200 pairs). Accuracy +0.00 points.",
         "Both are the same record."),
    ],
)  # fmt: skip
def test_one_against_another(one: Paired, start: str, end: str) -> None:
    base, other = (
        drawn_record(name, seed=n, per_kind=10, draws=0) for n, name in enumerate(("base", "other"))
    )
    first, *others = pair_verdict(base, other, one)
    assert first.startswith(start) and (end in others if end else len(others) == 1)


def test_what_a_model_takes_in_bytes_weights_and_products() -> None:
    whole = model(10_000_000, 4_000_000, 9_000_000)
    told = saved_text(model(5_000_000, 2_000_000, 9_000_000), whole)
    assert told == (
        "5.0 of 10.0 MB (−50%), 2.00 of 4.00 M weights (−50%), 9 M multiply-adds as before"
    )
    sparse = model(5_000_000, None, 9_000_000).model_copy(update={"kept_multiply_adds": 4_000_000})
    assert saved_text(sparse, model(None, None, 9_000_000)).endswith(", 4 M without zeros")
    assert size_sentence(model(None), model(1)).startswith("What it saves is not known")
    assert size_sentence(model(12_000), model(6_000)) == (
        "It saves nothing: 12.0 of 6.0 kB (+100%)."
    )
    assert [change(ratio) for ratio in (1, 0.996, 0.5, 1.25)] == [
        "as before",
        "−0.4%",
        "−50%",
        "+25%",
    ]


def test_names_are_at_most_three() -> None:
    assert [names_text(list(some)) for some in ("a", "ab", "abc", "abcde")] == [
        "a", "a and b", "a, b and c", "a, b and 3 more",
    ]  # fmt: skip


def test_one_model_says_its_number_and_that_nothing_is_compared() -> None:
    record = drawn_record(per_kind=30)
    accuracy = record.statistics.accuracy
    said, nothing = single_verdict(record)
    assert said.startswith(f"sparse_074: accuracy {100 * accuracy.value:.2f}% on lfw (600 pairs)")
    assert f"95% from {100 * accuracy.interval.low:.2f}" in said
    assert nothing.startswith("Nothing is compared")


def test_what_stands_above_all_numbers(make_record: MakeRecord) -> None:
    assert warning_of(make_record(per_kind=30)) == (
        "NOT THE PUBLISHED LIST: 600 pairs, the protocol has 6,000; not comparable with published "
        "numbers"
    )
    assert warning_of(make_record(draws=0)) is None
    assert "other pairs or folds" in (warning_of(make_record(published_list=False)) or "")
    twin = make_record(kind="synthetic", per_kind=30)
    assert warning_of(twin) == twin.data.notice


def test_two_records_of_the_same_numbers_tie(make_record: MakeRecord) -> None:
    base = make_record("a", per_kind=20, draws=0)
    twin = changed(base, model=base.model.model_copy(update={"id": "b"}))
    (found,) = compare_records(base, [twin])
    first, *others = pair_verdict(base, twin, found.statistics[0])
    assert "NOT TOLD APART" in first and "Accuracy +0.00 points" in first
    assert not any("could still" in one for one in others) or found.statistics[0].interval.low < 0


def test_a_history_names_the_first_to_fall(make_record: MakeRecord) -> None:
    runs = [
        make_record(f"run_{n}", seed=n, strength=strength, per_kind=60, draws=0,
                    created=f"2026-01-0{n + 1}T00:00:00+00:00")
        for n, strength in enumerate((4.0, 4.0, 1.5, 1.0))
    ]  # fmt: skip
    (found,) = facebench.history(runs)
    first, *_, second = runs_verdict(found)
    assert first.startswith("run_2 is the first to fall: −")
    assert second.startswith("run_1 is not told apart from run_0") and "2 of 3 are worse" in second
    (alone,) = facebench.history(runs[:1])
    assert runs_verdict(alone) == single_verdict(runs[0])


def test_as_the_paper_says_or_not() -> None:
    assert agreement_text([(WON, 0.01), (WON, 0.02)]) == "yes"
    assert agreement_text([(SAFE, 0.01)]) == "not shown"
    assert agreement_text([(LOST, 0.01)]) == "opposite"
    assert agreement_text([(LOST, -0.01), (LOST, 0.01), (SAFE, 0.01)]) == (
        "in part: 1 as there, 1 opposite, 1 not shown"
    )
    assert agreement_text([]) == agreement_text([(WON, 0.0)]) == ""
    assert papers_sentence([("a", 0.001), ("b", 0.003)]) == (
        "In the paper both are above their reference, by 0.10 to 0.30 points."
    )
    assert papers_sentence([("a", -0.01)], "EER") == (
        "In the paper (EER) a is below its reference, by 1.00 points."
    )
    assert papers_sentence([("a", 0.0)]) == "In the paper a is level with its reference."
    assert papers_sentence([]) == ""
    assert "1 of 2 is level" in papers_sentence([("a", 0.0), ("b", 0.1)])


def test_values_beside_the_papers() -> None:
    assert order_sentence("output", "plain", [("a", "5×4", "5×4"), ("b", "x", "y")]) == (
        "Output: 1 of 2 the same as in the paper."
    )
    assert order_sentence("kept", "count", [("a", 99, 100), ("b", 1, 1)]) == (
        "Kept: all 2 within 1.0% of the paper's."
    )
    assert "in the same order as in the paper, lowest “b” (0.100, there 0.200)" in order_sentence(
        "r", "plain", [("a", 0.3, 0.9), ("b", 0.1, 0.2)]
    )
    assert "lowest here “a” (−0.001), there “b” (0.200)" in (
        order_sentence("r", "plain", [("a", -0.0007049, 0.9), ("b", 0.3, 0.2)])
    )


def test_what_is_missing_is_counted() -> None:
    assert unmeasured(0, 5) == ""
    assert unmeasured(2, 5) == "Not measured: 2 of 5 cells."
    assert unmeasured(5, 5) == "Nothing is measured yet: all 5 cells are missing."
