"""What pairs of records say of the smallest difference that can be seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import t

from facebench.base.errors import UserError
from facebench.comparison.paired import Paired, paired_statistics
from facebench.comparison.power import power, units_to_decide
from facebench.records.files import save_record
from facebench.records.record import Record
from facebench.statistics.paired import Noise
from tests.helpers.record_folders import save_three
from tests.helpers.records import drawn_record


@pytest.fixture
def three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    save_three(tmp_path / "kept")
    return tmp_path / "kept"


def only(kept: Path, *names: str, **asked: Any) -> list[Any]:
    """`power` of a list that no committed record is of."""
    given = [str(next(kept.rglob(f"{name}-*.json"))) for name in names]
    return list(power(given, drop=0.003, found_in=[kept], **asked))


@pytest.mark.parametrize("statistic", [None, "auc", "eer", "tar@0.1"])
def test_it_is_of_what_compare_finds(three: Path, statistic: str | None) -> None:
    """The noise is that of the interval: half of it is q standard errors."""
    (found,) = only(three, "base", "worse", statistic=statistic)
    pairs = paired_statistics(found.base, found.candidate, [found.paired.statistic])
    assert pairs[0].interval == found.paired.interval
    interval, freedom = found.paired.interval, found.noise.freedom
    half = (interval.high - interval.low) / 2
    error = half / t.ppf(0.975, freedom)
    assert error == pytest.approx(found.noise.variance**0.5 * (1 + 1 / freedom), rel=1e-3)
    expected = (t.ppf(0.975, freedom) + t.ppf(0.8, freedom)) * error
    assert found.smallest == pytest.approx(expected, rel=1e-3)
    assert found.people_known and found.units == found.base.comparisons.subjects


def test_needed_comparisons_grow_with_people(three: Path) -> None:
    (found,) = only(three, "base", "worse")
    per_person = found.base.comparisons.total / found.units
    assert found.units_needed > found.units and found.seen < 0.8
    assert found.comparisons_needed == pytest.approx(per_person * found.units_needed, abs=1)
    row = found.row()
    assert row["drop"] == 0.003 and row["units_needed"] == found.units_needed
    assert found.to_frame().shape == (1, len(row))


def test_one_model_is_paired_with_those_most_like_it(three: Path) -> None:
    found = only(three, "base")
    assert [(one.base.model.id, one.candidate.model.id) for one in found] == [
        ("base", "as_good"),
        ("base", "worse"),
    ]
    assert found[0].noise.changed < found[1].noise.changed


def test_without_models_each_is_paired_with_the_one_most_like_it(
    three: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facebench.records.find.result_folders", list)
    found = only(three, protocol="lfw")
    pairs = [(one.base.model.id, one.candidate.model.id) for one in found]
    assert pairs == [("as_good", "base"), ("base", "worse")] or pairs == [
        ("as_good", "base"),
        ("as_good", "worse"),
    ]
    assert not any(one.among for one in found)
    for seed in range(3, 15):
        other = drawn_record(f"m{seed}", seed=seed, per_kind=60, draws=20, strength=1 + seed / 5)
        save_record(other, three)
    several = only(three, protocol="lfw")
    assert [one.among for one in several] == [
        "a quarter vary less",
        "the median",
        "a quarter vary more",
    ]
    variances = [one.noise.variance for one in several]
    assert variances == sorted(variances) and several[0].pairs >= 8


def test_what_tells_nothing_says_why(three: Path) -> None:
    (same,) = only(three, "base", "base")
    assert same.smallest is None and same.units_needed is None and same.seen is None
    assert same.why == "the two models differ in no comparison"
    (fine,) = only(three, "base", "worse", statistic="tar@0.001")
    assert fine.why == "too few non-mated comparisons for this FAR" and fine.units is None


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"drop": 0.0}, "drop is 0.0; give a share above 0, 0.003 for 0.3 points"),
        ({"drop": 0.3, "level": 95}, "level is 95, power 0.8; each is from 0.5 to below 1"),
        ({"drop": 0.3, "protocol": 3}, "protocol is 3; it must be like 'lfw'"),
        ({"drop": 0.3, "models": ["base", "worse"], "statistic": "acuracy"}, "did you mean"),
        ({"drop": 0.3}, "name a protocol, such as lfw, or two models"),
        ({"drop": 0.3, "protocol": "lwf"}, "no lwf record; did you mean 'lfw'?"),
    ],
)
def test_wrong_input_is_refused(three: Path, asked: dict[str, Any], words: str) -> None:
    given = asked | {"found_in": [three]}
    with pytest.raises(UserError, match=r".") as refused:
        power(given.pop("models", ()), **given)
    assert words in str(refused.value)


def test_one_record_is_no_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facebench.records.find.result_folders", list)
    save_record(drawn_record("alone", per_kind=20), tmp_path)
    with pytest.raises(UserError, match="no two are there that were evaluated alike"):
        power("alone", drop=0.003, found_in=[tmp_path])


@pytest.mark.shipped_results
def test_of_lfw() -> None:
    """The figures of docs/understand/statistics.md."""
    (found,) = power(["baseline", "sparse_074"], protocol="lfw", drop=0.003)
    assert isinstance(found.base, Record) and found.units == 4281
    assert 100 * found.smallest == pytest.approx(0.616, abs=0.001)
    assert found.units_needed == pytest.approx(17_850, abs=2)
    (all_pairs,) = power(["baseline", "sparse_074"], protocol="lfw-all-pairs", drop=0.003)
    assert all_pairs.comparisons_needed is None and all_pairs.comparisons_of_these is None
    (closed,) = power(["baseline", "sparse_074"], protocol="lfw-closed", drop=0.003)
    assert closed.units == 596 and closed.comparisons_of_these is None


def noisy(variance: float, freedom: float, units: int) -> Paired:
    noise = Noise(variance, variance, freedom, 0.001, units)
    return Paired("accuracy", 0.9, 0.9, noise=noise)


def test_units_to_decide_by_hand() -> None:
    # Errors of 0.005 of 1,000 people: (1.95996 + 0.84162) 0.005 = 0.0140079, so that a distance of
    # 0.01 takes 1,000 (1.40079)^2 = 1,962.2; at 90% (1.64485 + 0.84162)^2 / 4 of 1,000 = 1,545.6.
    found = noisy(0.005**2, float("inf"), 1000)
    assert units_to_decide(found, 0.01, 0.95) == 1963
    assert units_to_decide(found, 0.01, 0.9) == 1546
    assert units_to_decide(found, 0.02, 0.95) is None  # so many are there
    assert units_to_decide(found, 0.0, 0.95) is None  # none would do
    assert units_to_decide(Paired("auc", 0.9, 0.9), 0.01, 0.95) is None


def test_units_to_decide_decide_80_of_100_lists() -> None:
    """People gain 1, lose 1 or stay, 0.8 points lost in the mean; the rule allows 2 points."""
    shares, bound, draws = [0.06, 0.872, 0.068], 0.02, 20_000
    mean, units = -shares[2] + shares[0], 400
    variance = shares[0] + shares[2] - mean**2
    needed = units_to_decide(noisy(variance / units, units - 1, units), bound + mean, 0.95)
    assert needed is not None and needed > units
    counts = np.random.default_rng(0).multinomial(needed, shares, draws)
    drop = (counts[:, 2] - counts[:, 0]) / needed
    error = np.sqrt(((counts[:, 2] + counts[:, 0]) / needed - drop**2) / (needed - 1))
    decided = np.mean(drop + t.ppf(0.975, needed - 1) * error <= bound)
    assert abs(decided - 0.8) < 0.02
