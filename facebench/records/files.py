"""Records on disk: written complete or not at all, read with one clear line when they are wrong."""

from __future__ import annotations

import glob
import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from facebench.base.errors import UserError
from facebench.base.locks import path_lock
from facebench.base.opening import RECORD, SCORES, plain_bytes, read_bytes
from facebench.base.storage import cache_folder, write_together
from facebench.base.validation import validated
from facebench.models.embedders.base import UNPINNED
from facebench.records.record import SCHEMA_VERSION, Record, require_seal
from facebench.records.scores import ScoreTable, file_name, record_name
from facebench.records.sections import (
    AccuracySection,
    Estimate,
    IntervalSection,
    RatesSection,
    VerificationSection,
)
from facebench.statistics.intervals.bootstrap import Units
from facebench.statistics.intervals.dyadic import Sharing
from facebench.statistics.intervals.exact import wilson
from facebench.statistics.roc import auc, eer
from facebench.statistics.verification import accuracy_interval


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


_ROUNDING = 1e-9


def require_agreement(record: Record, where: str) -> None:
    """UserError where a number is not what the record's other numbers, or its scores, give.

    where: the record's file. Rates of searches and templates are checked against their parts only;
    bytes and counts of parameters are the evaluation's word, under its seal, until
    `facebench.records.recounted` counts them again.
    """
    wrong = next(_wrong(record), None)
    if wrong is not None:
        raise UserError(
            f"{where}: {wrong}; the file was changed after the evaluation: "
            "make it again with `facebench eval`"
        )


def _wrong(record: Record) -> Iterator[str]:
    counts = record.comparisons
    if counts.mated + counts.nonmated != counts.total:
        yield "its mated and non-mated comparisons are not all of its comparisons"
    published = record.protocol.published_comparisons
    if record.protocol.published_list and published not in (0, counts.total):
        yield f"its {counts.total:,} comparisons are not the {published:,} of the published list"
    if isinstance(record.statistics, RatesSection):
        yield from _wrong_rates(record.statistics)
    else:
        yield from _wrong_shares(record.statistics, counts.mated, counts.nonmated)
        if record.table is not None:
            yield from _wrong_scores(record, record.statistics, record.table)
    for name, estimate in _estimates(record):
        if any(not _holds(estimate, interval) for interval in _intervals(estimate)):
            yield f"its {name} is not within its interval"


def _estimates(record: Record) -> Iterator[tuple[str, Estimate]]:
    statistics = record.statistics
    if isinstance(statistics, RatesSection):
        yield from ((rate.label, rate) for rate in statistics.rates)
        return
    yield "accuracy", statistics.accuracy
    yield "AUC", statistics.auc
    yield "EER", statistics.eer
    yield from ((f"TAR at FAR {point.target:g}", point) for point in statistics.tar_at_far)


def _intervals(estimate: Estimate) -> Iterator[IntervalSection]:
    found = [estimate.interval]
    if isinstance(estimate, AccuracySection):
        found.append(estimate.over_subjects)
    yield from (interval for interval in found if interval is not None)


def _holds(estimate: Estimate, interval: IntervalSection) -> bool:
    """Whether an interval is one and has the value in it.

    A percentile interval of a bootstrap may miss a value at the edge of what is drawn, and Wilson's
    of all comparisons a mean over folds or splits of differing sizes: by less than their width.
    """
    width = interval.high - interval.low
    exact = interval.kind == "wilson" and not isinstance(estimate, AccuracySection)
    slack = _ROUNDING if exact else width + _ROUNDING
    return width >= 0 and interval.low - slack <= estimate.value <= interval.high + slack


def _wrong_rates(statistics: RatesSection) -> Iterator[str]:
    for rate in statistics.rates:
        if not _alike(rate.value, float(np.mean(rate.per_part))):
            yield f"its {rate.label} is not the mean of its {statistics.parts}"


def _wrong_shares(statistics: VerificationSection, mated: int, nonmated: int) -> Iterator[str]:
    accuracy = statistics.accuracy
    if not _alike(accuracy.value, float(np.mean(accuracy.per_fold))):
        yield "its accuracy is not the mean of its folds"
    if not _alike(accuracy.spread, _spread(accuracy)):
        yield "its ± is not that of its folds"
    for point in statistics.tar_at_far:
        told = (point.value * mated, point.far * nonmated)
        if not np.allclose(told, (point.true_accepts, point.false_accepts), atol=1e-6):
            yield f"its TAR at FAR {point.target:g} is not that of its counts of accepts"


def _spread(accuracy: AccuracySection) -> float:
    folds = np.asarray(accuracy.per_fold)
    if len(folds) < 2:
        return accuracy.spread
    deviation = float(folds.std(ddof=1))
    one = accuracy.spread_kind == "standard deviation"
    return deviation if one else deviation / math.sqrt(len(folds))


def _wrong_scores(
    record: Record, statistics: VerificationSection, table: ScoreTable
) -> Iterator[str]:
    counts, accuracy = record.comparisons, statistics.accuracy
    if (counts.total, counts.mated) != (table.mated.size, int(table.mated.sum())):
        yield "its comparisons are not those of its scores"
        return
    if accuracy.folds != tuple(np.unique(table.folds).tolist()):
        yield "its folds are not those of its scores"
        return
    shares = [table.correct[table.folds == fold].mean() for fold in accuracy.folds]
    if not np.allclose(shares, accuracy.per_fold, atol=_ROUNDING):
        yield "its accuracy is not that of its scores"
    if not _is_its_own(accuracy, table):
        yield "its accuracy's interval is not that of its scores"
    for point in statistics.tar_at_far:
        accepted = table.scores >= point.threshold
        found = (int(accepted[table.mated].sum()), int(accepted[~table.mated].sum()))
        if found != (point.true_accepts, point.false_accepts):
            yield f"its TAR at FAR {point.target:g} is not that of its scores"
    if not _alike(statistics.auc.value, auc(table.scores, table.mated)):
        yield "its AUC is not that of its scores"
    if not _alike(statistics.eer.value, eer(table.scores, table.mated)):
        yield "its EER is not that of its scores"


def _is_its_own(accuracy: AccuracySection, table: ScoreTable) -> bool:
    """Whether an accuracy's interval is that of its scores, by the rule that it names."""
    told = accuracy.interval
    if told is None:
        return True
    if told.kind == "wilson":  # of earlier versions
        found = wilson(int(table.correct.sum()), table.correct.size, told.level)
    else:
        people = (table.left_subjects, table.right_subjects)
        units = Units.of(table.mated, *people, "scores")
        found = accuracy_interval(
            accuracy.value, table.correct, units, table.folds, Sharing.of(units), told.level
        )
    return _alike(told.low, found.low) and _alike(told.high, found.high)


def _alike(one: float, other: float) -> bool:
    return abs(one - other) <= _ROUNDING
