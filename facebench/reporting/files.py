"""Records on disk: written complete or not at all, read with one clear line when they are wrong."""

from __future__ import annotations

import glob
import hashlib
import json
from pathlib import Path

from facebench.errors import UserError
from facebench.locks import path_lock
from facebench.nets.embedder import UNPINNED
from facebench.opening import RECORD, SCORES, plain_bytes, read_bytes
from facebench.reporting.agreement import require_agreement
from facebench.reporting.record import SCHEMA_VERSION, Record
from facebench.reporting.scores import ScoreTable, file_name, record_name
from facebench.reporting.seal import require_seal
from facebench.storage import cache_folder, write_together
from facebench.validation import validated


def default_folder() -> Path:
    """Where records go unless a folder is named: ``records`` in the cache, never the directory."""
    return cache_folder() / "records"


def record_path(record: Record, folder: Path) -> Path:
    """folder/<protocol>/<data>/<model>-<hash of the signature>.json.

    Names that no file may have are made plain; records of other settings are other files. Where no
    hash covers what a model depends on, another result may be of another model: it is another file.
    """
    protocol, data = file_name(record.protocol.name), file_name(record.data.fingerprint)
    name = record_name(record.model.id, record.signature)
    if record.model.weights_hash == UNPINNED:
        name += f"-{record.digest()[:8]}"
    return folder / protocol / data / f"{name}.json"


def save_record(record: Record, folder: Path) -> Path:
    """Write a record with the scores that it holds, as one step; returns the record's path.

    The scores' file carries the start of its SHA-256 in its name, so that a stop between the two
    renames leaves the earlier record with its own scores; the next call removes what no record of
    this path names. Where an equal record is there, it keeps the moment at which it was first made.
    OSError: full disk, no permission.
    """
    path = record_path(record, folder)
    record = _made_again(record, path)
    files = {path: record.canonical_json()}
    if record.table is not None and record.scores is not None:
        files = {path.with_name(record.scores.file): record.table.to_bytes(), **files}
    path.parent.mkdir(parents=True, exist_ok=True)
    with path_lock(path.parent) as lock:
        lock.share()
        write_together(files)
        others = set(path.parent.glob(f"{glob.escape(path.stem)}.scores-*")) - set(files)
        if others and lock.alone():  # else another is writing scores that its record will name
            for scores in others:
                remove_scores(scores)
    return path


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
    """Delete a file of scores that no record beside it names any more.

    A file that cannot be read might name it, too: then it stays.
    """
    for record in path.parent.glob("*.json"):
        try:
            if path.name.encode() in plain_bytes(record, RECORD):
                return
        except OSError:
            return
    path.unlink(missing_ok=True)


def read_record(path: Path) -> Record:
    """The record in a file, with its scores where they lie beside it.

    UserError in one line: unreadable, not JSON (cut short, say), another schema version, a wrong
    field, scores whose SHA-256 differs, numbers that they do not give, or any other change after
    the record was sealed.
    """
    try:
        values = json.loads(plain_bytes(path, RECORD))
    except IsADirectoryError:
        raise UserError(f"{path}: is a folder; name the file of one record in it") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # not only JSON's own: a number of 5,000 digits
        raise UserError(f"{path}: not a complete JSON record: {error}") from None
    version = _schema_version(values, path)
    if version != SCHEMA_VERSION:
        raise UserError(
            f"{path}: schema version {version!r}, and this facebench reads {SCHEMA_VERSION}; "
            "make the record again with `facebench eval`"
        )
    record = _with_scores(validated(Record, values, str(path)), path)
    require_agreement(record, str(path))
    require_seal(values, str(path), "facebench eval")
    return record


def _schema_version(values: object, path: Path) -> object:
    """That of a record; UserError says what else the JSON is and what was expected."""
    expected = "give one that `facebench eval --out FOLDER` wrote"
    if isinstance(values, list):
        of = " of records" if values and all(_looks_like_record(one) for one in values) else ""
        raise UserError(f"{path}: is a JSON list{of}, not one record; {expected}")
    if not isinstance(values, dict):
        kind = {str: "text", bool: "true or false", type(None): "null"}.get(type(values), "number")
        raise UserError(f"{path}: is a JSON {kind}, no record; {expected}")
    if not _looks_like_record(values):
        fields = ", ".join(map(repr, list(values)[:3])) or "none"
        raise UserError(f"{path}: is JSON, but no record (it has {fields} …); {expected}")
    return values.get("schema_version")


def _looks_like_record(values: object) -> bool:
    """Whether it is meant as one, of whatever schema version, perhaps without a field."""
    own = {"signature", "protocol", "comparisons", "statistics"}
    return isinstance(values, dict) and len(own & set(values)) >= 2


def _with_scores(record: Record, path: Path) -> Record:
    if record.scores is None:
        return record
    if Path(record.scores.file).name != record.scores.file:
        raise UserError(f"{path}: field 'scores.file': must be a name without folders")
    places = [path.with_name(record.scores.file), path.resolve().with_name(record.scores.file)]
    beside = next((place for place in places if place.is_file()), None)
    if beside is None:
        return record
    data = read_bytes(beside, "the scores", SCORES)
    if hashlib.sha256(data).hexdigest() != record.scores.sha256:
        raise UserError(f"{beside}: its SHA-256 is not the one in {path.name}; make both again")
    return record.with_table(ScoreTable.from_bytes(data, str(beside)))
