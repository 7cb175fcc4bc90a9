"""What a site is of: the records of folders that count, their rankings, models and protocols."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from facebench.base.errors import UserError
from facebench.base.options import listed
from facebench.models.cards.card import ModelCard, find_card
from facebench.protocols.cards import ProtocolCard, load_protocol
from facebench.records.files import record_path
from facebench.records.find import records_in
from facebench.records.newest import newest
from facebench.records.record import Record
from facebench.records.scores import file_name
from facebench.reports.site.rankings import Ranking, Standing, rankings_of
from facebench.reports.site.taken import costs_in

RECORDS = "records"


@dataclass(frozen=True, eq=False)
class KeptRecord:
    """A record, its digest and the file that it was read from; copy: its place in the site;
    ranking, standing: where it stands.
    """

    record: Record
    digest: str
    source: Path
    copy: str
    ranking: Ranking
    standing: Standing

    @property
    def anchor(self) -> str:
        """The name of its part of the model's page."""
        return f"r-{self.digest[:8]}"


@dataclass(frozen=True, eq=False)
class ModelFolio:
    """A model with its records, the one of the largest ranking first. card: None: there is none of
    the weights that were evaluated, or ``foreign`` says that it is of others.
    """

    name: str
    page: str
    kept: tuple[KeptRecord, ...]
    card: ModelCard | None
    foreign: bool

    @property
    def parent(self) -> str | None:
        """The card whose weights it started from."""
        return self.card.parent if self.card else None


@dataclass(frozen=True, eq=False)
class ProtocolFolio:
    """A protocol with its rankings; card: None: there is none of this name and version here."""

    name: str
    page: str
    rankings: tuple[Ranking, ...]
    card: ProtocolCard | None


@dataclass(frozen=True, eq=False)
class Site:
    """All that the pages show. older: how many records were passed over for newer ones."""

    rankings: tuple[Ranking, ...]
    models: tuple[ModelFolio, ...]
    protocols: tuple[ProtocolFolio, ...]
    older: int = 0

    @cached_property
    def kept(self) -> tuple[KeptRecord, ...]:
        """All records."""
        return tuple(kept for model in self.models for kept in model.kept)

    @cached_property
    def _by_name(self) -> dict[str, ModelFolio]:
        return {one.name: one for one in self.models}

    def model(self, name: str | None) -> ModelFolio | None:
        """The model of a name; None: it has no record here."""
        return self._by_name.get(name or "")

    def children(self, name: str) -> list[ModelFolio]:
        """Models that were made of one."""
        return [one for one in self.models if one.parent == name]

    def ancestors(self, model: ModelFolio) -> list[str]:
        """The names of what a model was made of, the oldest first; those without records, too."""
        found: list[str] = []
        card = model.card
        while card is not None and card.parent is not None and card.parent not in found:
            found.insert(0, card.parent)
            card = _card(card.parent)
        return found


def read_site(places: Sequence[Path]) -> Site:
    """The site of the records in files and folders.

    UserError in one line: a place that is not there, or holds no record, or one that is wrong.
    """
    sources: dict[str, Path] = {}
    found: list[Record] = []
    for place in map(Path, listed("records", places, "['records']")):
        if not place.exists():
            raise UserError(f"{place}: no such file or folder of records")
        for path, record in records_in(str(place)):
            sources.setdefault(record.digest(), path)
            found.append(record)
    counting = newest(found)
    records = counting.records
    rankings = rankings_of(
        records, costs_in([place for place in places if place.is_dir()], records)
    )
    kept = list(_kept(rankings, sources))
    return Site(
        tuple(rankings), tuple(_models(kept)), tuple(_protocols(rankings)), len(counting.older)
    )


def _kept(rankings: Iterable[Ranking], sources: dict[str, Path]) -> Iterable[KeptRecord]:
    taken: set[str] = set()
    for ranking in rankings:
        for standing in ranking.standings:
            record, digest = standing.record, standing.record.digest()
            place = record_path(record, Path(RECORDS))
            if place.as_posix().casefold() in taken:  # of systems that do not tell a from A
                place = place.with_name(f"{place.stem}-{digest[:8]}.json")
            taken.add(place.as_posix().casefold())
            yield KeptRecord(record, digest, sources[digest], place.as_posix(), ranking, standing)


def _models(kept: Sequence[KeptRecord]) -> Iterable[ModelFolio]:
    by_name: dict[str, list[KeptRecord]] = {}
    for one in kept:
        by_name.setdefault(one.record.model.id, []).append(one)
    pages = _pages("models", sorted(by_name))
    for name in sorted(by_name, key=str.casefold):
        card, weights = _card(name), by_name[name][0].record.model.weights_hash
        foreign = card is not None and card.sha256 not in (None, weights)
        yield ModelFolio(name, pages[name], tuple(by_name[name]), card, foreign)


def _protocols(rankings: Sequence[Ranking]) -> Iterable[ProtocolFolio]:
    by_name: dict[str, list[Ranking]] = {}
    for one in rankings:
        by_name.setdefault(one.first.protocol.name, []).append(one)
    pages = _pages("protocols", sorted(by_name))
    for name, own in by_name.items():
        try:
            card = load_protocol(name)
        except UserError:
            card = None
        if card is not None and card.version != own[0].first.protocol.version:
            card = None
        yield ProtocolFolio(name, pages[name], tuple(own), card)


def _card(name: str) -> ModelCard | None:
    try:
        return find_card(name)
    except UserError:
        return None


def _pages(folder: str, names: Sequence[str]) -> dict[str, str]:
    """A page for every name, different also where small and large letters are the same."""
    pages: dict[str, str] = {}
    for name in names:
        plain = file_name(name)
        if f"{folder}/{plain}.html".casefold() in {page.casefold() for page in pages.values()}:
            plain = file_name(f"{name}/")  # with its hash
        pages[name] = f"{folder}/{plain}.html"
    return pages
