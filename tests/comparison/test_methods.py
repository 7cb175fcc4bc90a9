"""Records as seeds of methods: names, what is compared, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.comparison.methods import compare_methods
from facebench.comparison.paired import paired_statistics
from facebench.records.record import Record
from tests.helpers.records import drawn_record


def seed(name: str, number: int, strength: float = 3.0) -> Record:
    return drawn_record(
        name, seed=number, strength=strength, per_kind=40, draws=20, weights=f"{number:02d}" * 32
    )


@pytest.fixture(scope="module")
def seeds() -> list[Record]:
    base = [seed(f"plain_s{n}", n) for n in (1, 2, 3)]
    return [*base, *(seed(f"weak_s{n}", 10 + n, 2.0) for n in (1, 2, 3)), seed("alone", 30)]


def test_methods_are_told_by_names(seeds: list[Record]) -> None:
    weak, alone = compare_methods(seeds)
    assert (weak.base, weak.candidate, alone.candidate) == ("plain", "weak", "alone")
    assert [len(one.candidate_records) for one in (weak, alone)] == [3, 1]
    first = weak.statistics[0]
    assert first.statistic == "accuracy" and first.verdict == "worse"
    accuracies = [r.statistics.headline.value for r in seeds]
    assert first.found.estimate == pytest.approx(np.mean(accuracies[3:6]) - np.mean(accuracies[:3]))
    assert [one.verdict for one in weak.statistics[1:]] == [""] * (len(weak.statistics) - 1)
    assert alone.of_one_seed == ["alone"] and alone.statistics[0].verdict == ""
    assert weak.to_frame()["seeds_needed"].iloc[0] >= 2


@pytest.mark.parametrize(
    ("names", "by"),
    [
        (("a_s1", "a_s2", "b_s1"), "method"),
        (("a-seed1", "a-seed2", "b-seed7"), "method"),
        (("a_seed_1", "a.s2", "b"), "method"),
        (("run1-a", "run2-a", "run1-b"), "run{seed}-{method}"),
        (("a", "a", "b"), "method"),
    ],
)
def test_patterns(names: tuple[str, ...], by: str) -> None:
    (found,) = compare_methods([seed(name, n) for n, name in enumerate(names)], by)
    assert (found.base, found.candidate) == ("a", "b")
    assert (len(found.base_records), len(found.candidate_records)) == (2, 1)


def test_a_model_called_s1_is_no_seed() -> None:
    """``sphere1`` and ``vgg_faces2`` are names, not seeds."""
    (found,) = compare_methods([seed("sphere1", 1), seed("vgg_faces2", 2)])
    assert (found.base, found.candidate) == ("sphere1", "vgg_faces2")


def test_of_one_seed_each_it_is_what_compare_says(seeds: list[Record]) -> None:
    (found,) = compare_methods([seeds[0], seeds[3]])
    for one, paired in zip(
        found.statistics[:2], paired_statistics(seeds[0], seeds[3])[:2], strict=True
    ):
        assert one.found.estimate == pytest.approx(paired.difference)
        assert paired.interval is not None
        assert one.found.interval.low == pytest.approx(paired.interval.low, abs=1e-9)
        assert one.found.p_value == pytest.approx(paired.p_value or 0.0, abs=1e-9)


def test_what_is_refused(seeds: list[Record]) -> None:
    with pytest.raises(UserError, match="all records are of one method, plain"):
        compare_methods(seeds[:3])
    with pytest.raises(UserError, match="have the same weights: one seed is given twice"):
        compare_methods([seeds[0], seeds[0], seeds[3]])
    with pytest.raises(UserError, match=r"write method, or a pattern .* \{method\} and \{seed\}"):
        compare_methods(seeds, "seed")
    bare = seeds[3].without_table("its scores are elsewhere")
    with pytest.raises(UserError, match="compared by their scores; its scores are elsewhere"):
        compare_methods([seeds[0], bare])
