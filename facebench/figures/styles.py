"""Who looks how: a model's colour and a similarity's dash, the same in all drawings of a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from facebench.comparison.pareto import pareto_front
from facebench.records.comparability import names_of
from facebench.records.record import Record, similarity_kind

# Of Okabe and Ito the three that are dark enough for lines on white (a contrast of 3 or more), and
# three darker ones: told apart with any colour vision, and by how light they are.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#882255", "#332288", "#5B3A1E")
DARK_COLOURS = ("#4196E0", "#FF7F45", "#3DDCAB", "#D880B5", "#B3E0FF", "#FFF0A8")
OTHERS, DARK_OTHERS = "#868C93", "#77808B"  # what does not stand out, with a contrast of 3
# What the style sheet of a page is filled with; the last of each is of the others.
SCHEMES = {"colours": (*COLOURS, OTHERS), "dark_colours": (*DARK_COLOURS, DARK_OTHERS)}
DASHES: tuple[tuple[float, ...], ...] = ((), (6, 3), (2, 2), (8, 3, 2, 3))
MOST = 6  # curves that stand out


@dataclass(frozen=True)
class LineStyle:
    """colour: a number in COLOURS, None: it does not stand out; dash: a number in DASHES."""

    colour: int | None
    dash: int

    @property
    def pattern(self) -> tuple[float, ...]:
        """Lengths of dashes and gaps; empty: a whole line."""
        return DASHES[self.dash]

    @property
    def paint(self) -> str:
        """The colour on white."""
        return OTHERS if self.colour is None else COLOURS[self.colour]


OTHER_STYLE = LineStyle(None, 0)


@dataclass(frozen=True)
class Styled:
    """A record in a drawing: what it is called there, and how it looks."""

    record: Record
    name: str
    look: LineStyle


@dataclass(frozen=True)
class Styles:
    """Of one page. Records that it meets later keep the colours of models that it met before."""

    _colours: dict[str, int] = field(default_factory=dict)
    _dashes: dict[str, int] = field(default_factory=dict)

    def meet(self, records: Sequence[Record]) -> None:
        """Give the models of one table their colours, at most six of them."""
        models = list(dict.fromkeys(record.model.id for record in records))
        wanted = models if len(models) <= MOST else chosen(records)
        taken = {self._colours[model] for model in models if model in self._colours}
        for model in wanted:
            used = list(self._colours.values())
            free = sorted((number for number in range(MOST) if number not in taken), key=used.count)
            if model not in self._colours and free:
                self._colours[model] = free[0]
                taken.add(free[0])
        for record in records:
            self._dashes.setdefault(kind_of(record), len(self._dashes) % len(DASHES))

    def named(self, records: Sequence[Record]) -> list[Styled]:
        """Records of one drawing, of which at most six curves stand out, in the same order.

        The first similarity's stand out before others'. A model is called by its name alone where
        that and its dash tell it from all others.
        """
        self.meet(records)
        order = sorted(range(len(records)), key=lambda n: (self._dashes[kind_of(records[n])], n))
        seen: set[tuple[int, str]] = set()
        standing: list[int] = []
        for number in order:
            colour = self._colours.get(records[number].model.id)
            own = (-1 if colour is None else colour, kind_of(records[number]))
            if colour is not None and own not in seen and len(standing) < MOST:
                seen.add(own)
                standing.append(number)
        keys = [(record.model.id, kind_of(record)) for record in records]
        whole = names_of(records)
        return [
            Styled(
                record,
                record.model.id if keys.count(keys[n]) == 1 else whole[n],
                LineStyle(
                    self._colours[record.model.id] if n in standing else None,
                    self._dashes[kind_of(record)],
                ),
            )
            for n, record in enumerate(records)
        ]

    def look(self, record: Record) -> LineStyle:
        """How a point of a record that was met looks."""
        return LineStyle(self._colours.get(record.model.id), self._dashes.get(kind_of(record), 0))


def kind_of(record: Record) -> str:
    """What the dash stands for: the similarity, and how an embedding is kept if not as it is."""
    kept = record.model.template
    return similarity_kind(record.similarity) + (f", {kept}" if kept else "")


def chosen(records: Sequence[Record]) -> list[str]:
    """Six models to stand out: the first, those that none as small beats, then who comes first."""
    best: dict[str, Record] = {}
    for record in records:
        best.setdefault(record.model.id, record)
    models, first = list(best), next(iter(best))
    sizes = [record.model.bytes or record.model.kept_parameters or 0 for record in best.values()]
    values = [record.statistics.headline.value for record in best.values()]
    front = pareto_front(sizes, values)
    leading = [n for n, on in enumerate(front) if on and all(sizes)]
    leading.sort(key=lambda n: -values[n])
    if len(leading) >= MOST:  # the ends, and some between them
        last = len(leading) - 1
        leading = [leading[round(n * last / (MOST - 2))] for n in range(MOST - 1)]
    order = [first, *(models[n] for n in leading), *models]
    return list(dict.fromkeys(order))[:MOST]
