"""What a ranking comes to, in a sentence: only tests may call models alike."""

from __future__ import annotations

from facebench.records.record import Record
from facebench.reports.site.rankings import rankings_of
from tests.helpers.records import drawn_record


def sized(name: str, seed: int, strength: float, size: int) -> Record:
    found = drawn_record(name, seed=seed, strength=strength, per_kind=60, draws=0)
    model = found.model.model_copy(update={"bytes": size})
    return found.model_copy(update={"model": model})


def test_a_model_that_no_test_can_tell_is_not_called_alike() -> None:
    best, worse = sized("best", 0, 4.0, 900), sized("worse", 0, 2.0, 400)
    told = sized("alike", 1, 4.0, 800)
    blind = sized("blind", 2, 3.9, 100).without_table("its scores are not here")
    (alone,) = rankings_of([best, worse], {})
    assert alone.verdict.endswith("; the other is worse.")
    (ranking,) = rankings_of([best, told, worse, blind], {})
    assert "; 1 of 3 others is not told apart from it, of 1 no test can tell." in ranking.verdict
    assert "The smallest of these is alike, with 11% fewer bytes" in ranking.verdict
    (ranking,) = rankings_of([best, worse, blind], {})
    assert ranking.verdict.endswith("; 1 of 2 others is worse, of 1 no test can tell.")


def test_a_model_whose_own_interval_holds_losses_alone_is_not_the_smallest() -> None:
    """The correction for four tests alone leaves it open whether it is worse."""
    alike = [sized(f"like{n}", 1, 4.0, 500 + n) for n in range(3)]
    records = [sized("best", 0, 4.0, 900), sized("near", 1, 3.8, 100), *alike]
    (ranking,) = rankings_of(records, {})
    near = next(one.leader for one in ranking.standings if one.name == "near")
    assert near is not None and near.interval is not None
    assert near.verdict == "no difference shown" and near.interval.high < 0
    assert "; 4 of 4 others are not told apart from it." in ranking.verdict
    assert "The smallest of these is like0, with 44% fewer bytes" in ranking.verdict
