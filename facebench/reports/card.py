"""Report cards: which models and which statistics make a table, and what the paper says there.

One TOML file each, in ``reports/``; the working directory's come first.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from facebench.base.errors import UserError, nearest, readable
from facebench.base.storage import toml_files
from facebench.base.validation import (
    Strict,
    Text,
    not_a_card,
    read_toml,
    require_own_name,
    validated,
)
from facebench.models.architectures.shapes import LAYERS
from facebench.protocols.cards import protocol_paths, split_name
from facebench.records.statistics import Family, Unit, family, unit_of
from facebench.similarity.templates import PLAIN, template_of

ReportName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=64)]
DataPolicy = Literal["any", "real", "synthetic"]
SIMILARITIES = ("cosine", "joint-bayesian", "projection")
SimilarityName = Literal["cosine", "joint-bayesian", "projection"]
# What a cell's record is asked for by: its protocol, and a similarity other than the row's.
NamedSource = tuple[str, str | None]


class PaperSource(Strict):
    """The paper, and its table or section."""

    paper: Text
    table: Text = ""

    @property
    def text(self) -> str:
        """Both in one line."""
        return ", ".join(filter(None, (self.paper, self.table)))


class PaperSetting(Strict):
    """How the paper's numbers were made; what differs here becomes a footnote."""

    width: Annotated[float, Field(gt=0)] | None = None
    training: Text = ""
    similarity: Text = ""


class PaperValue(Strict):
    """The paper's number (a share, or a count), or its words; spread: what it gives after ±.

    source: where it differs from the card's, e.g. another section.
    """

    value: float | str
    spread: Annotated[float, Field(ge=0)] | None = None
    source: Text = ""

    @property
    def number(self) -> float | None:
        """The value, where it is a number."""
        return None if isinstance(self.value, str) else float(self.value)


def _as_value(given: object) -> object:
    plain = isinstance(given, (int, float, str)) and not isinstance(given, bool)
    return {"value": given} if plain else given


class ReportColumn(Strict):
    """One statistic, of a protocol where it is one of records.

    heading: above the column; statistic: a name of `facebench.records.statistics.KNOWN`;
    similarity: in place of the rows'; percent: a diagnostic's values are shares, shown in percent;
    aside: it stands apart from the first columns, folded.
    """

    key: ReportName
    heading: Text
    statistic: str
    protocol: str | None = None
    similarity: SimilarityName | None = None
    percent: bool = False
    aside: bool = False

    @field_validator("statistic")
    @classmethod
    def _known(cls, statistic: str) -> str:
        family(statistic)
        return statistic

    @model_validator(mode="after")
    def _of_protocol(self) -> Self:
        if (self.family in ("protocol", "members", "groups")) != (self.protocol is not None):
            state = "needs a protocol" if self.protocol is None else "belongs to no protocol"
            raise ValueError(f"statistic {self.statistic!r} {state}")
        if self.similarity is not None and self.protocol is None:
            raise ValueError("similarity is of a column with a protocol")
        return self

    @property
    def source(self) -> NamedSource | None:
        """Protocol and own similarity; None: its values are of no record."""
        return None if self.protocol is None else (self.protocol, self.similarity)

    @property
    def family(self) -> Family:
        """Where its values come from."""
        return family(self.statistic)

    @property
    def unit(self) -> Unit:
        """What its values are measured in."""
        return "percent" if self.percent else unit_of(self.statistic)


class ReportRow(Strict):
    """One model with its settings, or, without a model, a method that only the paper measured.

    similarity, pooling: None: cosine, and the protocol card's; template: how embeddings are kept,
    e.g. ``int8``; layer: of a table of layers; paper: the paper's value by column; how: what to do
    where the model is not in the zoo yet; reference: the label of the row that it is tested
    against, in place of the table's; paper_reference: that of the row that the paper holds it
    against, where it has not the former; without: columns that say nothing of the row; way: what it
    does otherwise than its reference, e.g. ``OBD``, by which sentences take rows together.
    """

    label: Text
    model: str | None = None
    similarity: SimilarityName = "cosine"
    pooling: str | None = None
    template: str = PLAIN
    layer: str | None = None
    paper: dict[str, Annotated[PaperValue, BeforeValidator(_as_value)]] = Field(
        default_factory=dict
    )
    how: Text = ""
    reference: Text | None = None
    paper_reference: Text | None = None
    without: tuple[str, ...] = ()
    way: Text = ""

    @field_validator("template")
    @classmethod
    def _template(cls, template: str) -> str:
        try:
            return template_of(template).name
        except UserError as error:
            raise ValueError(str(error)) from None

    @field_validator("layer")
    @classmethod
    def _known(cls, layer: str | None) -> str | None:
        if layer is not None and layer not in LAYERS:
            hint = nearest(layer, LAYERS)
            raise ValueError(f"no layer {layer!r}{hint} ({', '.join(LAYERS)})")
        return layer


class ReportCard(Strict):
    """A table; reference: the label of the row that the others are tested against.

    data: which faces it may be made of; one table per data set, real ones first. rows: none means a
    free comparison of whatever models are named or have records. group: what it is made with, e.g.
    ``paper``. plot: draw accuracy against size.
    """

    name: ReportName
    title: Text
    source: PaperSource | None = None
    group: ReportName | None = None
    setting: PaperSetting = PaperSetting()
    reference: Text | None = None
    data: DataPolicy = "any"
    plot: bool = False
    notes: tuple[Text, ...] = ()
    columns: Annotated[tuple[ReportColumn, ...], Field(min_length=1)]
    rows: tuple[ReportRow, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        keys = [column.key for column in self.columns]
        labels = [row.label for row in self.rows]
        for what, names in (("column key", keys), ("row label", labels)):
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise ValueError(f"{what} {twice!r} is used twice")
        others = (one for row in self.rows for one in (row.reference, row.paper_reference))
        for named in (self.reference, *others):
            if named is not None and self.rows and named not in labels:
                raise ValueError(f"reference: no row {named!r}{nearest(named, labels)}")
        for row in self.rows:
            wanted = (*row.paper, *row.without)
            unknown = next((key for key in wanted if key not in keys), None)
            if unknown is not None:
                hint = nearest(unknown, keys)
                raise ValueError(
                    f"row {row.label!r}: no column {unknown!r}{hint} ({', '.join(keys)})"
                )
        return self

    def reference_of(self, row: ReportRow) -> str | None:
        """The label of the row that a row is tested against; None: it is not tested."""
        return row.reference or self.reference

    @property
    def reference_model(self) -> str | None:
        """The model of the whole table's reference; None: it has none."""
        return next((row.model for row in self.rows if row.label == self.reference), None)

    @property
    def protocols(self) -> list[str]:
        """The protocols of its columns, in their order."""
        return list(dict.fromkeys(c.protocol for c in self.columns if c.protocol))

    @property
    def sources(self) -> list[NamedSource]:
        """What its columns' records are asked for by, in their order."""
        return list(dict.fromkeys(c.source for c in self.columns if c.source))

    def columns_of(self, of: Family) -> list[ReportColumn]:
        """The columns of one family."""
        return [column for column in self.columns if column.family == of]


def read_report(path: Path) -> ReportCard:
    """The card in a TOML file; UserError names the file, the field and what is allowed there."""
    card = validated(ReportCard, read_toml(path), str(path))
    require_own_name(card.name, path)
    known = protocol_paths()
    for protocol in card.protocols:
        try:
            base, _ = split_name(protocol)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
        if base not in known:
            hint = nearest(protocol, known)
            raise UserError(f"{path}: no protocol {protocol!r}{hint} ({', '.join(known)})")
    return card


def report_paths() -> Mapping[str, Path]:
    """Cards by name, those of the working directory first: {name: path}, sorted."""
    return MappingProxyType(toml_files("reports"))


def load_report(name: str) -> ReportCard:
    """The card of a name (working directory's ``reports/`` first) or of a path ending in .toml.

    UserError: no such card (with the nearest name), or a wrong card.
    """
    if name.endswith(".toml"):
        return read_report(Path(name))
    paths = report_paths()
    if name not in paths:
        names = [*paths, *groups()]
        hint = not_a_card(name) or nearest(name, names)
        raise UserError(f"no report {name!r}{hint} ({', '.join(names)})")
    return read_report(paths[name])


def list_reports() -> list[ReportCard]:
    """All cards that can be found, by name; wrong ones are named once and left out."""
    return readable(read_report, report_paths().values())


def cards_named(name: str) -> list[ReportCard]:
    """The card of a name or file, or all of a group; UserError: there is none, or it is wrong."""
    if name.endswith(".toml") or name in report_paths():
        return [load_report(name)]
    return groups().get(name) or [load_report(name)]


def groups() -> dict[str, list[ReportCard]]:
    """Cards by the group that they are made with, both in order of name."""
    found: dict[str, list[ReportCard]] = {}
    for card in list_reports():
        if card.group:
            found.setdefault(card.group, []).append(card)
    return found
