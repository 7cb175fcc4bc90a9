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
    """Sentences on all of a contest, and on the smallest that is not shown to be worse."""
    return tuple(filter(None, [standings(contest), smallest_sentence(contest)]))


def standings(contest: Contest, lead: str = "") -> str:
    """``4 of 5 are not told apart from baseline (…); sparse_012 is worse, by 1.02 points.``

    lead: what the models are compared by, where a page has several such things.
    """
    parts = "; ".join(_standings(contest))
    if not parts:
        return ""
    names = [one.name for one in contest.contenders]
    starts = any(parts.startswith(f"{name} ") for name in names)
    return f"{capital(lead)}: {parts}." if lead else f"{parts if starts else capital(parts)}."


def _standings(contest: Contest) -> Iterator[str]:
    total, to = len(contest.contenders), contest.reference
    same = contest.having("no difference shown")
    if same:
        who = f"{_who(same, total)} not"
        if len(same) == total > 1:
            who = "neither is" if total == 2 else f"none of the {total} is"
        yield f"{who} told apart from {to}{_left_open(same)}"
        to = ""
    for verdict in ("worse", "better"):
        if found := contest.having(verdict):
            than = f" than {to}" if to else ""
            yield f"{_who(found, total)} {verdict}{than}, {_lost(found)}"
            to = ""
    if undecided := contest.having("undecided"):
        yield f"{_who(undecided, total)} undecided: the draws are too few"
    if unknown := contest.having("unknown"):
        why = unknown[0].paired.why
        yield f"{_who(unknown, total)} not tested{f' ({why})' if why else ''}"


def _who(some: Sequence[Contender], total: int) -> str:
    """``4 of 5 are``, ``sparse_012 is``."""
    if len(some) == 1:
        return f"{some[0].name} is"
    return f"{share_of(len(some), total)} are"


def _lost(found: Sequence[Contender]) -> str:
    """How much worse or better, with the interval where it is one model."""
    told = amounts([one.paired.difference for one in found])
    return f"{told}{sized_interval(found[0].paired)}" if len(found) == 1 else told


def _left_open(same: Sequence[Contender]) -> str:
    """The loss that is not excluded of those that are not told apart."""
    left = max(worst_left(one.paired) for one in same)
    if not left:
        return ""
    level = level_text([one.paired for one in same])
    could = "could still be" if len(same) == 1 else "each could still be up to"
    return f" ({could} {amount(left)} worse, {level})"


def smallest_sentence(contest: Contest, by: str = "") -> str:
    """Which model one would ship, what it takes, and how sure that is; nothing without sizes.

    by: what they are compared by, where a page has several such things.
    """
    if len(contest.contenders) == 1:
        (one,) = contest.contenders
        told = saved_text(one.model, contest.model)
        return f"{one.name} takes {told}." if told else ""
    found, doubtful = contest.smallest, _doubtful([contest])
    if found is not None:
        left = _left([found])
        sure = f"; {found.name} could still be {amount(left)} worse" if left else ""
        told = saved_text(found.model, contest.model)
        return f"{_smallest(by)}: {found.name}, {told}{sure}.{doubtful}"
    worse = contest.having("worse")
    if worse and len(worse) == len(contest.contenders):
        least = min(worse, key=lambda one: abs(one.paired.difference))
        told = saved_text(least.model, contest.model)
        size = (
            f"; {least.name} takes {told}"
            if told and is_smaller(least.model, contest.model)
            else ""
        )
        return f"None holds; the least loss is {least.name}'s, {signed(least.paired)}{size}."
    if doubtful or any(is_smaller(one.model, contest.model) for one in worse):
        return f"None that is smaller than {contest.reference} holds.{doubtful}"
    return ""


def _smallest(by: str) -> str:
    return f"Smallest not shown to be worse{f' ({by})' if by else ''}"


def _left(found: Sequence[Contender]) -> float:
    """The largest loss that is not excluded of those that are recommended."""
    losses = (worst_left(one.paired) for one in found if one.paired.verdict != "better")
    return max(losses, default=0.0)


def _doubtful(contests: Sequence[Contest]) -> str:
    """Smaller ones that only the correction for several tests saves, which nobody should ship."""
    names = [one.name for contest in contests for one in contest.passed_over]
    if not names:
        return ""
    own = "its own interval excludes" if len(names) == 1 else "their own intervals exclude"
    return f" Passed over: {names_text(names)}, smaller, but {own} zero."


def smallest_of(contests: Sequence[Contest], by: str = "") -> str:
    """The smallest that is not shown to be worse, of each of several contests in few words."""
    if len(contests) == 1:
        return smallest_sentence(contests[0], by)
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
        could = "each could still be up to"
        if len(chosen) == 1:
            could = f"{chosen[0].name} could still be"
        told[-1] += f"; {could} {amount(left)} worse"
    return f"{_smallest(by)}: {', '.join(told)}.{_doubtful(contests)}"


def fewer_bytes(contests: Sequence[Contest]) -> str:
    """``They take 40 to 50% fewer bytes.``: each than its own reference; nothing where any does
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
    return f"{f'{found[0][0]} takes' if len(found) == 1 else 'They take'} {told} fewer bytes."


def unmeasured(missing: int, total: int) -> str:
    """How much of a table is missing, in a sentence; nothing where nothing is."""
    if not missing:
        return ""
    if missing == total:
        return f"Nothing is measured yet: all {total} cells are missing."
    return f"Not measured: {missing} of {total} cells."
