"""What a gate says of the real sparse_074, re-saved and damaged, on all 6,000 pairs of LFW.

The records are of evaluations; ``damaged/damage.py`` says how the models were made.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from facebench.gate.judge import GateResult, gated
from facebench.gate.rules import parse_rules
from facebench.records.files import read_record
from facebench.records.record import Record

DAMAGED = Path(__file__).parents[1] / "helpers" / "damaged"
RULE = "lfw.accuracy drop <= 0.5pt at 95%"


def record(name: str) -> Record:
    (path,) = DAMAGED.glob(f"{name}-*.json")
    return read_record(path)


def judged(candidate: str, rule: str = RULE) -> GateResult:
    return gated(parse_rules([rule]), [record("resaved")], [record(candidate)])


def test_ten_percent_at_a_time_until_a_point_is_lost() -> None:
    values = [record(name).statistics.headline.value for name in ("resaved", "damaged_1")]
    assert values[0] - values[1] == pytest.approx(0.0045, abs=1e-9)
    assert values[0] - record("damaged_3").statistics.headline.value > 0.01


@pytest.mark.parametrize(
    ("candidate", "outcome", "code"),
    [("resaved", "pass", 0), ("damaged_1", "undecided", 3), ("damaged_3", "fail", 1)],
)
def test_the_three_outcomes(candidate: str, outcome: str, code: int) -> None:
    result = judged(candidate)
    assert ([v.outcome for v in result.verdicts], result.code) == ([outcome], code)


def test_a_damage_that_the_data_cannot_show_does_not_pass() -> None:
    assert judged("damaged_1", "lfw.accuracy drop <= 0.1pt at 95%").code == 3
    assert judged("damaged_1", "lfw.accuracy drop <= 0.1pt").code == 1  # without an interval
