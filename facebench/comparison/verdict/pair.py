"""What one model against another comes to: told apart or not, how far, and what it saves."""

from __future__ import annotations

from facebench.comparison.paired import SAME, Paired
from facebench.comparison.verdict.contest import is_smaller
from facebench.comparison.verdict.words import (
    amount,
    capital,
    comparisons_text,
    level_text,
    saved_text,
    signed,
    worst_left,
)
from facebench.records.comparability import names_of
from facebench.records.record import Record
from facebench.records.sections import ModelSection
from facebench.records.statistics import statistic_text

_WORDS = {
    "better": "BETTER",
    "worse": "WORSE",
    "no difference shown": "NOT TOLD APART",
    "undecided": "UNDECIDED",
    "unknown": "NOT TESTED",
}


def pair_verdict(base: Record, candidate: Record, paired: Paired) -> tuple[str, ...]:
    """Two or three sentences on a candidate against the base."""
    one, other = names_of([base, candidate])
    where = f"{base.protocol.name} ({comparisons_text(base)})"
    said = [f"{other} against {one}: {_WORDS[paired.verdict]} on {where}."]
    what = statistic_text(paired.statistic)
    said.append(f"{capital(what)} {signed(paired)}.")
    said += filter(None, [_left(paired), size_sentence(candidate.model, base.model)])
    return (said[0] + " " + said[1], *said[2:])


def _left(paired: Paired) -> str:
    """What the test leaves open."""
    if not paired.tested:
        return f"Nothing paired can be told: {paired.why}."
    if paired.interval is not None and paired.interval.kind == SAME:
        return "Both are the same record."
    left, level = worst_left(paired), level_text([paired])
    if paired.undecided:
        return "The draws are too few to tell on which side of 5% its p-value is."
    if paired.verdict == "no difference shown" and left:
        return f"It could still be {amount(left)} worse ({level}): “as good” is not shown."
    if paired.verdict == "no difference shown":
        return "Its interval excludes a loss, its test does not."
    return ""


def size_sentence(model: ModelSection, than: ModelSection) -> str:
    """What a model takes of what another one takes."""
    told = saved_text(model, than)
    if not told:
        return "What it saves is not known: the records hold no sizes."
    if is_smaller(model, than):
        return f"It takes {told}."
    return f"It saves nothing: {told}."
