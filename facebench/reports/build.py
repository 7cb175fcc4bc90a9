"""A report card filled from the records in reach: once per data set, real faces first.

Real and synthetic faces never share a column, nor do two lists of comparisons or two alignments: a
table takes one data set per protocol, and what was measured on another is missing in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING

from facebench.base.errors import UserError, nearest
from facebench.base.options import listed, require
from facebench.base.storage import files_as_they_are
from facebench.comparison.paired import corrected, paired_with_first
from facebench.faces.types import DataKind
from facebench.models.cards.card import card_names
from facebench.records.find import DataKey, Entry, Finder, Wanted, load_entry
from facebench.records.frames import Shown, frame_of
from facebench.records.record import Record
from facebench.records.statistics import MEMBERS, find_statistic
from facebench.reports.card import NamedSource, ReportCard, ReportRow, cards_named
from facebench.reports.cells import FilledCard, FilledCell, FilledRow, Footnotes, Missing
from facebench.reports.facts import find_model, model_id
from facebench.reports.fill import can_evaluate, filled_cell, why_no_record
from facebench.tables.text import labelled

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class _Data:
    """What one table is made of: the data of each protocol; number: among those of its kind."""

    kind: DataKind | None
    keys: Mapping[str, DataKey]
    number: int = 0


_KINDS: tuple[DataKind, ...] = ("real", "synthetic")


@dataclass(frozen=True)
class FilledReport(Shown):
    """Cards filled from the records in reach, each once per data set.

    missing: how many cells could be measured and are not; skipped: files that are no records.
    """

    filled: tuple[FilledCard, ...]
    skipped: tuple[str, ...] = ()

    @property
    def missing(self) -> int:
        return sum(len(one.missing) for one in self.filled)

    def to_frame(self) -> DataFrame:
        """One row for every cell of every table: measured, the paper's, and the difference."""
        return frame_of(line for one in self.filled for line in one.lines())


def report(
    card: str,
    *,
    models: str | Sequence[str] = (),
    similarity: str | None = None,
    found_in: Sequence[Path] = (),
) -> FilledReport:
    """The papers' tables with measured values beside the papers', or any comparison of models.

    Parameters
    ----------
    card : str
        A card's name, such as ``table3`` or ``compare``, its file, or a group of cards, ``paper``.
    models : str, or sequence of str, optional
        The rows of ``compare``, the first of which is the reference; by default all models that
        have records.
    similarity : str, optional
        Of all rows, in place of the card's.
    found_in : sequence of paths, optional
        Folders of records, looked at before the committed ones and the cache's.

    Returns
    -------
    FilledReport
        ``to_frame()`` has a row for every cell; a cell that is not measured says why.

    Raises
    ------
    UserError
        No such card, or one that is wrong; ``models`` of a card that has rows of its own; a file
        that is no record.

    Examples
    --------
    >>> import facebench
    >>> found = facebench.report("compare", models=["baseline", "sparse_074"]).to_frame()
    >>> accuracies = found[(found["protocol"] == "lfw") & (found["statistic"] == "accuracy")]
    >>> sorted(set(accuracies["model"]))
    ['baseline', 'sparse_074']
    """
    if not isinstance(card, (str, PathLike)):
        raise UserError(f"card is {card!r}; it must be the name of one, such as 'table3'")
    require("similarity", similarity, (str, NoneType), "'cosine'")
    models = listed("models", models, "['baseline', 'sparse_074']")
    cards, finder = cards_named(str(card)), Finder.of(found_in)
    cards = [with_rows(one, finder, models, similarity) for one in cards]
    with files_as_they_are():
        filled = [one for each in cards for one in fill_card(each, finder)]
    return FilledReport(tuple(filled), tuple(finder.skipped))


@files_as_they_are()
def fill_card(card: ReportCard, finder: Finder) -> list[FilledCard]:
    """A card on every data set, that of real faces first and always, with what is missing in it."""
    return [_Builder(card, finder, data).filled() for data in _data_sets(card, finder)]


def with_rows(
    card: ReportCard, finder: Finder, models: Sequence[str] = (), similarity: str | None = None
) -> ReportCard:
    """A free comparison with its rows: the models named, or all that have records; the first is the
    reference. similarity: of all rows, in place of the card's.
    """
    rows = card.rows
    if not rows:
        names = models or sorted(
            {entry.model for entry in finder.entries if entry.protocol in card.protocols}
        )
        for name in models:
            _require_known(name, finder)
        rows = tuple(ReportRow(label=name, model=name) for name in dict.fromkeys(names))
    elif models:
        raise UserError(f"report {card.name!r} has rows of its own; --model is for `compare`")
    if similarity is not None:
        rows = tuple(row.model_copy(update={"similarity": similarity}) for row in rows)
    for row in card.rows:
        if row.model and not row.paper and not row.how:
            _require_known(row.model, finder, f"report {card.name!r}, row {row.label!r}: ")
    reference = card.reference or (rows[0].label if rows else None)
    return card.model_copy(update={"rows": rows, "reference": reference})


def _require_known(name: str, finder: Finder, where: str = "") -> None:
    """UserError where a name is neither of a model nor of a record: nothing could ever fill it."""
    recorded = {entry.model for entry in finder.entries}
    if find_model(name) is None and name not in recorded:
        hint = nearest(name, sorted(recorded.union(card_names()))) or ";"
        raise UserError(
            f"{where}there is no model or record {name!r}{hint} `facebench models --recorded` "
            "lists the models, and --records names a folder of records"
        )


def wanted_of(row: ReportRow, source: NamedSource) -> Wanted:
    """What a row's cell asks for; the row must have a model."""
    assert row.model is not None
    protocol, similarity = source
    kind = similarity or row.similarity
    return Wanted(model_id(row.model), protocol, kind, row.pooling, row.template)


def _data_sets(card: ReportCard, finder: Finder) -> list[_Data]:
    """For every table, the data of each protocol: the kinds apart, the best covered data first."""
    if not card.protocols:
        return [_Data(None, {})]
    covered: dict[str, Counter[DataKey]] = {protocol: Counter() for protocol in card.protocols}
    named = [row for row in card.rows if row.model]
    members = [member for row in named for member in member_rows(card, row)]
    for row in (*named, *members):
        for source in card.sources:
            found = finder.candidates(wanted_of(row, source))
            covered[source[0]].update({entry.data for entry in found})
    sets: list[_Data] = []
    for kind in _KINDS:
        if card.data not in ("any", kind):
            continue
        ordered = {p: _best_covered(keys, kind) for p, keys in covered.items()}
        least = 1 if kind == "real" or card.data == kind else 0
        for number in range(max(least, *(len(keys) for keys in ordered.values()))):
            chosen = {p: keys[number] for p, keys in ordered.items() if number < len(keys)}
            sets.append(_Data(kind, chosen, number))
    return sets


def member_rows(card: ReportCard, row: ReportRow) -> list[ReportRow]:
    """A row for each member of a row's ensemble, where the card asks for its members."""
    model = find_model(row.model or "")
    if model is None or not card.columns_of("members"):
        return []
    names = dict.fromkeys(member.model for member in model.members)
    return [
        row.model_copy(update={"model": name, "label": f"{row.label}: {name}"}) for name in names
    ]


def _best_covered(keys: Counter[DataKey], kind: DataKind) -> list[DataKey]:
    """The data of one kind: shipped protocols first, then by how many rows have a record on it."""
    found = [key for key in keys if key.kind == kind]
    return sorted(found, key=lambda key: (key.foreign, -keys[key], key))


def _corrected(rows: Sequence[FilledRow]) -> tuple[FilledRow, ...]:
    """The rows with the tests of each column judged as one family."""
    judged = [_family(cells) for cells in zip(*(row.cells for row in rows), strict=True)]
    cells_of = zip(*judged, strict=True)
    return tuple(replace(row, cells=cells) for row, cells in zip(rows, cells_of, strict=True))


def _family(cells: Sequence[FilledCell]) -> list[FilledCell]:
    judged = iter(corrected([cell.paired for cell in cells if cell.paired]))
    return [replace(cell, paired=next(judged)) if cell.paired else cell for cell in cells]


class _Builder:
    """Fills a card on one data set."""

    def __init__(self, card: ReportCard, finder: Finder, data: _Data) -> None:
        self.card, self.finder, self.data = card, finder, data
        self.missing: list[Missing] = []
        self.remarks: list[str] = []
        self.footnotes = Footnotes(card.setting)

    def filled(self) -> FilledCard:
        # The papers' values are of photographs: beside synthetic faces they would be compared.
        synthetic = self.data.kind == "synthetic"
        given = [row for row in self.card.rows if row.model or not synthetic]
        chosen = {row.label: self._records(row) for row in given}
        rows = tuple(
            self._row(row, of_row, chosen.get(self.card.reference_of(row) or "", {}))
            for row, of_row in zip(given, chosen.values(), strict=True)
        )
        rows = _corrected(rows)
        first = next((r for records in chosen.values() for r in records.values()), None)
        return FilledCard(
            card=self.card,
            kind=self.data.kind,
            title=self._title(),
            notice=first.data.notice if first else None,
            rows=rows,
            footnotes=tuple(self.footnotes.lines()),
            remarks=tuple(dict.fromkeys(self.remarks)),
            missing=tuple(self.missing),
        )

    def _title(self) -> str:
        told = dict.fromkeys(
            w for k in self.data.keys.values() for w in (k.faces, k.alignment, k.rule)
        )
        which = f" · {', '.join(told)}" if self.data.number else ""
        return labelled(f"{self.card.title}{which}", self.data.kind)

    def _records(self, row: ReportRow) -> dict[NamedSource, Record]:
        """The chosen record of each source."""
        found = {}
        for source in self.card.sources if row.model else ():
            entries = [
                entry
                for entry in self.finder.candidates(wanted_of(row, source))
                if entry.data == self.data.keys.get(source[0])
            ]
            if entries:
                best = self._of_current_weights(row, entries)
                found[source] = load_entry(best)
                if len(entries) > 1:
                    self.remarks.append(
                        f"{len(entries)} records answer {best.model} on {best.protocol}; shown is "
                        f"{best.path.name} (facebench {'.'.join(map(str, best.version))}, made "
                        f"{best.created[:19]})"
                    )
        return found

    def _of_current_weights(self, row: ReportRow, entries: Sequence[Entry]) -> Entry:
        """The best entry, of the weights that the model has now where there is one."""
        card = find_model(row.model or "")
        now = card.sha256 if card else None
        current = [entry for entry in entries if now is None or entry.weights == now]
        if current:
            return current[0]
        best = entries[0]
        self.remarks.append(
            f"the record of {best.model} on {best.protocol} is of other weights "
            f"({best.weights[:12]}) than the model has now ({(now or '')[:12]}); make it again"
        )
        return best

    def _row(
        self,
        row: ReportRow,
        records: Mapping[NamedSource, Record],
        reference: Mapping[NamedSource, Record],
    ) -> FilledRow:
        cells = []
        for column in self.card.columns:
            other_faces = self.data.kind == "synthetic" and column.protocol is not None
            empty = FilledCell(column, paper=None if other_faces else row.paper.get(column.key))
            if column.key in row.without:
                cells.append(empty)
                continue
            if column.family == "members":
                cells.append(self._members(empty, row))
                continue
            width, baseline = self.card.setting.width, self.card.reference_model
            cell = filled_cell(empty, row, records, width, baseline)
            if cell.missing:
                ready = (
                    column.protocol is not None
                    and cell.record is None
                    and can_evaluate(row, column)
                )
                self.missing.append(Missing(row, column, cell.missing, ready))
            cells.append(self._marked(cell, reference))
        measured = row.model is not None and any(cell.value is not None for cell in cells)
        letters = self.footnotes.of_row(row) if measured and not row.layer else ""
        cells = [replace(cell, letters=self.footnotes.of_cell(cell)) for cell in cells]
        # One record may be behind several cells.
        behind = list(dict.fromkeys(cell.record for cell in cells if cell.record is not None))
        return FilledRow(row, tuple(cells), tuple(behind), letters)

    def _members(self, cell: FilledCell, row: ReportRow) -> FilledCell:
        """The mean over an ensemble's members; a dash for any other model."""
        members = member_rows(self.card, row)
        if not members:
            return cell
        statistic = cell.column.statistic.removeprefix(MEMBERS)
        values, lacking = [], []
        for one in members:
            source = cell.column.source
            record = self._records(one).get(source) if source else None
            found = find_statistic(record, statistic) if record else None
            if found is None:
                lacking.append(one)
            else:
                values.append(found.value)
        if not lacking:
            return replace(cell, value=sum(values) / len(values))
        ready = [one for one in lacking if can_evaluate(one, cell.column)]
        self.missing += [Missing(one, cell.column, why_no_record(one), True) for one in ready]
        told = f"{len(lacking)} of {len(members)} members have no record"
        if len(ready) < len(lacking):
            first = next(one for one in lacking if one not in ready)
            why = f"{told}; the first that cannot be evaluated: {why_no_record(first)}"
            self.missing.append(Missing(row, cell.column, why))
        return replace(cell, missing=told)

    def _marked(self, cell: FilledCell, reference: Mapping[NamedSource, Record]) -> FilledCell:
        """Against the reference row, where a test is of this statistic and can be made."""
        base = reference.get(cell.column.source) if cell.column.source else None
        if base is None or cell.record is None or not cell.measured or not cell.measured.headline:
            return cell
        if base is cell.record:
            return replace(cell, reference=True)
        try:
            (found,) = paired_with_first(base, [cell.record])
        except UserError:  # of other settings or faces: no pairs to compare
            return cell
        return replace(cell, paired=found) if found.tested else cell
