"""Records on disk: written complete or not at all, read with one clear line when they are wrong."""

from __future__ import annotations

import glob
import os
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

from facebench.base.errors import UserError
from facebench.base.locks import path_lock
from facebench.base.opening import (
    MIB,
    RECORD,
    SCORES,
    json_values,
    plain_bytes,
    plain_file,
    read_bytes,
    reading,
    size_words,
)
from facebench.base.options import require
from facebench.base.storage import cache_folder, result_folders, write_together
from facebench.base.validation import validated
from facebench.faces.degrade.names import JOIN
from facebench.models.embedders.base import UNPINNED
from facebench.records.agreement import require_agreement
from facebench.records.columns import DamagedColumnsError
from facebench.records.record import READABLE, Record, require_seal, upgraded
from facebench.records.scores import (
    file_name,
    is_list,
    list_file,
    list_named_in,
    record_name,
    table_in,
)


class NoRecordError(UserError):
    """A JSON file that is meant as something else, such as another tool's metrics."""


_HEADER = MIB  # of a file of scores: its first bytes, more than a header takes


def default_folder() -> Path:
    """Where records go unless a folder is named: ``records`` in the cache, never the directory."""
    return cache_folder() / "records"


def record_path(record: Record, folder: Path) -> Path:
    """folder/<protocol>/<data>/<model>-<hash of the signature>.json.

    Names that no file may have are made plain; records of other settings are other files. Where no
    hash covers what a model depends on, another result may be of another model: it is another file.
    """
    protocol = file_name(record.protocol.name, JOIN)  # of degraded faces: lfw+14px
    data = file_name(record.data.fingerprint)
    name = record_name(record.model.id, record.signature)
    if record.model.weights_hash == UNPINNED:
        name += f"-{record.digest()[:8]}"
    return folder / protocol / data / f"{name}.json"


def save_record(record: Record, folder: str | PathLike[str]) -> Path:
    """Write a record with the scores that it holds, as one step.

    Parameters
    ----------
    record : Record
        What `evaluate` gave.
    folder : str or path
        Where records are kept; made where it is not there.

    Returns
    -------
    pathlib.Path
        ``folder/<protocol>/<data>/<model>-<hash of the signature>.json``: records of other settings
        are other files. Where an equal record is there, it keeps the moment at which it was first
        made.

    Raises
    ------
    UserError
        What is no record, or a folder that is a file.
    OSError
        A full disk, no permission; then nothing is changed.

    Notes
    -----
    The scores' file carries the start of its SHA-256 in its name, so that a stop between two
    renames leaves the earlier record with its own scores; the next call removes what no record of
    this path names.

    Examples
    --------
    >>> import facebench
    >>> record = facebench.compare("baseline", "sparse_074", protocol="lfw")[0].base
    >>> facebench.save_record(record, "records").parts[:2]
    ('records', 'lfw')
    """
    if not isinstance(record, Record):
        raise UserError(f"record is {record!r}; it must be a Record, as `evaluate` gives one")
    if not isinstance(folder, (str, PathLike)):
        raise UserError(f"folder is {folder!r}; it must be a path, such as 'records'")
    if Path(folder).exists() and not Path(folder).is_dir():
        raise UserError(f"{folder}: is a file; name a folder for records, such as 'records'")
    path = record_path(record, Path(folder))
    write_record(_made_again(record, path), path)
    return path


def write_record(record: Record, path: Path, others: Mapping[Path, bytes] | None = None) -> None:
    """Write a record, its scores and the list of its comparisons into one folder, as one step.

    others: files that appear together with the record, before it. Scores that the record at the
    path had before are removed, and their list with the last that name it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path_lock(path.parent) as lock:
        lock.share()
        files = {**table_files(record, path), **(others or {}), path: record.canonical_json()}
        write_together(files)
        stale = set(path.parent.glob(f"{glob.escape(path.stem)}.scores-*")) - set(files)
        if stale and lock.alone():  # else another is writing scores that its record will name
            for scores in stale:
                remove_scores(scores)


def write_scores(record: Record, path: Path) -> None:
    """Write what lies beside a record at a path, without the record."""
    with path_lock(path.parent) as lock:
        lock.share()
        write_together(table_files(record, path))


def table_files(record: Record, path: Path) -> dict[Path, bytes]:
    """The files beside a record, the list of comparisons first, which the scores need.

    A list that is there stays: another version of zlib writes other bytes.
    """
    table, section = record.table, record.scores
    if table is None or section is None:
        return {}
    listed = path.with_name(table.list_file)
    files = {} if is_list(listed) else {listed: table.list_bytes()}
    return {**files, path.with_name(section.file): table.own_bytes()}


def whole_json(record: Record) -> bytes:
    """The record as UTF-8 JSON with all that belongs to it in it: one file, at home in any folder.

    UserError: its scores are not there, or are too many for one file.
    """
    table, section = record.table, record.scores
    if table is None and section is not None:
        raise UserError(f"{record.missing}; copy it there first")
    if table is not None and section is not None:
        text = b64encode(table.whole_bytes()).decode()
        held = section.model_copy(update={"embedded": text})
        record = record.model_copy(update={"scores": held})
    data = record.canonical_json()
    if len(data) > RECORD:
        raise UserError(
            f"the record of {record.model.id} takes {len(data):,} bytes with its scores, more than "
            f"the {size_words(RECORD)} of one file; copy its folder"
        )
    return data


def _made_again(record: Record, path: Path) -> Record:
    """The record with the first moment of an equal one that lies at the path already."""
    try:
        before = read_record(path) if path.exists() else None
    except UserError:  # it is replaced
        return record
    if before is None or before != record or before.run.created >= record.run.created:
        return record
    run = record.run.model_copy(update={"created": before.run.created, "again": record.run.created})
    return record.model_copy(update={"run": run})


def remove_scores(path: Path) -> None:
    """Delete a file of scores that no record beside it names any more, and the list of comparisons
    that no other scores name.

    A file that cannot be read might name it, too: then it stays. To be called by who holds the
    folder's lock alone, since the scores that another one writes may need the list.
    """
    for record in path.parent.glob("*.json"):
        try:
            if path.name.encode() in plain_bytes(record, RECORD):
                return
        except OSError:
            return
    listed = _list_of(path)
    path.unlink(missing_ok=True)
    if listed is not None:
        others = path.parent.glob("*.scores-*.safetensors")
        if listed not in {_list_of(other) for other in others}:
            path.with_name(list_file(listed)).unlink(missing_ok=True)


def _list_of(path: Path) -> str | None:
    """The SHA-256 of the list that a file of scores names; None where it names none."""
    try:
        with plain_file(path, SCORES) as file:
            return list_named_in(file.read(_HEADER))
    except (OSError, DamagedColumnsError):
        return None


def read_record(path: str | PathLike[str]) -> Record:
    """The record in a file, with its scores where they lie beside it.

    Parameters
    ----------
    path : str or path
        A record's file, as `save_record` and ``facebench eval --out`` write it.

    Returns
    -------
    Record
        Checked against its scores and its seal.

    Raises
    ------
    UserError
        Unreadable, not JSON (cut short, say), another schema version, a wrong field, scores whose
        SHA-256 differs, numbers that they do not give, or any other change after the record was
        sealed.

    Examples
    --------
    >>> import facebench
    >>> record = facebench.compare("baseline", "sparse_074", protocol="lfw")[0].base
    >>> path = facebench.save_record(record, "records")
    >>> facebench.read_record(path) == record
    True
    """
    require("path", path, (str, PathLike), "'records/lfw.json'")
    path = Path(path)
    try:
        data = plain_bytes(path, RECORD)
    except IsADirectoryError:
        raise UserError(f"{path}: is a folder; name the file of one record in it") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    to_do = "name the .json file that `facebench eval` wrote; one that was cut short is made again"
    with reading(path, "not a complete JSON record", to_do):
        values = json_values(data)
    version = _schema_version(values, path)
    if version not in READABLE:
        raise UserError(
            f"{path}: schema version {version!r}, and this facebench reads "
            f"{' and '.join(map(str, READABLE))}; make the record again with `facebench eval`"
        )
    try:
        current = upgraded(values)
    except ValueError:
        raise UserError(
            f"{path}: its curve is not of its comparisons; the file was changed after the "
            "evaluation: make it again with `facebench eval`"
        ) from None
    record = _with_scores(validated(Record, current, str(path)), path)
    require_agreement(record, str(path))
    require_seal(values, str(path), "facebench eval")
    return record


def _schema_version(values: object, path: Path) -> object:
    """That of a record; UserError says what else the JSON is and what was expected."""
    expected = "give one that `facebench eval --out FOLDER` wrote"
    if isinstance(values, list):
        of = " of records" if values and all(_looks_like_record(one) for one in values) else ""
        wrong = UserError if of else NoRecordError
        raise wrong(f"{path}: is a JSON list{of}, not one record; {expected}")
    if not isinstance(values, dict):
        kind = {str: "text", bool: "true or false", type(None): "null"}.get(type(values), "number")
        raise NoRecordError(f"{path}: is a JSON {kind}, no record; {expected}")
    if not _looks_like_record(values):
        fields = ", ".join(map(repr, list(values)[:3])) or "none"
        raise NoRecordError(f"{path}: is JSON, but no record (it has {fields} …); {expected}")
    return values.get("schema_version")


def _looks_like_record(values: object) -> bool:
    """Whether it is meant as one, of whatever schema version, perhaps without a field."""
    own = {"signature", "protocol", "comparisons", "statistics"}
    return isinstance(values, dict) and len(own & set(values)) >= 2


def _with_scores(record: Record, path: Path) -> Record:
    section = record.scores
    if section is None:
        return record
    if Path(section.file).name != section.file:
        raise UserError(f"{path}: field 'scores.file': must be a name without folders")
    beside = list(dict.fromkeys((path.parent, path.resolve().parent)))
    name, lists = record.model.id, [*beside, *_kept_in(record)]
    try:
        if section.embedded is None:
            scores = _found(section.file, beside, f"the scores of {name}, {section.file}, are")[0]
            data, where = read_bytes(scores, "the scores", SCORES), str(scores)
        else:
            data, where = _embedded(section.embedded, path), str(path)
            apart = section.model_copy(update={"embedded": None})
            record = record.model_copy(update={"scores": apart})

        def find_lists(file: str) -> list[Path]:
            return _found(file, lists, f"the list of comparisons of {name}, {file}, is")

        return record.with_table(table_in(data, section.sha256, where, find_lists))
    except _MissingError as error:
        return record.without_table(str(error))


class _MissingError(Exception):
    """A file is in none of the folders; the message says so in words."""


def _found(name: str, folders: Sequence[Path], subject: str) -> list[Path]:
    """Files of a name, at least one; subject: the file in words, with its verb."""
    # os.path, to which a name that no file may have is that of none.
    found = [place for folder in folders if os.path.isfile(place := folder / name)]
    if not found:
        places = {folder.resolve(): folder.absolute() for folder in reversed(folders)}
        sought = ", nor in ".join(map(str, reversed(places.values())))
        raise _MissingError(f"{subject} not beside its record in {sought}")
    return found


def _kept_in(record: Record) -> list[Path]:
    """Folders in which records of the same protocol and faces have the same lists."""
    own = Path(file_name(record.protocol.name), file_name(record.data.fingerprint))
    return [folder / own for folder in (default_folder(), *result_folders())]


def _embedded(text: str, path: Path) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError:
        raise UserError(f"{path}: field 'scores.embedded': must be base64") from None
