"""Rules on groups: read, judged, undecided, and refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

import facebench
from facebench.base.errors import UserError
from facebench.gate.rules import parse_rule
from facebench.records.record import Record
from tests.helpers.grouped import toy_records


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    return toy_records(tmp_path_factory.mktemp("toy"), "colour")


def outcome(records: list[Record], rule: str, *, base: bool = False) -> str:
    found = facebench.judge(records[1], [rule], records[0] if base else ())
    return found.verdicts[0].outcome


def test_read() -> None:
    rule = parse_rule("rfw.worst_group_fnmr@0.001 by skin <= 8% at 95%", "x")
    assert (rule.protocol, rule.statistic) == ("rfw", "worst_group_fnmr@0.001 by skin")
    assert (rule.bound, rule.level, rule.by) == (0.08, 0.95, "skin")
    assert not rule.needs_baseline and rule.of_groups
    rule = parse_rule("rfw.damage@1e-3 by skin unequal p >= 0.05", "x")
    assert (rule.far, rule.by, rule.bound, rule.needs_baseline) == (0.001, "skin", 0.05, True)
    assert parse_rule("rfw.damage unequal p >= 0.05", "x").far is None
    assert parse_rule("lfw+14px.worst_group_fmr@0.1 <= 0.3", "x").protocol == "lfw+14px"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rfw.worst_group_fnmr <= 8%", "is at an FMR; write e.g. worst_group_fnmr@0.001"),
        ("rfw.worst_group_fnmrr@0.1 <= 8%", r"did you mean 'worst_group_fnmr'\?"),
        ("worst_group_fnmr@0.1 <= 8%", "is of which protocol"),
        ("rfw.fdr@0.1 <= 0.9", "from the other side: write >="),
        ("rfw.garbe@0.1 <= 20%", "has no unit"),
        ("rfw.worst_group_fnmr@0.1 drop <= 1pt", "is bounded itself"),
        ("rfw.worst_group_fnmr@0.1 <= 800%", "from 0 to 1"),
        ("rfw.accuracy by skin >= 0.9", "'by skin' is of groups"),
        ("rfw.damage unequal p <= 0.05", "write 'rfw.damage unequal p >= 0.05'"),
        ("rfw.damage unequal p >= 5", "a p-value is between 0 and 1"),
        ("rfw.damage unequal p >= 5%", "a p-value is a share"),
        ("rfw.damage@2 unequal p >= 0.05", "must be above 0 and at most 1"),
        ("rfw.accuracy unequal p >= 0.05", "a p-value is of the damage to groups"),
    ],
)
def test_refused_rules(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        parse_rule(text, "x")
    assert "\n" not in str(error.value)


def test_worst_group(records: list[Record]) -> None:
    point = records[1].groups[0].points[0]
    worst = max(one.value for one in point.fnmr_of)
    high = point.summary("worst_group_fnmr").interval.high
    assert outcome(records, f"toy.worst_group_fnmr@0.1 <= {worst + 0.01:.4f}") == "pass"
    assert outcome(records, f"toy.worst_group_fnmr@0.1 <= {worst - 0.01:.4f}") == "fail"
    assert outcome(records, f"toy.worst_group_fnmr@0.1 <= {worst + 0.01:.4f} at 95%") == "undecided"
    assert outcome(records, f"toy.worst_group_fnmr@0.1 <= {high + 0.01:.4f} at 95%") == "pass"
    found = facebench.judge(records[1], ["toy.worst_group_fnmr@0.1 by colour <= 1%"])
    assert "(red)" in found.verdicts[0].measured


def test_damage(records: list[Record]) -> None:
    rule = "toy.damage@0.1 unequal p >= 0.05"
    assert outcome(records, rule, base=True) == "fail"
    same = facebench.judge(records[0], [rule], records[0]).verdicts[0]
    assert same.outcome == "pass" and "p = 1.000" in same.measured
    with pytest.raises(UserError, match="needs a baseline"):
        facebench.judge(records[1], [rule])
    assert facebench.judge(records[1], ["toy.worst_group_fmr@0.1 <= 0.5"]).outcome == "pass"


def test_a_p_value_that_more_draws_could_turn_is_undecided(records: list[Record]) -> None:
    found = facebench.compare_groups(records[0], records[1], far=0.1)[0].found.unequal
    near = facebench.judge(
        records[1], [f"toy.damage@0.1 unequal p >= {max(found.p_value, 0.002):.4f}"], records[0]
    )
    assert near.verdicts[0].outcome == "undecided"
    assert "draws cannot tell it from" in near.verdicts[0].why


def test_no_record_with_groups_is_refused(records: list[Record], tmp_path: Path) -> None:
    plain = toy_records(tmp_path)[1]
    with pytest.raises(UserError, match=r"rule .*has no groups; make it again") as error:
        facebench.judge(plain, ["toy.worst_group_fnmr@0.1 <= 8%"])
    assert "\n" not in str(error.value)
    with pytest.raises(UserError, match=r"no groups by 'color'; did you mean 'colour'"):
        facebench.judge(records[1], ["toy.worst_group_fnmr@0.1 by color <= 8%"])
    with pytest.raises(UserError, match=r"no groups at FMR 0.5"):
        facebench.judge(records[1], ["toy.worst_group_fnmr@0.5 <= 8%"])


def test_a_model_without_the_column_fails_as_one_without_a_record(
    records: list[Record], tmp_path: Path
) -> None:
    plain = toy_records(tmp_path)[0]
    found = facebench.judge([records[1], plain], ["toy.worst_group_fnmr@0.1 <= 90%"])
    told = {verdict.model: verdict for verdict in found.verdicts}
    assert told["small"].outcome == "pass"
    assert (told["base"].outcome, told["base"].measured) == (
        "fail", "no record of toy with groups"
    )  # fmt: skip


def test_the_baseline_with_the_same_groups_is_taken(records: list[Record], tmp_path: Path) -> None:
    plain = toy_records(tmp_path)[0]
    rules = ["toy.damage@0.1 unequal p >= 0.0001", "toy.accuracy drop <= 50pt at 95%"]
    found = facebench.judge(records[1], rules, [plain, records[0]])
    assert [verdict.outcome for verdict in found.verdicts] != []


def test_several_columns_need_by(tmp_path: Path) -> None:
    (_, both) = toy_records(tmp_path, "colour", "glasses")
    with pytest.raises(UserError, match="groups by colour, glasses; say which in the rule: by COL"):
        facebench.judge(both, ["toy.worst_group_fnmr@0.1 <= 8%"])
    rule = "toy.worst_group_fnmr@0.1 by glasses <= 90%"
    assert facebench.judge(both, [rule]).outcome == "pass"
