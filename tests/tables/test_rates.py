"""Records of rates over draws or splits, in every format, and their comparison."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facebench.comparison.compare import compare_records
from facebench.comparison.paired import paired_statistics, paired_with_first
from facebench.comparison.rates import search_difference
from facebench.evaluation.build import build_record
from facebench.figures.curves.layout import layout_of
from facebench.figures.curves.plot import save_roc_plot
from facebench.protocols.cards import IdentificationCard, load_protocol
from facebench.protocols.outcome import Decided, Outcome, Rate, Series
from facebench.records.files import read_record, save_record
from facebench.records.record import Record
from facebench.records.scores import ScoreTable
from facebench.statistics.intervals.exact import Interval
from facebench.tables.exports import records_csv
from facebench.tables.html import to_html
from facebench.tables.markdown import to_markdown
from facebench.tables.paired.comparison import comparison_table
from facebench.tables.records import record_tables
from tests.helpers.records import drawn_facts

CARD = IdentificationCard(
    name="lfw-open",
    kind="identification",
    version=1,
    title="LFW, open set",
    source="Best-Rowden et al. 2014",
    dataset="lfw",
    task="open",
    subjects="lists/none.txt",
    candidates=60,
    identities=40,
    gallery=80,
    mated_probes=40,
    nonmated_probes=60,
    draws=2,
    fars=(0.01,),
)


def record(model: str = "m", found: float = 0.5, kind: str = "real", name: str = "DIR") -> Record:
    rng = np.random.default_rng(3)
    mated = np.tile(np.repeat([True, False], [40, 60]), 2)
    easy = np.tile(rng.random(100), 2)  # the same searches are hard for every model
    decided = Decided(
        scores=np.where(mated, found - easy, 0.0),  # found where above every stranger
        decisions=(easy < found) & mated,
        mated=mated,
        parts=np.repeat([1, 2], 100),
        left_subjects=np.tile(np.arange(100), 2),
        right_subjects=np.tile(np.arange(100), 2),
    )
    value = float((easy < found)[mated].mean())
    rates = (
        Rate(name, 0.01, value, 0.02, "standard deviation", (value - 0.02, value + 0.02),
             (0.0, 0.01), (0.3, 0.4), False, Interval(value - 0.1, value + 0.1, 0.95, "bootstrap")),
        Rate("rank", 1, 0.75, 0.0, "standard deviation", (0.75, 0.75)),
    )  # fmt: skip
    curve = Series(name, "FPIR (share of searches)", "share found",
                   np.array([0, 0.01, 0.5]), np.array([value, value, 1.0]))  # fmt: skip
    outcome = Outcome("draws", 2, rates, (curve,), 100, 40, 60, 100, 3, "0123456789abcdef",
                      "smallest", 100, decided, {"gallery images": 80})  # fmt: skip
    return build_record(CARD, outcome, drawn_facts(180, model, kind))


def test_a_record_of_rates_survives_the_disk(tmp_path: Path) -> None:
    one = record()
    path = save_record(one, tmp_path)
    again = read_record(path)
    assert again == one and again.table is not None
    assert again.statistics.kind == "rates" and again.statistics.headline.label == "DIR@FAR=0.01"
    assert "spread:standard deviation" in one.signature
    assert one.failures_to_acquire.share == 0.03
    assert json.loads(path.read_text())["curve"] is None


def test_every_format_says_value_spread_and_what_was_searched() -> None:
    views = record_tables([record("one"), record("two", 0.6)])
    assert len(views) == 1
    markdown, page = to_markdown(views), to_html(views, "rates")
    for text in (markdown, page):
        assert "DIR % at FAR 1% ± SD" in text.replace("\xa0", " ")
        assert "80 gallery images" in text and "100 searches (40 mated) in 2 draws" in text
        assert "‡ the non-mated comparisons" in text and "rank-1 %" in text
    lines = list(csv.DictReader(io.StringIO(records_csv([record()]))))
    assert lines[0]["rank_1"] == "0.75" and lines[0]["dir_at_far_0.01_resolvable"] == "False"


def test_the_comparison_is_paired_over_people() -> None:
    one, two = record("one", 0.5), record("two", 0.7)
    (paired,) = paired_with_first(one, [two])
    assert paired.p_value is not None and paired.interval is not None
    assert paired.difference == pytest.approx(
        two.statistics.headline.value - one.statistics.headline.value
    )
    assert paired.significant and paired.interval.low <= paired.difference <= paired.interval.high
    (same,) = paired_with_first(one, [record("same", 0.5)])
    assert not same.significant


def test_curves_are_drawn_to_their_own_axes(tmp_path: Path) -> None:
    layout = layout_of([record()])
    assert layout.words.name == "DIR" and layout.resolution == 1 / 60
    save_roc_plot([[record(kind="synthetic")]], tmp_path / "dir.png")
    assert (tmp_path / "dir.png").stat().st_size > 10_000
    ranks = record(name="rank").model_copy(update={"series": (_cmc(),)})
    drawn = layout_of([ranks])
    assert drawn.resolution is None and drawn.decades == [1, 10, 100] and drawn.far_high == 100
    assert drawn.far_position(1) == 0 and drawn.far_position(100) == 1


def _cmc() -> object:
    from facebench.records.sections import SeriesSection

    ranks = tuple(float(rank) for rank in range(1, 201))
    return SeriesSection(
        name="CMC", x_label="rank", y_label="share found", x=ranks,
        y=tuple(1 - 0.5 / rank for rank in ranks), log=True,
    )  # fmt: skip


def test_what_the_most_frequent_person_makes_of_a_difference() -> None:
    """30 of 40 mated searches are of person 7, and the candidate misses those 30 alone."""
    base, other = searched("base", 40), searched("other", 10)
    (found,) = paired_statistics(base, other, ["rank-1"])
    assert found.difference == pytest.approx(-0.75) and found.without is not None
    assert found.without.share == 0.75 and found.without.difference == 0.0
    assert found.over_people == (1.0, 0.5)
    (compared,) = compare_records(base, [other])
    caption = "\n".join(comparison_table(compared).reading)
    assert "rank-1 without its most frequent person (75.0% of the mated searches): +0.00" in caption
    assert "every person counted once: 100.00 against 50.00" in caption
    assert "over people 50.00" in to_markdown(record_tables([other]))


def searched(model: str, found: int) -> Record:
    """A closed set of 40 searches: 10 of other people, found, and 30 of person 7."""
    people = np.r_[np.arange(100, 110), np.full(30, 7)]
    hits = np.arange(40) < found
    decided = Decided(
        scores=np.where(hits, 0.9, -np.inf),
        decisions=hits,
        mated=np.ones(40, dtype=np.bool_),
        parts=np.ones(40, dtype=np.int64),
        left_subjects=people,
    )
    rate = Rate("rank", 1, found / 40, 0.0, "standard deviation", (found / 40,),
                over_people=1.0 if found == 40 else 0.5)  # fmt: skip
    outcome = Outcome("draws", 1, (rate,), (), 40, 40, 0, 11, 0, "0123456789abcdef", "exact", 0,
                      decided)  # fmt: skip
    return build_record(CARD, outcome, drawn_facts(60, model))


def test_tpir_and_dir_are_paired_each_by_the_searches_that_count_for_it() -> None:
    """All own scores reach the threshold; the candidate's do not all come first."""
    people = np.arange(40)
    mated = people < 20
    scores = np.where(mated, 0.9, 0.1) - people / 1000
    base = ScoreTable(scores, mated, mated, np.ones(40, np.int64), people, first=mated)
    other = replace(base, first=mated & (people % 4 > 0))
    again = ScoreTable.from_bytes(other.to_bytes(), "here")
    assert again.first is not None and np.array_equal(again.first, other.first)
    assert search_difference(0.05, base, again, first=False).estimate == 0
    assert search_difference(0.05, base, again).estimate == pytest.approx(-0.25)
    assert search_difference(None, base, again).estimate == pytest.approx(-0.25)


def test_without_its_most_frequent_person_a_search_counts_by_the_same_rule() -> None:
    """Person 7 has half of the mated searches. Of the other ten, all of whose scores reach every
    threshold, the candidate has five identified second; person 7 always comes first.
    """
    people = np.r_[np.full(10, 7), np.arange(100, 110), np.arange(200, 240)]
    mated = people < 200
    base, other = (by_template(m, people, mated, first) for m, first in (
        ("base", mated), ("other", mated & (people < 105))
    ))  # fmt: skip
    for name, drop in {
        "TPIR@FPIR=0.1": 0.0,
        "DIR@FAR=0.1": -0.5,
        "rank-1": -0.5,
        "rank-2": 0.0,
    }.items():
        (found,) = paired_statistics(base, other, [name])
        assert found.without is not None and found.without.share == 0.5
        assert found.without.difference == pytest.approx(drop), name


def test_every_rank_is_compared_by_the_ranks_that_scores_keep() -> None:
    """Twelve people, each searched once; the candidate finds two of them at rank 2, one at none."""
    people, mated = np.arange(60), np.arange(60) < 12
    of_base = np.where(mated, 1, 0).astype(np.uint32)
    of_other = of_base.copy()
    of_other[:3] = (2, 2, 0)
    base = ScoreTable(np.full(60, 0.5), mated, mated, np.ones(60, np.int64), people, ranks=of_base)
    other = ScoreTable.from_bytes(replace(base, ranks=of_other).to_bytes(), "here")
    for rank, drop in ((1, 3), (2, 1), (5, 1)):
        found = search_difference(None, base, other, rank=rank)
        assert found is not None and found.estimate == pytest.approx(-drop / 12)
        assert "subjects" in found.interval.kind
    old = replace(other, ranks=None, first=np.equal(of_other, 1))
    assert search_difference(None, base, old) == search_difference(None, base, other)
    assert search_difference(None, base, old, rank=2) is None


def test_scores_without_ranks_say_how_to_be_compared() -> None:
    people, mated = np.arange(40), np.arange(40) < 20
    base, other = (by_template(model, people, mated, mated) for model in ("base", "other"))
    assert other.table is not None
    old = other.with_table(replace(other.table, ranks=None, first=mated))
    (first, second) = paired_statistics(base, old, ["rank-1", "rank-2"])
    assert first.verdict == "no difference shown" and second.verdict == "unknown"
    why = "the scores of other keep no ranks beyond the first; evaluate it again"
    assert second.why == why and second.without is None


def by_template(model: str, people: np.ndarray, mated: np.ndarray, first: np.ndarray) -> Record:
    decided = Decided(
        scores=np.where(mated, 0.9, 0.1) - people / 10_000,
        decisions=mated,
        mated=mated,
        parts=np.ones(people.size, np.int64),
        left_subjects=people,
        ranks=np.where(first, 1, 2 * mated).astype(np.uint32),
    )
    share = float(first[mated].mean())
    rates = tuple(
        Rate(name, target, value, 0.0, "standard deviation", (value,))
        for name, target, value in (
            ("TPIR", 0.1, 1.0),
            ("DIR", 0.1, share),
            ("rank", 1, share),
            ("rank", 2, 1.0),
        )
    )
    count = int(mated.sum())
    outcome = Outcome("splits", 1, rates, (), people.size, count, people.size - count,
                      np.unique(people).size, 0, "0123456789abcdef", "exact", 0,
                      decided)  # fmt: skip
    return build_record(load_protocol("ijba-search"), outcome, drawn_facts(60, model))
