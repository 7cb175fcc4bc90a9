"""What a gate comes to, in sentences."""

from __future__ import annotations

from itertools import product

import pytest

from facebench.gate.judge import TOO_FEW, GateResult, Judgement, Verdict
from facebench.gate.outcome import outcome_sentences
from facebench.gate.rules import Undecided, parse_rule

ACCURACY = "lfw.accuracy drop <= 2pt at 95%"
RULES = [parse_rule(text, "here") for text in (ACCURACY, "bytes <= 0.9 of baseline")]
CHANGE = "−0.45 pt [−0.84, −0.06]"


def said(*outcomes: str, undecided: Undecided = "report") -> str:
    """Of ``a:fail,pass`` for the rules of each model."""
    verdicts = []
    for one in outcomes:
        model, _, own = one.partition(":")
        for rule, outcome in zip(RULES, own.split(","), strict=False):
            why = TOO_FEW if outcome == "undecided" else ""
            verdicts.append(Verdict(rule, model, outcome, CHANGE, why))  # type: ignore[arg-type]
    return " ".join(outcome_sentences(GateResult(tuple(verdicts), undecided)))


@pytest.mark.parametrize(
    ("outcomes", "text"),
    [
        (["a:pass"], f"PASS: a holds {ACCURACY}: {CHANGE}."),
        (["a:pass,pass"], "PASS: a holds both rules."),
        (["a:pass", "b:pass"], "PASS: both models hold their rules: a and b."),
        (["a:fail"], f"FAIL: a breaks {ACCURACY}: {CHANGE}."),
        (["a:fail,pass"], f"FAIL: a breaks 1 of 2 rules: {ACCURACY}: {CHANGE}."),
        (["a:fail,fail"], f"FAIL: a breaks both rules, first {ACCURACY}: {CHANGE}."),
        (
            ["a:undecided"],
            f"UNDECIDED: a leaves its rule undecided: {ACCURACY}: {CHANGE} ({TOO_FEW}).",
        ),
        (["a:undecided,fail"], f"FAIL: a breaks 1 of 2 rules: bytes <= 0.9 of baseline: {CHANGE}."),
        (
            ["a:undecided", "b:fail", "c:pass"],
            f"FAIL: 1 of 3 models breaks a rule: b, {ACCURACY}: {CHANGE}. Undecided: a; pass: c.",
        ),
        (
            ["a:pass", "b:fail", "c:fail"],
            f"FAIL: 2 of 3 models break a rule: b and c; first b, {ACCURACY}: {CHANGE}. Pass: a.",
        ),
    ],
)
def test_the_model_and_rule_that_decide(outcomes: list[str], text: str) -> None:
    assert said(*outcomes) == text


@pytest.mark.parametrize(("counts", "word"), [("fail", "FAIL"), ("pass", "PASS")])
def test_what_undecided_counts_as(counts: Undecided, word: str) -> None:
    text = said("a:undecided,pass", undecided=counts)
    assert text.startswith(f"{word}: a leaves 1 of 2 rules undecided, which counts as {counts}: ")
    # A rule that is broken decides before one that counts so.
    assert said("a:undecided,fail", undecided="fail").startswith("FAIL: a breaks 1 of 2 rules: b")


OUTCOMES: tuple[Judgement, ...] = ("pass", "fail", "undecided")


def test_the_first_word_is_the_outcome_and_every_model_is_named() -> None:
    choices: tuple[Undecided, ...] = ("report", "fail", "pass")
    for undecided in choices:
        for found in product(OUTCOMES, repeat=3):
            verdicts = tuple(Verdict(RULES[0], f"m{n}", one, "x") for n, one in enumerate(found))
            result = GateResult(verdicts, undecided)
            text = " ".join(outcome_sentences(result))
            assert text.partition(": ")[0] == result.outcome.upper()
            assert all(f"m{number}" in text for number in range(3)), text
