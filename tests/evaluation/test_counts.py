"""What brought networks take: as counted by hand, and the same wherever it is shown."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

import facebench
from facebench.base.errors import UserError
from facebench.base.text import count_text, size_text
from facebench.costs import bench as bench_job
from facebench.costs.table import bench_table
from facebench.gate.baselines import fact_of
from facebench.gate.rules import parse_rules
from facebench.models.cards.brought import pack_model
from facebench.records.sections import COUNTED_LATER
from facebench.tables.history import history_table
from facebench.tables.paired.comparison import comparisons_json
from facebench.tables.records import record_table
from tests.costs.test_bench import Pretended
from tests.helpers import brought
from tests.helpers.brought import KEPT, KEPT_PRODUCTS, PARAMETERS, PRODUCTS

OPTIONS = facebench.ModelOptions(size=brought.SIZE)
QUICK: dict[str, Any] = {"workers": 0, "draws": 0, "progress": False, "align": "centre"}
FACTORY = "tests.helpers.brought"
SHOWN = ("parameters", "kept_parameters", "bytes", *COUNTED_LATER)


@contextmanager
def quiet() -> Iterator[None]:
    """ONNX Runtime's quantiser advises on the root logger."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


@pytest.fixture
def models(faces: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Twelve brought networks and more by name."""
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    (faces / "reports").mkdir()
    monkeypatch.chdir(faces)
    brought.save_checkpoint(brought.masked(), faces / "state.pt")
    brought.save_torchscript(brought.masked(), faces / "script.pt")
    brought.save_program(brought.removed(), faces / "program.pt2")
    brought.save_program(brought.removed(), faces / "float.onnx")
    with quiet():
        brought.save_quantised(faces / "float.onnx", faces)
    pack_model(f"{FACTORY}:masked", faces / "packed.safetensors", options=OPTIONS)
    return {
        "dense": f"{FACTORY}:dense",
        "masked": f"{FACTORY}:masked",
        "removed": f"{FACTORY}:removed",
        "state": f"{FACTORY}:dense@state.pt",
        "packed": "packed.toml",
        "script": "./script.pt",
        "program": "./program.pt2",
        "float": "./float.onnx",
        "qdq": "./qdq.onnx",
        "qoperator": "./qoperator.onnx",
        "dynamic": "./dynamic.onnx",
        "tied": f"{FACTORY}:tied",
    }


def by_hand(name: str) -> tuple[int, int, int, int]:
    """Parameters, those that are kept, multiply-adds, and those that are kept."""
    if name == "dense":
        return PARAMETERS, PARAMETERS, PRODUCTS, PRODUCTS
    if name == "tied":
        own = brought.TIED_PARAMETERS, brought.TIED_PRODUCTS
        return own[0], own[0], own[1], own[1]
    return PARAMETERS, KEPT, PRODUCTS, KEPT_PRODUCTS


def test_counts_are_those_by_hand_and_the_same_everywhere(
    models: dict[str, str], faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = facebench.evaluate_many(models, "lfw", faces, options=OPTIONS, **QUICK)
    found = {record.model.id: record.model for record in records}
    assert list(found) == list(models)
    for name, one in found.items():
        counted = one.parameters, one.kept_parameters, one.multiply_adds, one.kept_multiply_adds
        assert (name, counted) == (name, by_hand(name))
        assert one.compression_ratio == by_hand(name)[1] / PARAMETERS  # to the first
    # Bytes are those of the files: as they stand, and as they are when they are packed.
    files = {
        "state": "state.pt", "packed": "packed.safetensors", "script": "script.pt",
        "program": "program.pt2", "float": "float.onnx", "qdq": "qdq.onnx",
        "qoperator": "qoperator.onnx", "dynamic": "dynamic.onnx",
    }  # fmt: skip
    for name, one in found.items():
        assert one.bytes == ((faces / files[name]).stat().st_size if name in files else None)
    for values, field in (("float16", "packed_bytes"), ("int8", "packed_int8_bytes")):
        for name in ("dense", "masked", "state", "tied"):
            out = faces / f"{name}_{values}.safetensors"
            pack_model(models[name], out, values, OPTIONS)  # type: ignore[arg-type]
            assert getattr(found[name], field) == out.stat().st_size
    assert found["packed"].packed_bytes == found["packed"].bytes

    # Tables, histories, gates, reports and bench take the same numbers.
    cells = {row.cells[0].text: row.cells for row in record_table(records).rows}
    headings = record_table(records).headings
    (runs,) = facebench.history(records)
    rows = {row["model"]: row for row in runs.rows()}
    drawn = {row.cells[0].text: row.cells for row in history_table(runs).rows}
    columns = history_table(runs).headings
    compared = json.loads(comparisons_json(facebench.compare(records[0], records[1:])))
    facts = {one["candidate"]["model"]: one["candidate"] for one in compared}
    facts["dense"] = compared[0]["base"]
    for record in records:
        facebench.save_record(record, faces / "reports" / "results" / "lfw")
    monkeypatch.setattr(bench_job, "WorkerProcess", Pretended)
    specs = dict(zip(models.values(), models, strict=True))
    benched = facebench.bench(list(specs), size=brought.SIZE, rounds=1, seconds=0.0)
    costs = {specs[job]: record for job, record in zip(specs, benched.records, strict=True)}
    taken = bench_table(benched)
    sheet = {specs[job]: row.cells for job, row in zip(specs, taken.rows, strict=True)}
    reported = facebench.report(str(report_card(faces, list(models)))).to_frame()
    for name, one in found.items():
        for table, heads in ((cells, headings), (drawn, columns)):
            kept = table[name][heads.index("kept")]
            share = f"{100 * one.kept_parameters / PARAMETERS:.1f}%"
            assert (kept.text, kept.detail) == (share, count_text(one.kept_parameters))
            assert table[name][heads.index("size")].text == size_text(one.bytes)
            assert table[name][heads.index("packed")].text == size_text(one.packed_bytes)
            products = table[name][heads.index("multiply-adds")].text
            assert products == count_text(one.multiply_adds)
        assert sheet[name][taken.headings.index("kept")].text == count_text(one.kept_parameters)
        assert sheet[name][taken.headings.index("packed")].text == size_text(one.packed_bytes)
        own = reported[reported["model"] == name].set_index("statistic")["value"]
        for field in SHOWN:
            value = getattr(one, field)
            assert rows[name][field] == value == getattr(costs[name], field) == facts[name][field]
            if value is None:
                continue
            assert own[field] == value
            (rule,) = parse_rules([f"{field} <= {value}"]).rules
            assert fact_of(rule, next(r for r in records if r.model.id == name)) == value


def report_card(folder: Path, names: list[str]) -> Path:
    """A report of all counts."""
    text = 'name = "sizes"\ntitle = "Sizes"\n'
    for field in ("accuracy", *SHOWN):
        text += f'[[columns]]\nkey = "{field}"\nheading = "{field}"\nstatistic = "{field}"\n'
        text += 'protocol = "lfw"\n' if field == "accuracy" else ""
    for name in names:
        text += f'[[rows]]\nlabel = "{name}"\nmodel = "{name}"\n'
    path = folder / "sizes.toml"
    path.write_text(text)
    return path


def test_a_record_of_before_is_the_same_with_the_new_counts(faces: Path) -> None:
    record = facebench.evaluate(brought.dense(), "lfw", faces, options=OPTIONS, **QUICK)
    section = record.model.model_copy(update=dict.fromkeys(COUNTED_LATER))
    before = record.model_copy(update={"model": section})
    assert not set(COUNTED_LATER) & set(before.values()["model"])
    assert before == record and record.model.multiply_adds == PRODUCTS
    assert "multiply-adds" not in record_table([before]).headings


def test_the_ratio_is_to_the_parent_that_is_named(faces: Path) -> None:
    given: dict[str, Any] = {"options": OPTIONS, **QUICK}
    alone = facebench.evaluate(brought.masked(), "lfw", faces, **given)
    assert alone.model.compression_ratio == KEPT / PARAMETERS
    parent = facebench.evaluate(brought.masked(), "lfw", faces, parent=brought.tied(), **given)
    assert parent.model.compression_ratio == KEPT / brought.TIED_PARAMETERS
    with pytest.raises(UserError, match="parent= has no effect"):
        facebench.evaluate("sparse_074", "lfw", faces, parent="baseline", **QUICK)


def test_what_is_not_counted_is_said(faces: Path) -> None:
    net = brought.dense()
    with torch.no_grad():
        net[3].weight[0, 0] = 1e6  # type: ignore[union-attr,index]
    with pytest.warns(UserWarning, match="packed bytes are not known: 3.weight holds weights"):
        record = facebench.evaluate(net, "lfw", faces, options=OPTIONS, **QUICK)
    assert record.model.packed_bytes is None and record.model.parameters == PARAMETERS
