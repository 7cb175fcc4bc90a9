"""Bounds of rules: those that decide something, and the one line for each that decides nothing."""

from __future__ import annotations

import pytest

from facebench.base.errors import UserError
from facebench.gate.judge import gated
from facebench.gate.rules import parse_rule, parse_rules
from facebench.records.record import Record
from tests.gate.test_rules import refusal
from tests.helpers.records import MakeRecord


@pytest.fixture
def base(make_record: MakeRecord) -> Record:
    return make_record("sparse_074", per_kind=20, draws=0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lfw.accuracy drop <= -1pt", "a bound is 0 or more; to ask for a gain write e.g. >= 1.01"),
        ("lfw.accuracy drop <= −1pt", "a bound is 0 or more"),
        ("lfw.accuracy >= -0.5", "a bound is 0 or more"),
        ("bytes <= -3MB", "a bound is 0 or more"),
        ("bytes <= 1e999", "the bound is too large to be a number"),
        ("bytes <= 0 of baseline", "0 of baseline is 0, whatever the baseline is; write a share"),
        ("lfw.auc >= 0 of baseline", "0 of baseline is 0, whatever the baseline is"),
        ("bytes <= 75 of baseline", "75 of baseline is 75 times as much; write a share, e.g. 0.75"),
        ("bytes <= 0", "no model meets this; write a number above 0, or e.g. 0.75 of baseline"),
        ("kept_parameters >= 0", "every model meets this; write a number above 0"),
        ("bytes <= 0.75", "did you mean 'bytes <= 0.75 of baseline'?"),
        ("parameters >= 0.5", "at least 1; did you mean 'parameters >= 0.5 of baseline'?"),
        ("compression_ratio <= 0", "no model meets this; write a ratio above 0"),
        ("compression_ratio <= 1", "every model meets this; write a ratio between 0 and 1"),
        ("compression_ratio >= 0", "every model meets this"),
        ("compression_ratio <= 75", "is kept over all parameters, at most 1; write e.g. 0.75"),
        ("lfw.accuracy >= 0", "every model meets this; write a share between 0 and 1"),
        ("lfw.eer <= 100%", "every model meets this"),
        ("lfw.accuracy <= 0", "only a model that is never right meets this; did you mean >=?"),
        ("lfw.accuracy >= 100% at 95%", "an interval never ends at 100%, so that this cannot pass"),
        ("lfw.eer <= 0 at 95%", "an interval never ends at 0%, so that this cannot pass"),
        ("lfw.accuracy drop <= 100pt", "no drop is larger than 100pt; write fewer points"),
        ("lfw.eer rise <= 250pt", "no rise is larger than 100pt; write fewer points"),
    ],
)
def test_a_bound_that_decides_nothing_is_one_line(text: str, said: str) -> None:
    told = refusal(text)
    assert told.startswith(f"gates.toml: rule {text!r}: ") and said in told


@pytest.mark.parametrize(
    "text",
    [
        "bytes <= 1.1 of baseline",
        "bytes >= 0.01 of baseline",
        "bytes <= 10 of baseline",
        "bytes <= 1e+6",
        "compression_ratio >= 1",
        "compression_ratio <= 0.74",
        "lfw.accuracy >= 1",
        "lfw.accuracy >= 99.99% at 95%",
        "lfw.accuracy >= 1.01 of baseline",
        "lfw.tar@0.001 >= 2 of baseline",
        "lfw.accuracy <= 0.55",
        "lfw.eer <= 0",
        "lfw.eer <= 0.05 at 95%",
        "lfw.accuracy drop <= 0pt",
        "lfw.accuracy drop <= 0pt at 95%",
        "lfw.accuracy drop <= 99pt",
    ],
)
def test_bounds_that_some_model_meets_and_some_does_not_are_rules(text: str) -> None:
    assert parse_rule(text, "gates.toml").text == text


def test_a_share_that_the_baseline_leaves_no_room_for_is_refused(base: Record) -> None:
    value = base.statistics.headline.value
    most = int(1000 / value) / 1000
    with pytest.raises(UserError, match="is more than 100 %, which no model reaches") as caught:
        gated(parse_rules(["lfw.accuracy >= 1.5 of baseline"]), [base], [base])
    assert f"write at most {most:g} of baseline" in str(caught.value)
    assert "\n" not in str(caught.value)
    rule = f"lfw.accuracy >= {most} of baseline"
    assert gated(parse_rules([rule]), [base], [base]).outcome in ("pass", "fail")
    assert gated(parse_rules(["lfw.accuracy <= 1.5 of baseline"]), [base], [base]).code == 0


def test_an_accuracy_below_chance_was_meant_otherwise() -> None:
    for text in ("lfw.accuracy >= 0.95%", "lfw.auc >= 0.4"):
        with pytest.raises(UserError, match="that chance gives; write percent as 95%"):
            parse_rule(text, "rules.toml")
    parse_rule("lfw.tar@0.001 >= 0.4", "rules.toml")
    parse_rule("lfw.accuracy >= 0.5", "rules.toml")
