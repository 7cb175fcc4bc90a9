"""All pairs: counts from the names, rates against all scores written out."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.protocols.cards import AllPairsCard, load_protocol
from facebench.protocols.kinds.all_pairs import PreparedAllPairs, prepare
from facebench.protocols.settings import Settings
from facebench.similarity.cosine import Cosine
from facebench.statistics import tar_at_far
from facebench.statistics.intervals.all_pairs import walk_with_draws as walk
from tests.helpers.search_toys import embed, embeddings, outcome_of, write_images


def card(**changes) -> AllPairsCard:
    found = load_protocol("lfw-all-pairs")
    assert isinstance(found, AllPairsCard)
    return found.model_copy(update=changes)


def prepared(folder: Path, **changes) -> PreparedAllPairs:
    return prepare(card(**changes), folder, Settings(align="centre"), images=True)


def test_all_of_lfw_has_every_count(shared_data: Path) -> None:
    official = shared_data / "protocols" / "lfw_people.txt"
    run = prepare(card(), None, Settings(pairs=official), images=False)
    counts = np.bincount(run.people)
    n, mated = len(run.faces.keys), int((counts * (counts - 1) // 2).sum())
    assert (n, n * (n - 1) // 2, mated) == (13233, 87_549_528, 242_257)
    assert run.card.comparisons == 87_549_528 and run.published_list is True
    assert "242,257 are mated" in run.card.notes
    assert counts.max() == 530 and round(530 * 529 / 2 / mated, 2) == 0.58


def test_rates_equal_those_of_all_scores(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    folder = write_images(tmp_path, {f"P{i:03d}": int(rng.integers(1, 6)) for i in range(40)})
    run = prepared(folder, targets=(0.1, 0.01, 0.001))
    lost = run.faces.keys[5:8]
    outcome = outcome_of(run, embed(lost=lost, noise=1.2), Cosine(), Settings(draws=100))
    found = embeddings(run.faces.keys, lost=lost, noise=1.2)
    rows = Cosine().project(found.vectors, np.float32).rows
    left, right = np.triu_indices(len(run.faces.keys), 1)
    scores = (rows @ rows.T)[left, right]
    scores[~(found.acquired[left] & found.acquired[right])] = -np.inf
    mated = run.people[left] == run.people[right]
    expected = tar_at_far(scores, mated, [0.1, 0.01, 0.001])
    assert [rate.value for rate in outcome.rates] == [point.tar for point in expected]
    assert [rate.reached[0] for rate in outcome.rates] == [point.far for point in expected]
    assert [rate.resolvable for rate in outcome.rates] == [p.resolvable for p in expected]
    assert outcome.failed == (scores == -np.inf).sum()
    owner = run.people[left][mated]
    for rate, point in zip(outcome.rates, expected, strict=True):
        right = scores[mated] >= point.threshold
        by_person = [right[owner == person].mean() for person in np.unique(owner)]
        assert rate.over_people == pytest.approx(np.mean(by_person))
    assert outcome.counts["most mated pairs of one person"] == np.bincount(owner).max()
    assert (outcome.total, outcome.mated) == (len(scores), mated.sum())
    assert outcome.counts["faces not acquired"] == 3 and outcome.subjects == 40
    assert outcome.decided is None and outcome.series[0].name == "ROC"
    for rate in outcome.rates[:2]:
        assert rate.interval is not None and rate.interval.kind == "bootstrap over subjects"
        assert rate.interval.low <= rate.value <= rate.interval.high
        assert rate.drawn is not None
        ends = np.quantile(rate.drawn, [0.025, 0.975])
        assert (rate.interval.low, rate.interval.high) == pytest.approx(tuple(ends))


def test_draws_that_all_agree_are_no_interval_of_width_zero(tmp_path: Path) -> None:
    """Everybody is told from everybody; six of eight people have mated pairs."""
    run = prepared(write_images(tmp_path, {f"P{i}": 2 for i in range(6)} | {"Q": 1, "R": 1}))
    (rate,) = outcome_of(run, embed(noise=0.0), Cosine(), Settings(draws=50)).rates[:1]
    assert rate.value == 1.0 and rate.interval is not None
    assert rate.interval.low == pytest.approx(0.025 ** (1 / 6)) and rate.interval.high == 1.0
    assert rate.interval.kind == "exact for 6 subjects, all alike"


def test_rates_stay_where_the_tail_cannot_carry_their_interval(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = prepared(write_images(tmp_path, {"A": 12} | {f"P{i}": 2 for i in range(30)}))
    run = replace(run, card=run.card.model_copy(update={"targets": (0.2, 0.001)}))
    whole = outcome_of(run, embed(), Cosine(), Settings(draws=100))
    assert not caplog.records and all(rate.interval for rate in whole.rates)
    lengths = {"tail_length": lambda *_: 600, "walk_with_draws": partial(walk, most=600)}
    for name, changed in lengths.items():
        monkeypatch.setattr(f"facebench.protocols.kinds.all_pairs.{name}", changed)
    outcome = outcome_of(run, embed(), Cosine(), Settings(draws=100))
    assert [rate.value for rate in outcome.rates] == [rate.value for rate in whole.rates]
    assert outcome.rates[0].interval is None
    assert outcome.rates[1].interval == whole.rates[1].interval
    (told,) = caplog.messages
    assert told.startswith("protocol lfw-all-pairs: TAR at FAR 0.2 has no interval: in a resample")
    assert "the 600 that are kept" in told


def test_scores_that_are_nan_are_a_mistake_that_is_told(tmp_path: Path) -> None:
    class Broken(Cosine):
        signature = "broken"

        def project(self, vectors, dtype=np.float32):
            found = super().project(vectors, dtype)
            found.rows[1, 0] = np.nan
            return found

    run = prepared(write_images(tmp_path, {"Ann": 2, "Bob": 1}))
    message = "scores under broken are NaN or infinite for 1 faces, first Ann/Ann_0002.jpg"
    with pytest.raises(UserError, match=message):
        outcome_of(run, embed(), Broken(), Settings(draws=0))


def test_other_data_are_not_the_published_pairs(tmp_path: Path) -> None:
    run = prepared(write_images(tmp_path, {"Ann": 2, "Bob": 1}))
    assert run.published_list is False and run.pooling(Settings()) == "none"
    outcome = outcome_of(run, embed(), Cosine(), Settings(draws=0))
    assert (outcome.mated, outcome.nonmated) == (1, 2)
    assert all(rate.interval is None for rate in outcome.rates)


def test_mistakes_are_told(tmp_path: Path) -> None:
    alone = prepared(write_images(tmp_path, {"Ann": 2}))
    with pytest.raises(UserError, match=r"protocol lfw-all-pairs: .*mated and non-mated"):
        outcome_of(alone, embed(), Cosine(), Settings(draws=0))
    with pytest.raises(UserError, match="frames='all' has no effect"):
        alone.pooling(Settings(frames="all"))
