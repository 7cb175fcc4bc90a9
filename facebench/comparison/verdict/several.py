"""What several models against one reference come to: who holds, who falls, which is smallest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from facebench.comparison.verdict.contest import Contender, Contest, is_smaller
from facebench.comparison.verdict.words import (
    amount,
    amounts,
    capital,
    change,
    level_text,
    names_text,
    saved_text,
    share_of,
    signed,
    sized_interval,
    worst_left,
)


def several_verdict(contest: Contest) -> tuple[str, ...]:
    """A sentence on all of a contest, one on the smallest that is not shown to be worse, and what
    is passed over.
    """
    said = [standings(contest), smallest_sentence(contest), passed_over([contest])]
    return tuple(filter(None, said))


def standings(contest: Contest, lead: str = "") -> str:
    """``4 of 5 are not told apart from baseline (…); sparse_012 is worse, by 1.02 points.``

    lead: what the models are compared by, where a page has several such things.
    """
    parts = "; ".join(_standings(contest))
    return _sentence(f"{lead}: {parts}" if lead and parts else parts, [contest])


def joint_standings(told: Sequence[tuple[str, Contest]]) -> str:
    """The same of several contests, each in few words behind its lead: ``OBD: 2 of 3 are …;
    magnitude: …``; what they leave open is for a second sentence.
    """
    said, before = [], None
    for lead, contest in told:
        to = "" if contest.reference == before else contest.reference
        parts = ", ".join(_standings(contest, brief=True, to=to))
        said.append(f"{lead}: {parts}" if lead else parts)
        before = contest.reference
    return _sentence("; ".join(filter(None, said)), [contest for _, contest in told])


def _sentence(text: str, contests: Sequence[Contest]) -> str:
    """A sentence that begins with a capital letter, unless a model's name begins it."""
    if not text:
        return ""
    names = [one.name for contest in contests for one in contest.contenders]
    starts = any(text.startswith((f"{name} ", f"{name}, ")) for name in names)
    return f"{text if starts else capital(text)}."


def _standings(contest: Contest, *, brief: bool = False, to: str | None = None) -> Iterator[str]:
    """brief: without what is left open; to: the reference, or nothing where it was said."""
    total, to = len(contest.contenders), contest.reference if to is None else to
    same = contest.having("no difference shown")
    if same:
        who = f"{_who(same, total)} not"
        if len(same) == total > 2:
            who = f"none of the {total} is"
        left = "" if brief else _left_open(same)
        yield f"{who} told apart{f' from {to}' if to else ''}{left}"
        to = ""
    for verdict in ("worse", "better"):
        if found := contest.having(verdict):
            than = f" than {to}" if to else ""
            yield f"{_who(found, total)} {verdict}{than}, {_lost(found, brief=brief)}"
            to = ""
    if undecided := contest.having("undecided"):
        yield f"{_who(undecided, total)} undecided: the draws are too few"
    if unknown := contest.having("unknown"):
        why = unknown[0].paired.why
        yield f"{_who(unknown, total)} not tested{f' ({why})' if why else ''}"


def _who(some: Sequence[Contender], total: int) -> str:
    """``4 of 5 are``, ``sparse_012 is``; of two at most, by name."""
    if len(some) == 1:
        return f"{some[0].name} is"
    if total == len(some) == 2:
        return f"{names_text([one.name for one in some])} are"
    return f"{share_of(len(some), total)} are"


def _lost(found: Sequence[Contender], *, brief: bool) -> str:
    """How much worse or better, with the interval where it is one model; brief: without."""
    told = amounts([one.paired.difference for one in found])
    alone = len(found) == 1 and not brief
    return f"{told}{sized_interval(found[0].paired)}" if alone else told


def _left_open(same: Sequence[Contender]) -> str:
    """The loss that is not excluded of those that are not told apart."""
    left = max(worst_left(one.paired) for one in same)
    if not left:
        return ""
    level = level_text([one.paired for one in same])
    could = "could still be" if len(same) == 1 else "each could still be up to"
    return f" ({could} {amount(left)} worse, {level})"


def smallest_sentence(contest: Contest, by: str = "", also: str = "") -> str:
    """Which model one would ship, what it takes, and how sure that is; nothing without sizes.

    by: what they are compared by, where a page has several such things; also: what else is to be
    said of that model, e.g. that it is worse by something else.
    """
    if len(contest.contenders) == 1:
        (one,) = contest.contenders
        told = saved_text(one.model, contest.model)
        return f"{one.name} takes {told}." if told else ""
    found = contest.smallest
    if found is not None:
        left = _left([found])
        sure = f"it could still be {amount(left)} worse" if left else ""
        if sure and by:
            sure += f" ({level_text([found.paired])})"
        more = " and ".join(filter(None, [sure, also]))
        told = saved_text(found.model, contest.model)
        return f"{_smallest(by)}: {found.name}, {told}{f'; {more}' if more else ''}."
    worse = contest.having("worse")
    if worse and len(worse) == len(contest.contenders):
        least = min(worse, key=lambda one: abs(one.paired.difference))
        told = saved_text(least.model, contest.model)
        size = f"; it takes {told}" if told and is_smaller(least.model, contest.model) else ""
        return (
            f"None holds against {contest.reference}{_by(by)}: the least loss is {least.name}'s, "
            f"{signed(least.paired)}{size}."
        )
    if contest.passed_over or any(is_smaller(one.model, contest.model) for one in worse):
        return f"None that is smaller than {contest.reference} holds{_by(by)}."
    return ""


def _smallest(by: str) -> str:
    return f"Smallest not shown to be worse{_by(by)}"


def _by(by: str) -> str:
    return f" ({by})" if by else ""


def _left(found: Sequence[Contender]) -> float:
    """The largest loss that is not excluded of those that are recommended."""
    losses = (worst_left(one.paired) for one in found if one.paired.verdict != "better")
    return max(losses, default=0.0)


def passed_over(contests: Sequence[Contest]) -> str:
    """Smaller ones that only the correction for several tests saves, which nobody should ship."""
    names = [one.name for contest in contests for one in contest.passed_over]
    if not names:
        return ""
    own = "its own interval excludes" if len(names) == 1 else "their own intervals exclude"
    return f"Passed over: {names_text(names)}, smaller, but {own} zero."


def smallest_of(contests: Sequence[Contest], by: str = "") -> str:
    """The smallest that is not shown to be worse, of each of several contests in few words."""
    told, chosen = [], []
    for contest in contests:
        found = contest.smallest
        if found is None:
            told.append(f"none against {contest.reference}")
            continue
        chosen.append(found)
        size, of_all = found.model.bytes, contest.model.bytes
        saved = f" ({change(size / of_all)} bytes)" if size is not None and of_all else ""
        told.append(f"{found.name}{saved}")
    if not told:
        return ""
    if left := _left(chosen):
        could = "each could still be up to" if len(chosen) > 1 else "it could still be"
        level = level_text([one.paired for one in chosen])
        told[-1] += f"; {could} {amount(left)} worse ({level})"
    return f"{_smallest(by)}: {', '.join(told)}."


def left_open(contests: Sequence[Contest]) -> str:
    """The loss that is not excluded of all that are not told apart; nothing where there is none."""
    same = [one for contest in contests for one in contest.having("no difference shown")]
    left = max((worst_left(one.paired) for one in same), default=0.0)
    if not left:
        return ""
    who = same[0].name if len(same) == 1 else "those not told apart"
    upto = "" if len(same) == 1 else "up to "
    level = level_text([one.paired for one in same])
    return f"{who} could still be {upto}{amount(left)} worse ({level})"


def fewer_bytes(contests: Sequence[Contest]) -> str:
    """``they take 40 to 50% fewer bytes``: each than its own reference; nothing where any does
    not.
    """
    found = [
        (one.name, one.model.bytes / contest.model.bytes)
        for contest in contests
        for one in contest.contenders
        if one.model.bytes is not None and contest.model.bytes
    ]
    ratios = [ratio for _, ratio in found]
    if not ratios or max(ratios) > 0.995:  # less than half of one per cent is nothing saved
        return ""
    saved = sorted(round(100 * (1 - ratio)) for ratio in ratios)
    told = f"{saved[0]} to {saved[-1]}%" if saved[0] != saved[-1] else f"{saved[0]}%"
    return f"{f'{found[0][0]} takes' if len(found) == 1 else 'they take'} {told} fewer bytes"


def unmeasured(missing: int, total: int) -> str:
    """How much of a table is missing, in a sentence; nothing where nothing is."""
    if not missing:
        return ""
    if missing == total:
        return f"Nothing is measured yet: all {total} cells are missing."
    return f"Not measured: {missing} of {total} cells."
