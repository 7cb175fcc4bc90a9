"""What a gate comes to, in one or two sentences."""

from __future__ import annotations

from collections.abc import Sequence

from facebench.comparison.verdict.words import capital, names_text, share_of
from facebench.gate.judge import GateResult, Judgement, Verdict


def outcome_sentences(result: GateResult) -> tuple[str, ...]:
    """The outcome, the model and the rule that decide it; then what became of other models.

    ``FAIL: step_3 breaks 2 of 3 rules, first lfw.accuracy drop <= 2pt at 95%: −8.63 pt.``
    """
    word, deciding = result.outcome.upper(), _deciding(result)
    models = list(dict.fromkeys(verdict.subject for verdict in result.verdicts))
    own = list(dict.fromkeys(verdict.subject for verdict in deciding))
    if not deciding:
        return (f"{word}: {_held(result, models)}.",)
    first = deciding[0]
    said = _undecided if first.outcome == "undecided" else _broken
    measured = f"{first.rule.text}: {first.measured}{f' ({first.why})' if first.why else ''}"
    if len(models) == 1:
        rules = [verdict for verdict in result.verdicts if verdict.subject == own[0]]
        told = f"{said(result, own[0], len(deciding), len(rules))} {measured}"
    else:
        verb = {"fail": "break", "undecided": "leave"}[first.outcome]
        verb = verb if len(own) > 1 else f"{verb}s"
        rule = f"a rule undecided{_counts(result)}" if first.outcome == "undecided" else "a rule"
        who = own[0] if len(own) == 1 else f"{names_text(own)}; first {own[0]}"
        told = f"{share_of(len(own), len(models))} models {verb} {rule}: {who}, {measured}"
    others = _others(result, [model for model in models if model not in own])
    return (f"{word}: {told}.", *others)


def _deciding(result: GateResult) -> list[Verdict]:
    """The verdicts that the outcome is of: rules that are broken before what is counted so; where
    all pass, those that are counted so.
    """
    wanted: tuple[Judgement, ...] = ("fail", "undecided")
    for outcome in wanted:
        found = [
            verdict
            for verdict in result.verdicts
            if verdict.outcome == outcome and result.counted(verdict) == result.outcome
        ]
        if found:
            return found
    return []


def _held(result: GateResult, models: Sequence[str]) -> str:
    total = len(result.verdicts)
    if len(models) > 1:
        return f"{share_of(len(models), len(models))} models hold their rules: {names_text(models)}"
    if total == 1:
        (only,) = result.verdicts
        return f"{models[0]} holds {only.rule.text}: {only.measured}"
    return f"{models[0]} holds {share_of(total, total)} rules"


def _broken(result: GateResult, model: str, number: int, total: int) -> str:
    if total == 1:
        return f"{model} breaks"
    return f"{model} breaks {share_of(number, total)} rules{', first' if number > 1 else ':'}"


def _undecided(result: GateResult, model: str, number: int, total: int) -> str:
    more = _counts(result)
    if total == 1:
        return f"{model} leaves its rule undecided{more}:"
    first = ", first" if number > 1 else ":"
    return f"{model} leaves {share_of(number, total)} rules undecided{more}{first}"


def _counts(result: GateResult) -> str:
    return "" if result.undecided == "report" else f", which counts as {result.undecided}"


def _others(result: GateResult, models: Sequence[str]) -> tuple[str, ...]:
    """``Undecided: a. Pass: b and c.``: models that do not decide, by the worst of their own."""
    worst: dict[str, list[str]] = {"undecided": [], "pass": []}
    for model in models:
        own = {verdict.outcome for verdict in result.verdicts if verdict.subject == model}
        worst["undecided" if "undecided" in own else "pass"].append(model)
    told = [f"{outcome}: {names_text(names)}" for outcome, names in worst.items() if names]
    return (f"{capital('; '.join(told))}.",) if told else ()
