"""What the records of LFW in git say of two networks: over people, and beside McNemar's test."""

from __future__ import annotations

from pathlib import Path

import pytest

from facebench.comparison.paired import paired_statistics
from facebench.evaluation.recompute import recomputed
from facebench.records.files import read_record
from facebench.records.record import Record

pytestmark = pytest.mark.shipped_results
RESULTS = Path(__file__).parents[2] / "reports" / "results" / "lfw"


def by_cosine(model: str) -> Record:
    found = [read_record(path) for path in sorted(RESULTS.glob(f"lfw-*/{model}-*.json"))]
    return next(record for record in found if record.similarity == "cosine")


@pytest.mark.parametrize(
    ("model", "low", "high", "p_value"),
    [
        # One rule for both: bootstrap over people with product weights said [-1.36, -0.09] and
        # [-1.02, +0.16]. Ends to 0.05 points.
        ("sparse_018", -1.17, -0.26, 0.002),
        ("sparse_076", -0.83, -0.00, 0.05),
        ("sparse_074", -0.66, 0.20, 0.29),
    ],
)
def test_it_agrees_with_mcnemars_test(model: str, low: float, high: float, p_value: float) -> None:
    (found,) = paired_statistics(by_cosine("baseline"), by_cosine(model), ["accuracy"])
    assert found.interval is not None and found.p_value is not None and found.mcnemar is not None
    assert 100 * found.interval.low == pytest.approx(low, abs=0.05)
    assert 100 * found.interval.high == pytest.approx(high, abs=0.05)
    assert found.p_value == pytest.approx(p_value, abs=0.02)
    assert found.p_value == pytest.approx(found.mcnemar, abs=0.02)


def test_a_record_is_computed_again_from_its_scores() -> None:
    record = by_cosine("baseline")
    again = recomputed(record)
    one, two = record.statistics, again.statistics
    assert one.kind == two.kind == "verification"
    assert (two.accuracy.value, two.auc.value, two.eer.value) == pytest.approx(
        (one.accuracy.value, one.auc.value, one.eer.value), abs=1e-12
    )
    assert two.accuracy.interval is not None
    assert two.accuracy.interval.kind == "dyadic over subjects"
    assert recomputed(again) == again and again.run == record.run
