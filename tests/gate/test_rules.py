"""The grammar of rules: what each says, and the one line for each that says nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from facebench.base.errors import UserError
from facebench.gate.rules import Rule, parse_rule, parse_rules, read_rules


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (
            "lfw.accuracy drop <= 0.3pt at 95%",
            ("lfw", "accuracy", "drop", True, 0.003, False, 0.95),
        ),
        ("ijba.tar@0.001 >= 0.45", ("ijba", "TAR@FAR=0.001", None, False, 0.45, False, None)),
        ("ijba.TAR@FAR=1e-3>=45%", ("ijba", "TAR@FAR=0.001", None, False, 0.45, False, None)),
        ("bytes <= 0.75 of baseline", (None, "bytes", None, True, 0.75, True, None)),
        ("bytes <= 30MB", (None, "bytes", None, True, 30e6, False, None)),
        ("kept_parameters<=2000000", (None, "kept_parameters", None, True, 2e6, False, None)),
        ("lfw.eer rise <= 0.5 pt", ("lfw", "eer", "rise", True, 0.005, False, None)),
        (
            "lfw-open.dir@0.01 >= 0.98 of baseline",
            ("lfw-open", "DIR@FAR=0.01", None, False, 0.98, True, None),
        ),
        (
            "ijba-search.tpir@fpir=0.1 drop <= 1pt at 99%",
            ("ijba-search", "TPIR@FPIR=0.1", "drop", True, 0.01, False, 0.99),
        ),
        (
            "lfw-closed.rank-1 >= 0.9 at 95%",
            ("lfw-closed", "rank-1", None, False, 0.9, False, 0.95),
        ),
    ],
)
def test_rules_mean_what_they_say(text: str, rule: tuple[object, ...]) -> None:
    protocol, statistic, change, at_most, bound, of_baseline, level = rule
    found = parse_rule(text, "gates.toml")
    assert found.bound == pytest.approx(bound)
    assert found == Rule(
        text=text,
        protocol=protocol,  # type: ignore[arg-type]
        statistic=statistic,  # type: ignore[arg-type]
        change=change,  # type: ignore[arg-type]
        at_most=at_most,  # type: ignore[arg-type]
        bound=found.bound,
        of_baseline=of_baseline,  # type: ignore[arg-type]
        level=level,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lfw.acuracy drop <= 0.3pt", "no statistic 'acuracy'; did you mean 'accuracy'?"),
        ("lfw.tar@0,001 >= 0.4", "did you mean 'tar@0.001'?"),
        ("byte <= 3", "no statistic 'byte'; did you mean 'bytes'?"),
        ("accuracy >= 0.9", "'accuracy' is of which protocol? write e.g. lfw.accuracy"),
        ("lfw.bytes <= 30MB", "bytes is the model's on every protocol"),
        ("lfw.accuracy dorp <= 0.3pt", "'dorp' is neither drop nor rise; did you mean 'drop'?"),
        ("lfw.accuracy drop >= 0.3pt", "bounded from above: write <="),
        ("lfw.accuracy drop <= 0.3%", "write points, e.g. 0.3pt"),
        ("lfw.accuracy >= 95pt", "'pt' is of a drop or rise"),
        ("lfw.accuracy >= 95", "a bound of 95 is more than all"),
        ("lfw.accuracy drop <= 0.3pt at 100%", "a level of 100% cannot be"),
        ("lfw.accuracy", "cannot be read"),
        ("lfw.accuracy drop <= 0.3", "a drop is in points of percent: write e.g. 0.3pt"),
        ("lfw.accuracy drop = 0.3pt", "cannot be read; write e.g. 'lfw.accuracy drop <= 0.3pt"),
        ("lfw.accuracy >= 1.2.3", "'1.2.3' is no number"),
        ("lfw.tar@2 >= 0.4", "must be above 0 and at most 1"),
        ("lfw.tar@fpir=0.1 >= 0.4", "TAR is at a FAR, not a FPIR"),
        ("bytes drop <= 3", "write bytes <= 0.75 of baseline"),
        ("bytes <= 30MB of baseline", "'of baseline' takes a share"),
        ("bytes <= 30 at 95%", "bytes is no estimate"),
        ("bytes <= 30TB", "bytes have kB, MB and GB"),
        ("parameters <= 30MB", "parameters has no unit 'MB'"),
        ("lfw.accuracy >= 0.9 of baseline at 95%", "a share of the baseline has no interval"),
        ("lfw.accuracy >= 3p", "unknown unit 'p'"),
        ("lfw.eer drop <= 0.3pt", "a drop of eer is no harm; did you mean 'rise'?"),
        ("lfw.accuracy rise <= 0.3pt", "a rise of accuracy is no harm; did you mean 'drop'?"),
        ("lfw.auc rise <= 1pt at 95%", "did you mean 'drop'?"),
        ("lfw.tar@0.001 Rise <= 1pt", "a rise of TAR@FAR=0.001 is no harm; did you mean 'drop'?"),
        ("lfw-open.dir@0.01 rise <= 1pt", "did you mean 'drop'?"),
        ("lfw-closed.rank-1 rise <= 1pt", "did you mean 'drop'?"),
        ("ijba-search.tpir@0.1 rise <= 1pt", "did you mean 'drop'?"),
        ("", "cannot be read"),
    ],
)
def test_a_wrong_rule_is_one_line_that_names_it(text: str, said: str) -> None:
    assert said in refusal(text)


def refusal(text: str) -> str:
    """What is said of a wrong rule: one line that names it."""
    with pytest.raises(UserError) as caught:
        parse_rule(text, "gates.toml")
    assert str(caught.value).startswith(f"gates.toml: rule {text!r}")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_file_of_rules(tmp_path: Path) -> None:
    path = tmp_path / "gates.toml"
    path.write_text('undecided = "fail"\nrules = ["bytes <= 3MB", "lfw.auc >= 0.9"]\n')
    found = read_rules(path)
    assert found.undecided == "fail" and len(found.rules) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules = []", "field 'rules'"),
        ("rule = ['bytes <= 3']", "unknown field 'rule'; did you mean 'rules'?"),
        ("rules = ['bytes <= 3']\nundecided = 'fial'", "did you mean 'fail'"),
        ("rules = [", "not TOML"),
        ('{"rules": []}', "it looks like JSON; write it as TOML"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "gates.toml"
    path.write_text(text)
    with pytest.raises(UserError, match=r"gates\.toml") as caught:
        read_rules(path)
    assert said in str(caught.value)


def test_rules_of_a_program() -> None:
    assert parse_rules(["bytes <= 3MB"], "pass").undecided == "pass"
    with pytest.raises(UserError, match="at least one rule"):
        parse_rules([])
    with pytest.raises(UserError, match="choose one of"):
        parse_rules(["bytes <= 3"], "maybe")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("what", "protocol", "statistic"),
    [
        ("lfw+14px.accuracy", "lfw+14px", "accuracy"),
        ("lfw+blur1.5+jpeg20.probe.tar@0.001", "lfw+blur1.5+jpeg20.probe", "TAR@FAR=0.001"),
        ("lfw+dark0.25.eer", "lfw+dark0.25", "eer"),
        ("lfw-closed+7px.probe.rank-1", "lfw-closed+7px.probe", "rank-1"),
    ],
)
def test_a_rule_is_of_degraded_faces(what: str, protocol: str, statistic: str) -> None:
    rule = parse_rule(f"{what} <= 50%" if statistic == "eer" else f"{what} >= 60%", "gates")
    assert (rule.protocol, rule.statistic) == (protocol, statistic)


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("lfw+14.accuracy", "'14' is no degradation; did you mean '14px'?"),
        ("lfw+jpg20.probe.accuracy", "did you mean 'jpeg20'?"),
        ("lfw+14px.acuracy", "no statistic 'acuracy'"),
        ("lfw+14px", "no statistic 'lfw+14px'"),
    ],
)
def test_a_misspelt_degradation_is_told(what: str, told: str) -> None:
    with pytest.raises(UserError, match=re.escape(told)):
        parse_rule(f"{what} >= 60%", "gates")
