"""The paired tests of every two models of each ranking, as compact JSON that a page holds inline.

Numbers are whole: differences in hundredths of a point, p in thousandths, rounded as ``facebench
compare`` prints them, so that a page shows the same digits.
"""

from __future__ import annotations

import json
from itertools import combinations
from typing import Any

from markupsafe import Markup

from facebench.base.text import count_text, percent, printable, size_text
from facebench.comparison.paired import Paired
from facebench.records.statistics import statistics_in
from facebench.reports.site.folios import KeptRecord, Site
from facebench.reports.site.rankings import Ranking, Standing
from facebench.tables.text import statistic_heading

BELOW, NONE = -1, None  # of p: below 0.001, and not tested
_LETTERS = {"better": "b", "worse": "w", "no difference shown": "n", "undecided": "u"}


def inline_pairs(site: Site) -> Markup:
    """The JSON of all rankings with two models or more, safe within a ``script`` element."""
    kept = {one.standing: one for one in site.kept}
    values = [
        _ranking(ranking, site, kept) for ranking in site.rankings if len(ranking.standings) > 1
    ]
    text = json.dumps(values, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace("&", "\\u0026"))


def _ranking(ranking: Ranking, site: Site, kept: dict[Standing, KeptRecord]) -> dict[str, Any]:
    numbers = range(len(ranking.standings))
    pairs = [ranking.tests.pair(*two) for two in combinations(numbers, 2)]
    names = [
        name
        for name in statistics_in(ranking.first)
        if all(any(one.statistic == name for one in pair) for pair in pairs)
    ]
    tests = [{one.statistic: one for one in pair} for pair in pairs]
    reasons = list(dict.fromkeys(pair[0].why for pair in pairs if not pair[0].tested))
    changed = ranking.tests.changed
    return {
        "name": ranking.name,
        "title": printable(ranking.title),
        "total": ranking.first.comparisons.total,
        "statistics": names,
        "headings": list(map(statistic_heading, names)),
        "models": [_model(one, names, site, kept[one]) for one in ranking.standings],
        "tests": {name: [x for one in tests for x in _numbers(one[name])] for name in names},
        "verdicts": "".join(_LETTERS.get(pair[0].verdict, "?") for pair in pairs),
        "why": [reasons.index(p[0].why) if not p[0].tested else -1 for p in pairs]
        if reasons
        else [],
        "reasons": [printable(reason) for reason in reasons],
        "changed": [x for two in combinations(numbers, 2) for x in changed.get(two, (-1, -1))],
    }


def _numbers(paired: Paired) -> tuple[int | None, ...]:
    """Difference, low, high, p; nothing but the difference where it is not tested."""
    interval, p = paired.interval, paired.deciding_p
    if interval is None or p is None:
        return hundredths(paired.difference), NONE, NONE, NONE
    shown = BELOW if p < 0.001 else round(1000 * float(f"{p:.3f}"))
    three = map(hundredths, (paired.difference, interval.low, interval.high))
    return *three, shown


def hundredths(difference: float) -> int:
    """A difference of shares in hundredths of a point, as `facebench.base.text.points` rounds."""
    return round(100 * round(100 * difference, 2))


def _model(one: Standing, names: list[str], site: Site, kept: KeptRecord) -> dict[str, Any]:
    found = {name: one.measured(name) for name in names}
    model, latency = one.taken.model, one.taken.latency
    folio = site.model(one.record.model.id)
    products = one.taken.kept_multiply_adds
    return {
        "name": printable(one.name),
        "page": f"{folio.page}#{kept.anchor}" if folio else "",
        "record": kept.copy,
        "values": [percent(m.value) if m else "–" for m in found.values()],
        "told": "".join("1" if m and m.resolvable else "0" for m in found.values()),
        "taken": {
            "size": [model.bytes, size_text(model.bytes)],
            "weights kept": [model.kept_parameters, count_text(model.kept_parameters)],
            "multiply-adds": [products, count_text(products)],
            "ms for one face": [latency, "–" if latency is None else f"{latency:.2f}"],
        },
    }
