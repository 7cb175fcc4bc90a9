"""Records that the user names: files, folders of them, or models that were evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from facebench.errors import UserError, nearest
from facebench.reporting.files import read_record
from facebench.reporting.find import DataKey, Entry, Finder, load_entry, record_files
from facebench.reporting.record import Record, similarity_kind

_MODEL_FILES = (".toml", ".onnx", ".pt", ".pts", ".pt2")


def is_file(name: str) -> bool:
    """Whether a name is meant as a record or folder and not as a model; an empty one is neither."""
    if name.lower().endswith(_MODEL_FILES):
        return False
    return bool(name) and (name.endswith(".json") or "/" in name or Path(name).exists())


def known_as(name: str) -> str:
    """What records call a model that is named as `facebench eval` takes it, e.g. by its file."""
    path = Path(name)
    if path.suffix.lower() not in _MODEL_FILES:
        return name
    card = path.with_suffix(".toml")
    if not card.is_file():
        return path.stem
    from facebench.nets.cards import read_card

    return read_card(card).name


def records_in(name: str) -> list[tuple[Path, Record]]:
    """A record's file, or all records of a folder, sorted; UserError: none, or a wrong one."""
    path = Path(name)
    if not path.is_dir():
        return [(path, read_record(path))]
    files = list(record_files(path))
    if not files:
        raise UserError(f"{path}: holds no record (*.json); make one with `facebench eval --out`")
    return [(file, read_record(file)) for file in files]


def named_together(
    names: Sequence[str], finder: Finder, protocol: str | None = None, similarity: str | None = None
) -> list[Record]:
    """One record per name, those of models of the same faces and comparisons as the first's.

    finder: where the records of models are looked for; protocol, similarity: of these, None: the
    only one there is, and one that all have, else that of the best record (photographs
    before rendered faces, cosine before what was learned, the newest). UserError: a name
    without a record, several protocols to choose from, no data that all were evaluated on.
    """
    files = {name: read_record(Path(name)) for name in names if is_file(name)}
    models = [name for name in names if name not in files]
    if not models:
        return [files[name] for name in names]
    of_file = next(iter(files.values()), None)
    if of_file is not None:
        protocol, similarity = of_file.protocol.name, of_file.similarity
    found = {name: _entries(finder, known_as(name), protocol, similarity) for name in models}
    chosen = _of_one_data(found, of_file)
    return [files[name] if name in files else load_entry(chosen[name]) for name in names]


def named_in(
    folders: Sequence[Path],
    names: Sequence[str],
    protocol: str | None = None,
    similarity: str | None = None,
) -> list[Record]:
    """`named_together`, with records of models looked for in these folders first (`Finder.of`);
    nothing is looked for where all names are files.
    """
    finder = Finder() if all(map(is_file, names)) else Finder.of(folders)
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
        kind = " ".join(word for word in (protocol, similarity) if word)
        raise UserError(
            f"no {kind} record of {model!r} (it has {', '.join(protocols)}); make one with "
            f"`facebench eval --model {model}`"
        )
    return sorted(wanted, key=_preferred, reverse=True)


def _preferred(entry: Entry) -> tuple[object, ...]:
    """Ascending, the best last: what was named, then photographs, cosine, and the newest."""
    return entry.place == 0, entry.data.kind == "real", entry.similarity == "cosine", entry.rank


def _of_one_data(found: dict[str, list[Entry]], of_file: Record | None) -> dict[str, Entry]:
    """For each model its best record, all of the same protocol, data and, if possible, settings."""
    for agreed in (4, 2, 0):  # all settings; alignment and threshold rule; none
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


def _settings(of: Entry | Record, measured: DataKey | Record) -> tuple[str, str, str, str]:
    """What may differ on the same data, those that must not first; a similarity by its kind."""
    return measured.alignment, measured.rule, of.pooling, similarity_kind(of.similarity)
