"""Rankings: records of one protocol, the same faces and one way of scoring, the best first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from facebench.base.text import percent, points
from facebench.comparison.among import Among, among
from facebench.comparison.paired import Paired, target_of
from facebench.comparison.verdict.contest import Contender, Contest
from facebench.records.comparability import measure_of, method_of, names_of
from facebench.records.record import Record, similarity_kind, template_kind
from facebench.records.statistics import Measured, find_statistic, statistics_in
from facebench.reports.site.front import FrontPoint
from facebench.reports.site.ranks import Place, on_front, ranks_of
from facebench.reports.site.taken import MeasuredCosts, Taken, taken_of
from facebench.similarity.templates import PLAIN
from facebench.tables.text import interval_text, points_text, protocol_text


@dataclass(frozen=True, eq=False)
class Standing:
    """A record in a ranking. name: among its likes; fronts: the costs by which no other outdoes it;
    leader: its test against the first, corrected, None: it is the first.
    """

    number: int
    record: Record
    name: str
    rank: Place
    taken: Taken
    fronts: tuple[str, ...]
    leader: Paired | None

    @property
    def value(self) -> float:
        """The headline, a share."""
        return self.record.statistics.headline.value

    def measured(self, statistic: str) -> Measured | None:
        """A statistic of the record; None: it has none of that name."""
        return find_statistic(self.record, statistic)

    @property
    def headline(self) -> str:
        """``96.67% [96.18, 97.10]``."""
        found = self.measured(statistics_in(self.record)[0])
        interval = interval_text(found.interval) if found else ""
        return f"{percent(self.value)}% {interval}".rstrip()


@dataclass(frozen=True, eq=False)
class Ranking:
    """name: of its part of a page; standings: the best first; tests: of every two, by their
    numbers.
    """

    name: str
    standings: tuple[Standing, ...]
    tests: Among

    @property
    def first(self) -> Record:
        """A record, for what all have in common."""
        return self.standings[0].record

    @property
    def kind(self) -> str:
        """``real`` or ``synthetic``."""
        return self.first.data.kind

    @property
    def faces(self) -> str:
        """The kind of faces, in words."""
        return "photographs" if self.kind == "real" else "rendered faces (synthetic twin)"

    @property
    def similarity(self) -> str:
        """By what embeddings are compared, with what else is not the usual."""
        pooling, template = self.first.pooling, template_kind(self.first.model)
        said = [similarity_kind(self.first.similarity)]
        said += [pooling] if not pooling.startswith("none") else []
        said += [f"template {template}"] if template != PLAIN else []
        return ", ".join(said)

    @property
    def protocol(self) -> str:
        """``lfw v1``."""
        return protocol_text(self.first)

    @property
    def title(self) -> str:
        """``lfw v1 · photographs · cosine``."""
        return f"{self.protocol} · {self.faces} · {self.similarity}"

    @cached_property
    def statistics(self) -> tuple[str, ...]:
        """The headline and, of pairs in folds, TAR at the smallest FAR that all can tell."""
        headline, *others = statistics_in(self.first)
        tars = [name for name in others if name.startswith(("TAR", "DIR", "TPIR"))]
        told = [
            name
            for name in tars
            if all((found := s.measured(name)) and found.resolvable for s in self.standings)
        ]
        return headline, *sorted(told, key=target_of)[:1]

    def points(self, cost: str) -> list[FrontPoint]:
        """Models whose cost is known, to be drawn; cost: ``bytes`` or ``multiply-adds``."""
        found = []
        for one in self.standings:
            value = one.taken.model.bytes if cost == "bytes" else one.taken.kept_multiply_adds
            measured = one.measured(self.statistics[0])
            ends = measured.interval if measured else None
            if value:
                interval = (ends.low, ends.high) if ends else None
                found.append(FrontPoint(one.name, value, one.value, interval, cost in one.fronts))
        return found

    @cached_property
    def verdict(self) -> str:
        """Which is the best, what is not told apart from it, and the smallest of these."""
        best, *others = self.standings
        on = "On rendered faces " if self.kind == "synthetic" else ""
        if not others:
            return f"{on}{best.name} is the only one, {best.headline}."
        text = f"{on}{best.name} is highest, {best.headline}; "
        contenders = (Contender(o.name, o.record.model, o.leader) for o in others if o.leader)
        contest = Contest(best.name, best.record.model, tuple(contenders))
        alike, worse = contest.having("better", "no difference shown"), contest.having("worse")
        if len(worse) == len(others):
            rest = "the other is" if len(others) == 1 else f"all {len(others)} others are"
            return f"{text}{rest} worse."
        found, what = (alike, "not told apart from it") if alike else (worse, "worse")
        text += f"{len(found)} of {len(others)} others {'is' if len(found) == 1 else 'are'} {what}"
        if left := len(others) - len(alike) - len(worse):
            text += f", of {left} no test can tell"
        return f"{text}.{_smallest(contest)}"


def _smallest(contest: Contest) -> str:
    """The smallest of those that are not told apart from the best, and what it might cost."""
    own = contest.model.bytes
    smaller = [
        (size, -one.paired.candidate, one)
        for one in contest.holding
        if own and (size := one.model.bytes) is not None and size < own
    ]
    if not smaller or not own:
        return ""
    size, _, one = min(smaller, key=lambda found: found[:2])
    text = f" The smallest of these is {one.name}, with {1 - size / own:.0%} fewer bytes"
    if one.paired.interval is None:
        return f"{text}."
    difference = points(one.paired.difference)
    return f"{text}: {difference} points {points_text(one.paired.interval)}."


def rankings_of(records: Sequence[Record], costs: MeasuredCosts) -> list[Ranking]:
    """A ranking for each measure and method: photographs before rendered faces, then the one with
    most models.
    """
    grouped: dict[tuple[object, ...], list[Record]] = {}
    for record in records:
        grouped.setdefault((measure_of(record), method_of(record)), []).append(record)
    ordered = sorted(grouped.values(), key=_order)
    return [_ranking(number, group, costs) for number, group in enumerate(ordered, start=1)]


def _order(records: Sequence[Record]) -> tuple[bool, int, str, str]:
    first = records[0]
    return first.data.kind != "real", -len(records), first.protocol.name, first.similarity


def _ranking(number: int, records: Sequence[Record], costs: MeasuredCosts) -> Ranking:
    names = names_of(records)
    order = sorted(
        range(len(records)), key=lambda n: (-records[n].statistics.headline.value, names[n])
    )
    tests = among([records[n] for n in order])
    ranks, taken = ranks_of(tests), [taken_of(records[n], costs) for n in order]
    values = [record.statistics.headline.value for record in tests.records]
    fronts = {
        what: on_front(list(zip(costing, values, strict=True)))
        for what, costing in (
            ("bytes", [one.model.bytes for one in taken]),
            ("multiply-adds", [one.kept_multiply_adds for one in taken]),
        )
    }
    leading = dict(tests.family(0))
    standings = tuple(
        Standing(
            number=at,
            record=tests.records[at],
            name=names[order[at]],
            rank=ranks[at],
            taken=taken[at],
            fronts=tuple(what for what, found in fronts.items() if found[at]),
            leader=leading.get(at),
        )
        for at in range(len(order))
    )
    return Ranking(f"ranking-{number}", standings, tests)
