"""What a sequence of runs comes to: which fell first, and the last before it that holds."""

from __future__ import annotations

from facebench.comparison.history import History
from facebench.comparison.verdict.contest import Contender, Contest
from facebench.comparison.verdict.several import passed_over, smallest_sentence, standings
from facebench.comparison.verdict.single import single_verdict
from facebench.comparison.verdict.words import signed


def runs_verdict(history: History) -> tuple[str, ...]:
    """Sentences on a history: the first fall, the smallest that holds, and how all stand."""
    if len(history.runs) == 1:
        return single_verdict(history.first)
    at = history.first_fall
    contest = _contest(history)
    if at is None:
        untested = len(contest.having("unknown"))
        none = "None of the runs tested" if untested else "No run"
        first = f"{none} fell significantly."
        if untested == len(contest.contenders):
            first = "No run could be tested for a fall."
    else:
        against = history.runs[at].against
        assert against is not None  # else it is the reference
        first = f"{history.names[at]} is the first to fall: {signed(against)}."
    said = [smallest_sentence(contest), standings(contest), passed_over([contest])]
    return tuple(filter(None, [first, *said]))


def _contest(history: History) -> Contest:
    """The runs against the one that they are held against."""
    model = history.runs[history.reference].record.model
    contenders = tuple(
        Contender(name, run.record.model, run.against)
        for name, run in zip(history.names, history.runs, strict=True)
        if run.against is not None
    )
    return Contest(history.names[history.reference], model, contenders)
