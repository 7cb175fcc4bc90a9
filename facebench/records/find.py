"""Records for the cells of a report: those of --records, then the committed ones, then the cache's.

Only the heads of files are looked at until a record is chosen, so that a large folder stays fast.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from os import PathLike
from pathlib import Path
from types import MappingProxyType, NoneType
from typing import Any

from facebench.base.errors import UserError, left_out, nearest
from facebench.base.opening import is_stray, read_json
from facebench.base.options import listed, require
from facebench.base.storage import kept, result_folders
from facebench.base.vocabulary import SITE_MARK
from facebench.faces.degrade.names import JOIN
from facebench.faces.types import DataKind
from facebench.protocols.cards import load_protocol
from facebench.records.costs import COSTS
from facebench.records.files import NoRecordError, default_folder, read_record
from facebench.records.record import READABLE, Record, similarity_kind, template_kind
from facebench.records.sections import RateSection
from facebench.similarity.templates import PLAIN, template_of

Named = str | PathLike[str] | Record  # a model that was evaluated, a file, or the record
DIAGNOSTICS = "diagnostics"
_SKIPPED = (DIAGNOSTICS, COSTS, "distillation", "schema", SITE_MARK)


@dataclass(frozen=True)
class Wanted:
    """What a cell asks for. model: a record's ``model.id``; pooling None: the protocol's;
    template: ``fp32`` and so on.
    """

    model: str
    protocol: str
    similarity: str = "cosine"
    pooling: str | None = None
    template: str = PLAIN


@dataclass(frozen=True, order=True)
class DataKey:
    """Records with the same key may share a column: they are of the same faces, cut out alike, and
    of the same comparisons and threshold rule, as in `facebench.records.comparability`.
    """

    kind: DataKind
    faces: str
    comparisons: str
    edition: str
    alignment: str
    rule: str

    @property
    def foreign(self) -> bool:
        """Whether the protocol's card is not the shipped one."""
        return "+" in self.edition


@dataclass(frozen=True)
class Headline:
    """The number that a record is known by, a share, with its 95% interval over people if known."""

    statistic: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Entry:
    """The head of a record's file. place: 0 of --records, 1 committed, 2 of the cache; created:
    when it was last made; groups: the columns of groups that it has.
    """

    path: Path
    place: int
    model: str
    protocol: str
    similarity: str
    pooling: str
    template: str
    weights: str
    data: DataKey
    version: tuple[int, ...]
    created: str
    headline: Headline
    groups: tuple[str, ...] = ()

    def answers(self, wanted: Wanted, pooling: str | None) -> bool:
        """Whether it is of this model, protocol and settings; pooling None: any."""
        return (
            (self.model, self.protocol) == (wanted.model, wanted.protocol)
            and _named(self.similarity, wanted.similarity, "(")
            and _named(self.pooling, pooling, ",(")
            and self.template == wanted.template
        )

    @property
    def rank(self) -> tuple[int, tuple[int, ...], str, str]:
        """Ascending: the best last, within its place the newest; the path breaks ties."""
        return -self.place, self.version, self.created, str(self.path)


@dataclass
class Finder:
    """All records in reach. skipped: files of the cache that are no records of this version; those
    of other folders are named as they are found (`left_out`).
    """

    entries: list[Entry] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls, folders: Sequence[Path] = (), *, committed: bool = True, cache: bool = True
    ) -> Finder:
        """Records of folders (or files) that were named, committed ones, and the default folder.

        UserError: a named file, or one in a named folder, that is a record and cannot be read.
        """
        finder = cls()
        for place in map(Path, listed("found_in", folders, "['records']")):
            if not place.exists():
                raise UserError(f"--records {place}: no such file or folder")
            finder._add(place, 0)
        for folder in result_folders() if committed else ():
            finder._add(folder, 1)
        if cache:
            finder._add(default_folder(), 2)
        return finder

    def candidates(self, wanted: Wanted) -> list[Entry]:
        """All that answer, best first."""
        pooling = wanted.pooling or default_pooling(wanted.protocol)
        named = [entry for entry in self.entries if entry.model == wanted.model]
        found = [entry for entry in named if entry.answers(wanted, pooling)]
        return sorted(found, key=lambda entry: entry.rank, reverse=True)

    def add(self, path: Path) -> None:
        """A record that has been made meanwhile."""
        self._add(path, 2)

    def _add(self, place: Path, rank: int) -> None:
        known = {entry.path for entry in self.entries}
        for path in record_files(place):
            whole = path.resolve()
            if whole in known:
                continue
            try:
                self.entries.append(_head(whole, path, rank))
            except UserError as error:
                foreign = isinstance(error, NoRecordError) and place != path
                if rank == 0 and not foreign:
                    raise
                if rank < 2:
                    left_out(error)
                else:
                    self.skipped.append(str(error))

    def best(
        self,
        protocol: str,
        similarity: str = "cosine",
        weights: Mapping[str, str] = MappingProxyType({}),
    ) -> dict[str, Entry]:
        """Of every model its best record of a protocol: photographs before rendered faces, the
        whole list of comparisons before another, the newest.

        weights: SHA-256 by model; records of others of the same name are of what it was once.
        """
        pooling = default_pooling(protocol)
        found = [
            entry
            for entry in self.entries
            if entry.answers(Wanted(entry.model, protocol, similarity), pooling)
            and entry.weights == weights.get(entry.model, entry.weights)
        ]
        counts = Counter(entry.data for entry in found)
        found.sort(key=lambda e: (e.data.kind == "real", counts[e.data], e.rank), reverse=True)
        best: dict[str, Entry] = {}
        for entry in found:
            best.setdefault(entry.model, entry)
        return best


def load_entry(entry: Entry) -> Record:
    """The record of an entry, read once; UserError: see `facebench.records.files.read_record`."""
    return _load(entry.path, entry.path.stat().st_mtime_ns)


@lru_cache(maxsize=512)
def _load(path: Path, changed: int) -> Record:
    return read_record(path)


@kept
def default_pooling(protocol: str) -> str | None:
    """What records of a protocol say of pooling unless another was chosen, e.g. ``mean-score, all
    frames``; None: any, as its card names none, or there is no such card.
    """
    try:
        card = load_protocol(protocol)
    except UserError:
        return None
    pooling: str | None = getattr(card, "pooling", None)
    frames: str | None = getattr(card, "frames", None)
    return pooling if pooling is None or frames is None else f"{pooling}, {frames} frames"


def version_of(text: str) -> tuple[int, ...]:
    """``0.10.1`` as numbers, so that it is newer than ``0.9``."""
    return tuple(int(number) for number in re.findall(r"\d+", text)[:4])


def _named(text: str, wanted: str | None, opens: str) -> bool:
    """Whether a setting is the wanted one, whatever follows in parentheses or after a comma."""
    return wanted is None or text == wanted or text.startswith(tuple(wanted + o for o in opens))


def record_files(place: Path) -> Iterator[Path]:
    """A file itself, or the files in a folder that should be records, sorted."""
    if place.is_file():
        yield place
        return
    for path in sorted(place.rglob("*.json")):
        parts = path.relative_to(place).parts
        if parts[0] not in _SKIPPED and not any(map(is_stray, parts)):
            yield path


def _head(path: Path, shown: Path, place: int) -> Entry:
    try:
        values: Any = read_json(path, "the record")
        if values["schema_version"] not in READABLE:
            raise ValueError
        return Entry(
            path=path,
            place=place,
            model=values["model"]["id"],
            protocol=values["protocol"]["name"],
            similarity=values["similarity"],
            pooling=values["pooling"],
            template=template_of(values["model"].get("template") or PLAIN).name,
            weights=values["model"]["weights_hash"],
            data=DataKey(
                values["data"]["kind"],
                values["data"]["fingerprint"],
                values["comparisons"]["fingerprint"],
                f"v{values['protocol']['version']}{values['protocol'].get('edition', '')}",
                values["alignment"],
                values["rule"],
            ),
            version=version_of(values["facebench"]),
            created=values["run"].get("again") or values["run"]["created"],
            headline=_headline(values["statistics"]),
            groups=tuple(str(one["column"]) for one in values.get("groups", ())),
        )
    except (UserError, ValueError, KeyError, TypeError, AttributeError):
        read_record(shown)  # says in one line what is wrong
        raise UserError(f"{shown}: not a record; leave it out, or make it again") from None


def _headline(statistics: dict[str, Any]) -> Headline:
    """Of the values of a record's statistics; KeyError, TypeError: they are none."""
    name, found = "accuracy", statistics.get("accuracy")
    if found is None:
        found = statistics["rates"][0]
        parts = {key: found[key] for key in ("name", "target")}
        name = RateSection.model_construct(**parts).label
    ends = found.get("over_subjects") or found.get("interval") or {}
    low, high = ends.get("low"), ends.get("high")
    return Headline(name, float(found["value"]), low, high)


_MODEL_FILES = (".toml", ".onnx", ".pt", ".pts", ".pt2")


def is_file(name: str) -> bool:
    """Whether a name is meant as a record or folder and not as a model; an empty one is neither."""
    if name.lower().endswith(_MODEL_FILES):
        return False
    return bool(name) and (name.endswith(".json") or Path(name).exists())


def known_as(name: str) -> str:
    """What records call a model that is named as `facebench eval` takes it, e.g. by its file."""
    path = Path(name)
    if path.suffix.lower() not in _MODEL_FILES:
        return name
    card = path.with_suffix(".toml")
    if not card.is_file():
        return path.stem
    from facebench.models.cards.card import read_card

    return read_card(card).name


def records_in(name: str) -> list[tuple[Path, Record]]:
    """A record's file, or all records of a folder, sorted; UserError: none, or a wrong one."""
    path = Path(name)
    if not path.is_dir():
        return [(path, read_record(path))]
    found = records_below(path)
    if not found:
        raise UserError(f"{path}: holds no record (*.json); make one with `facebench eval --out`")
    return found


def records_below(folder: Path) -> list[tuple[Path, Record]]:
    """All records of a folder, sorted; JSON of other tools is left out, a wrong record is not."""
    found = []
    for file in record_files(folder):
        try:
            found.append((file, read_record(file)))
        except NoRecordError as error:
            left_out(error)
    return found


def named_together(
    names: Sequence[Named],
    finder: Finder,
    protocol: str | None = None,
    similarity: str | None = None,
) -> list[Record]:
    """One record per name, those of models of the same faces and comparisons as the first's; what
    is a record already stays.

    finder: where the records of models are looked for; protocol, similarity: of these, None: the
    only one there is, and one that all have, else that of the best record (photographs
    before rendered faces, cosine before what was learned, the newest). UserError: a name
    without a record, several protocols to choose from, no data that all were evaluated on.
    """
    given = [_given(name) for name in names]
    models = [str(name) for name, record in zip(names, given, strict=True) if record is None]
    of_file = next((record for record in given if record is not None), None)
    if not models:
        return [record for record in given if record is not None]
    if of_file is not None:
        protocol, similarity = of_file.protocol.name, of_file.similarity
    from facebench.models.cards.names import names_apart

    known = {entry.model for entry in finder.entries}
    called = [known_as(name) for name in models]
    pairs = zip(models, called, names_apart(models, called), strict=True)
    found = {
        name: _entries(finder, apart if apart in known else own, protocol, similarity)
        for name, own, apart in pairs
    }
    chosen = _of_one_data(found, of_file)
    return [
        load_entry(chosen[str(name)]) if record is None else record
        for name, record in zip(names, given, strict=True)
    ]


def several(given: Named | Sequence[Named]) -> list[Named]:
    """One or several as a list; UserError where one is no record, nor the name of any."""
    one = isinstance(given, Record)
    names: list[Any] = [given] if one else listed("records", given, "'sparse_074'")
    for name in names:
        if not isinstance(name, (str, PathLike, Record)):
            raise UserError(
                f"{name!r} is no record; give a Record, its file, or the name of a model that was "
                "evaluated, such as 'sparse_074'"
            )
    return names


def _given(name: Named) -> Record | None:
    """The record that is given itself, or by its file; None: it is to be found by the model."""
    if isinstance(name, Record):
        return name
    return read_record(Path(name)) if isinstance(name, PathLike) or is_file(name) else None


def require_words(protocol: str | None, similarity: str | None) -> None:
    """UserError: a protocol or similarity of models named by name that is no text."""
    require("protocol", protocol, (str, NoneType), "'lfw'")
    require("similarity", similarity, (str, NoneType), "'cosine'")


def named_in(
    folders: Sequence[Path],
    names: Sequence[Named],
    protocol: str | None = None,
    similarity: str | None = None,
    groups: Sequence[str] | None = None,
) -> list[Record]:
    """`named_together`, with records of models looked for in these folders first (`Finder.of`);
    nothing is looked for where all names are files.

    groups: only records with groups by these columns; where a model has none of those by any, and
    where it has none at all, all.
    """
    models = [name for name in names if isinstance(name, str) and not is_file(name)]
    finder = Finder.of(folders) if models else Finder()
    for columns in () if groups is None else (set(groups), set[str]()):
        own = [one for one in finder.entries if one.groups and columns <= set(one.groups)]
        of_protocol = {one.model for one in own if protocol in (None, one.protocol)}
        if {known_as(name) for name in models} <= of_protocol:
            finder.entries = own
            break
    return named_together(names, finder, protocol, similarity)


def _entries(
    finder: Finder, model: str, protocol: str | None, similarity: str | None
) -> list[Entry]:
    """The records of a model, best first."""
    own = [entry for entry in finder.entries if entry.model == model]
    if not own:
        known = sorted({entry.model for entry in finder.entries})
        hint = nearest(model, known)
        raise UserError(
            f"no record of {model!r}{f'{hint} Or' if hint else ';'} name its file or a folder with "
            "--records, or make one with `facebench eval`"
        )
    protocols = sorted({entry.protocol for entry in own})
    whole = [name for name in protocols if JOIN not in name]  # degraded faces are asked for by name
    kind = " ".join(word for word in (protocol, similarity) if word)
    if protocol is None and len(whole) == 1:
        (protocol,) = whole
    if protocol is None and len(protocols) > 1:
        raise UserError(
            f"{model!r} has records of {', '.join(protocols)}; choose one with --protocol"
        )
    wanted = [
        entry
        for entry in own
        if protocol in (None, entry.protocol)
        and (similarity is None or similarity_kind(entry.similarity) == similarity_kind(similarity))
    ]
    if not wanted:
        raise UserError(
            f"no {kind} record of {model!r} (it has {', '.join(protocols)}); make one with "
            f"`facebench eval --model {model}{f' --protocol {protocol}' if protocol else ''}`"
        )
    return sorted(wanted, key=_preferred, reverse=True)


def records_alike(
    finder: Finder, protocol: str, similarity: str | None = None, like: Record | None = None
) -> list[Record]:
    """The best record of every model of a protocol that was evaluated alike, by model.

    On the data and with the settings of ``like``, and then of its protocol, else of the best
    record. UserError: there is none.
    """
    protocol = protocol if like is None else like.protocol.name
    own = [
        entry
        for entry in finder.entries
        if entry.protocol == protocol
        and (similarity is None or similarity_kind(entry.similarity) == similarity_kind(similarity))
    ]
    if not own:
        known = sorted({entry.protocol for entry in finder.entries})
        kind = " ".join(word for word in (protocol, similarity) if word)
        raise UserError(
            f"no {kind} record{nearest(protocol, known)} (there are records of "
            f"{', '.join(known) or 'no protocol'}); name their folder with --records, or make some "
            "with `facebench eval`"
        )
    own.sort(key=_preferred, reverse=True)
    wanted = _alike(own[0]) if like is None else _alike_record(like)
    best: dict[str, Entry] = {}
    for entry in own:
        if _alike(entry) == wanted:
            best.setdefault(entry.model, entry)
    return [load_entry(best[model]) for model in sorted(best)]


def _alike(entry: Entry) -> tuple[object, ...]:
    data = entry.data
    return data.faces, data.comparisons, *_settings(entry, data)


def _alike_record(record: Record) -> tuple[object, ...]:
    faces, comparisons = record.data.fingerprint, record.comparisons.fingerprint
    return faces, comparisons, *_settings(record, record)


def _preferred(entry: Entry) -> tuple[object, ...]:
    """Ascending, the best last: what was named, then photographs, whole embeddings, cosine, and the
    newest.
    """
    usual = entry.template == PLAIN, entry.similarity == "cosine"
    return entry.place == 0, entry.data.kind == "real", *usual, entry.rank


def _of_one_data(found: dict[str, list[Entry]], of_file: Record | None) -> dict[str, Entry]:
    """For each model its best record, all of the same protocol, data and, if possible, settings."""
    for agreed in (5, 2, 0):  # all settings; alignment and threshold rule; none
        picked = _picked(found, of_file, agreed)
        if picked is not None:
            return picked
    names = ", ".join(found)
    raise UserError(
        f"the records of {names} are of different data or comparisons"
        f"{' than the file' if of_file else ''}; evaluate all on the same --data"
    )


def _picked(
    found: dict[str, list[Entry]], of_file: Record | None, agreed: int
) -> dict[str, Entry] | None:
    """The best records of one protocol and data that agree in so many settings; None: there are
    none.
    """

    def key(entry: Entry) -> tuple[object, ...]:
        data = replace(entry.data, alignment="", rule="")
        return entry.protocol, data, *_settings(entry, entry.data)[:agreed]

    choices = [key(entry) for entry in next(iter(found.values()))]
    if of_file is not None:
        wanted = _settings(of_file, of_file)[:agreed]
        choices = [
            key(entry)
            for entries in found.values()
            for entry in entries
            if (entry.data.faces, entry.data.comparisons)
            == (of_file.data.fingerprint, of_file.comparisons.fingerprint)
            and _settings(entry, entry.data)[:agreed] == wanted
        ]
    for choice in dict.fromkeys(choices):
        picked = {
            name: entry
            for name, entries in found.items()
            if (entry := next((e for e in entries if key(e) == choice), None))
        }
        if len(picked) == len(found):
            return picked
    return None


def _settings(of: Entry | Record, measured: DataKey | Record) -> tuple[str, ...]:
    """What may differ on the same data, those that must not first; a similarity by its kind."""
    template = of.template if isinstance(of, Entry) else template_kind(of.model)
    method = of.pooling, similarity_kind(of.similarity), template
    return measured.alignment, measured.rule, *method
