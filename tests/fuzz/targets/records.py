"""Records, the scores beside them, costs, and thresholds."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import safetensors.numpy

from facebench.base.errors import UserError
from facebench.cli.results import FORMATS, render
from facebench.comparison.calibration.threshold import check_threshold, threshold
from facebench.comparison.calibration.written import read_threshold
from facebench.comparison.compare import compare
from facebench.records import record as record_module
from facebench.records.costs import COST_STATISTICS, cost_value, read_costs
from facebench.records.files import read_record, save_record
from facebench.records.find import Finder
from facebench.records.record import SEAL, Record, seal_of, signature_of
from facebench.tables.paired.threshold import threshold_csv, threshold_table
from facebench.tables.records import record_tables
from tests.fuzz.mutations import json_changed, json_dumped, tensors_changed, tree_changed
from tests.fuzz.target import ROOT, Files, Target, shipped
from tests.helpers.records import drawn_record

Kept = tuple[dict[str, Any], Files]


@lru_cache(maxsize=1)
def two_records() -> tuple[Record, Record]:
    """Two models on the same few comparisons."""
    base = drawn_record("baseline", seed=1, per_kind=4)
    return base, drawn_record("sparse_074", seed=2, per_kind=4, failures=2)


def _files_of(record: Record) -> Kept:
    with TemporaryDirectory() as folder:
        path = save_record(record, folder)
        beside = {own.name: own.read_bytes() for own in path.parent.iterdir() if own != path}
        return json.loads(path.read_bytes()), beside


@lru_cache(maxsize=1)
def kept_records() -> tuple[Kept, ...]:
    """Records with what lies beside them: small ones with scores, shipped ones of every kind."""
    kept = [_files_of(record) for record in two_records()]
    for protocol in ("lfw", "lfw-closed", "lfw-all-pairs"):
        path = sorted(ROOT.glob(f"reports/results/{protocol}/*/sparse_074*.json"))[0]
        values = json.loads(path.read_bytes())
        names = {own.name for own in path.parent.glob("comparisons-*")}
        names |= {values["scores"]["file"]} if values.get("scores") else set()
        kept.append((values, {name: (path.parent / name).read_bytes() for name in names}))
    old = ROOT / "tests/helpers/version_1/sparse_074-47647412.json"
    values = json.loads(old.read_bytes())
    name = values["scores"]["file"]
    kept.append((values, {name: (old.parent / name).read_bytes()}))
    return tuple(kept)


def _record(rng: Random) -> Files:
    values, beside = rng.choice(kept_records())
    return {"own.json": json_changed(rng, values), **(beside if rng.random() < 0.8 else {})}


def _resealed(rng: Random) -> Files:
    """A record whose signature and seal follow from what was changed, as an attacker would do."""
    values, beside = rng.choice(kept_records())
    changed = tree_changed(rng, values)
    if isinstance(changed, dict):
        _sign(changed)
        try:
            changed[SEAL] = seal_of(changed)
        except ValueError:  # a number that Python does not write
            changed.pop(SEAL, None)
    return {"own.json": json_dumped(changed).encode("utf-8", "surrogatepass"), **beside}


def _sign(values: dict[str, Any]) -> None:
    """The signature that the other fields give, where they can be a record at all."""
    found: list[str] = []

    def note(record: Record) -> str:
        found.append(signature_of(record))
        return record.signature

    record_module.signature_of = note
    try:
        Record.model_validate(values)
    except Exception:
        return
    finally:
        record_module.signature_of = signature_of
    if found:
        values["signature"] = found[0]


def _read(folder: Path) -> None:
    Finder()._add(folder / "own.json", 0)  # as folders are searched: by the head of each record
    _show(read_record(folder / "own.json"))


def _show(record: Record) -> None:
    tables = record_tables([record])
    for format in FORMATS:
        render(format, [record], tables)


def _scores(rng: Random) -> Files:
    values, beside = kept_records()[rng.randrange(2)]
    values = json.loads(json.dumps(values))
    name = values["scores"]["file"]
    listed = next(own for own in beside if own != name)
    files = dict(beside)
    drawn = rng.random()
    if drawn < 0.3:
        files[listed] = tensors_changed(rng, beside[listed])
    elif drawn < 0.6:
        files[name] = tensors_changed(rng, beside[name])
    else:
        files[name] = _plain(rng)
        values["scores"]["sha256"] = hashlib.sha256(files[name]).hexdigest()
    values[SEAL] = seal_of(values)
    return {"own.json": json.dumps(values).encode(), **files}


def _plain(rng: Random) -> bytes:
    """Scores in the form of older files, with columns of other types, lengths or values."""
    table = two_records()[0].table
    assert table is not None
    data = table.to_bytes()
    if rng.random() < 0.5:
        return tensors_changed(rng, data, None)
    columns = safetensors.numpy.load(data)
    name = rng.choice(sorted(columns))
    column = columns[name]
    match rng.randrange(7):
        case 0:
            kinds = (np.float64, np.float32, np.int64, np.uint8, np.bool_, np.float16, np.int8)
            columns[name] = column.astype(rng.choice(kinds))
        case 1:
            columns = {own: values.reshape(-1, 1) for own, values in columns.items()}
        case 2:
            columns = {own: values[:0] for own, values in columns.items()}
        case 3:
            numbers = (np.nan, np.inf, -np.inf, 0, 1e38)
            columns["scores"] = np.full_like(columns["scores"], rng.choice(numbers))
        case 4:
            folds = columns["folds"]
            columns["folds"] = rng.choice((-folds, folds * 10**15, np.zeros_like(folds)))
        case 5:
            columns = {own: values[0:1].reshape(()) for own, values in columns.items()}
        case _:
            del columns[name]
    contiguous = {own: np.ascontiguousarray(values) for own, values in columns.items()}
    return safetensors.numpy.save(contiguous)


def _read_scores(folder: Path) -> None:
    record = read_record(folder / "own.json")
    _show(record)
    compare(two_records()[0], [record])


def _costs(rng: Random) -> Files:
    values = json.loads(rng.choice(shipped("reports/results/costs/*.json")))
    changed = tree_changed(rng, values)
    if rng.random() < 0.5 and isinstance(changed, dict):
        try:
            changed[SEAL] = seal_of(changed)
        except ValueError:
            changed.pop(SEAL, None)
        return {"own.json": json_dumped(changed).encode("utf-8", "surrogatepass")}
    return {"own.json": json_changed(rng, values)}


def _read_costs(folder: Path) -> None:
    record = read_costs(folder / "own.json")
    for statistic in COST_STATISTICS:
        cost_value(record, statistic)


@lru_cache(maxsize=1)
def _threshold_text() -> str:
    return threshold(two_records()[0], far=0.1, draws=20).file.to_json()


def _threshold(rng: Random) -> Files:
    return {"own.json": json_changed(rng, json.loads(_threshold_text()))}


def _read_threshold(folder: Path) -> None:
    file = read_threshold(folder / "own.json")
    try:
        found = check_threshold(file, two_records()[0])
    except UserError as error:  # read, and of another model or of all of these people
        assert "the threshold" in str(error), error
        return
    threshold_table(found), threshold_csv(found), found.file.to_json()


TARGETS = (
    Target("records", _record, _read, 1.0),
    Target("sealed records", _resealed, _read, 1.0),
    Target("scores", _scores, _read_scores, 1.0),
    Target("costs", _costs, _read_costs),
    Target("thresholds", _threshold, _read_threshold),
)
