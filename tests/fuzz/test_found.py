"""Files that once ended in a traceback, a hang or a full memory: one line each, or accepted."""

from __future__ import annotations

import io
import json
import resource
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import safetensors.numpy

from facebench.base.errors import UserError
from facebench.records.record import SEAL, seal_of
from tests.fuzz.target import Files, shipped, write
from tests.fuzz.targets import TARGETS
from tests.fuzz.targets.embeddings import array_bytes
from tests.fuzz.targets.images import jpeg_crop
from tests.fuzz.targets.lab import INDEX
from tests.fuzz.targets.programs import flat_onnx, foreign_torch_file, saved, script_bytes
from tests.fuzz.targets.records import kept_records

DEEP = b"[" * 100_000
LONG = b"9" * 5000
# A card whose weights have a name that no file has.
NAMELESS = b"""
name = "a"
architecture = "onnx"
weights = "a\\u0000.onnx"
licence = "x"
title = "x"
"""


def read(target: str, files: Files, folder: Path) -> str:
    """The line that a reader refuses an input with; empty: it takes it."""
    write(files, folder)
    try:
        TARGETS[target].read(folder)
    except UserError as error:
        return " ".join(str(error).replace(f"{folder}/", "").split())
    return ""


@pytest.mark.parametrize(
    ("target", "file", "data", "line"),
    [
        ("model cards", "card.toml", b"width = " + LONG, "card.toml: not TOML: it has a number of"),
        ("model cards", "card.toml", b"name = " + DEEP, "card.toml: not TOML: it is nested too de"),
        ("protocol cards", "lfw.toml", b"seed = " + LONG, "lfw.toml: not TOML: it has a number of"),
        ("rules of gates", "gate.toml", b"rules = " + LONG, "gate.toml: not TOML: it has a number"),
        ("plans", "plan.toml", b"step = " + DEEP, "plan.toml: not TOML: it is nested too deeply"),
        ("recipes", "own.toml", b"a = " + LONG, "own.toml: not TOML: it has a number of thousands"),
        ("costs", "own.json", DEEP, "own.json: the record of costs is not JSON: it is nested too "),
        ("curves", "own.json", DEEP, "own.json: not a curve of `facebench prune "),
        ("diagnostics", "diagnostics/own.json", DEEP, "the file of diagnostics is not JSON: it is"),
        ("records", "own.json", DEEP, "own.json: not a complete JSON record: it is nested too dee"),
        ("records", "own.json", b'{"a": ' + LONG + b"}", "JSON record: it has a number of thousa"),
        ("options", "option.txt", b"1e999", ""),
        ("face detectors", "yunet.onnx", flat_onnx(), "yunet.onnx is not a YuNet face detector"),
        (
            *("model cards", "card.toml"),
            NAMELESS,
            "card.toml: field 'weights': 'a\\x00.onnx' is the name of no file",
        ),
        ("options", "option.txt", LONG, ""),
        ("metrics", "own.metric.safetensors", b"PK", "own.metric.safetensors: not a metric file"),
        ("packed weights", "weights.safetensors", b"", "truncated or not safetensors"),
        ("checkpoints", "final.pt", b"PK\x03\x04", "final.pt: not a checkpoint: PytorchStreamRead"),
    ],
)  # fmt: skip
def test_depth_digits_and_foreign_bytes_are_one_line(
    target: str, file: str, data: bytes, line: str, tmp_path: Path
) -> None:
    said = read(target, {file: data}, tmp_path)
    assert line in said and bool(line) == bool(said)


def header(text: bytes) -> bytes:
    """An .npy file that begins with a text in place of its header."""
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + b"\0" * 64


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (header(b"{'descr': ("), "EOF in multi-line statement"),
        (header(b"{[]:1}\n"), "unhashable type: 'list'"),
        (header(b"{'descr': '<f8', 'fortran_order': False, 'shape': (True,2), }\n"), ""),
        (b"PK\x03\x04" + b"x" * 50, "File is not a zip file"),
        (array_bytes()[:-3], "mmap length"),
    ],
)
def test_damaged_arrays_are_one_line(data: bytes, line: str, tmp_path: Path) -> None:
    said = read("embeddings (.npy)", {"faces.npy": data, "names.txt": b"a\nb\n"}, tmp_path)
    assert (said.startswith("faces.npy") and "save it with numpy.save" in said) or line == ""
    assert any(word in said for word in line.split("|"))


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda v: v["points"][2].update(model=[]), "field 'points.2.model': must be text"),
        (lambda v: v["points"][1].update(parameters=float("inf")), "must be a finite number"),
        (lambda v: v["points"][0].update(of=0), "field 'points.0.of': must be above 0"),
        (lambda v: v["points"][0].update(of=10**400), "it has the whole number 100000"),
        (lambda v: v["points"][1].update(accuracy=1e-12), "must be a table of fields"),
        (lambda v: v["points"][1].update(accuracy=None), "must be a table of fields"),
        (lambda v: v["points"][1].update(accuracy="a name"), "must be a table of fields"),
        (lambda v: v["points"][2].update(intervals=1), "must be a table of fields"),
        (lambda v: v["points"][1].update(intervals={"lfw": [0.5]}), "lfw.1' is missing"),
        (lambda v: v["points"][1].update(colour="red"), "unknown field 'points.1.colour'"),
        (lambda v: v["removed"].update(a=[{}]), "field 'removed.a': must be a table of fields"),
        (lambda v: v.update(layers=None), "field 'layers': must be a table of fields"),
        (lambda v: v.pop("points"), "it has no 'points'"),
        (lambda v: v["layers"].update(a=1e-12), "field 'layers.a': must be a whole number"),
        (lambda v: v["layers"].update(a=0), ""),
    ],
)
def test_wrong_fields_of_a_curve_are_one_line(change: Change, line: str, tmp_path: Path) -> None:
    values = json.loads(shipped("reports/results/diagnostics/filters/*.json")[0])
    change(values)
    assert line in read("curves", {"own.json": json.dumps(values).encode()}, tmp_path)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda v: v["statistics"]["accuracy"]["thresholds"].pop(), "must be of one length"),
        (lambda v: v["statistics"]["accuracy"]["folds"].append(11), "must be of one length"),
        (lambda v: v["curve"]["false_accepts"].pop(), "must be of one length"),
        (lambda v: v["comparisons"].update(mated=10**400), "it has the whole number 1000000000"),
        (lambda v: v["statistics"]["accuracy"].update(value=float("nan")), "must be a finite"),
        (
            lambda v: v["statistics"]["tar_at_far"][0].update(true_accepts=10**400),
            "it has the whole number 1000000000",
        ),
        (
            lambda v: v["statistics"]["tar_at_far"][0].update(true_accepts="9" * 40),
            "field 'true_accepts' must have whole numbers of 64 bits",
        ),
        (
            lambda v: v["statistics"]["tar_at_far"][0].update(true_accepts=1e30),
            "true_accepts': must be a whole number of 64 bits, not 1e+30",
        ),
        (lambda v: v["protocol"].update(name="\ud800"), "it has half of a letter, U+D800"),
    ],
)
def test_wrong_fields_of_a_sealed_record_are_one_line(
    change: Change, line: str, tmp_path: Path
) -> None:
    values, beside = kept_records()[0]
    values = json.loads(json.dumps(values))
    change(values)
    values[SEAL] = seal_of(values)
    said = read("records", {"own.json": json.dumps(values).encode(), **beside}, tmp_path)
    assert said.startswith("own.json: ") and line in said


def test_scores_of_a_name_that_no_file_has_are_not_there(tmp_path: Path) -> None:
    values, _ = kept_records()[0]
    values = json.loads(json.dumps(values))
    values["scores"]["file"] = "x" * 300
    values[SEAL] = seal_of(values)
    assert read("records", {"own.json": json.dumps(values).encode()}, tmp_path) == ""


def test_curves_over_false_accepts_need_comparisons_that_may_be_accepted(tmp_path: Path) -> None:
    values = json.loads(shipped("reports/results/lfw-closed/*/baseline-*.json")[0])
    assert values["comparisons"]["nonmated"] == 0
    values["series"][0]["name"] = "DIR"
    values[SEAL] = seal_of(values)
    said = read("records", {"own.json": json.dumps(values).encode()}, tmp_path)
    assert "its curve 'DIR' is over false accepts, of which it has no comparisons" in said


def test_searches_have_a_value_of_every_draw(tmp_path: Path) -> None:
    values = json.loads(shipped("reports/results/lfw-closed/*/baseline-*.json")[0])
    values["statistics"]["number_of_parts"] = 10**18  # a row of the page each
    values[SEAL] = seal_of(values)
    said = read("records", {"own.json": json.dumps(values).encode()}, tmp_path)
    assert "rank-1 must have a value for each of number_of_parts" in said


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda c: c | {"scores": c["scores"].astype(np.int8)}, "not a file of scores: scores is"),
        (lambda c: {name: one[:0] for name, one in c.items()}, "not those of its scores"),
        (lambda c: {name: one.reshape(-1, 1) for name, one in c.items()}, "not a file of scores"),
        (lambda c: {n: one for n, one in c.items() if n != "right_subjects"}, "give both"),
        (lambda c: c | {"scores": np.full_like(c["scores"], np.nan)}, "not that of its scores"),
    ],
)
def test_other_columns_of_scores_are_one_line(
    change: Callable[[dict[str, Any]], dict[str, Any]], line: str, tmp_path: Path
) -> None:
    import hashlib

    from tests.fuzz.targets.records import two_records

    values, beside = kept_records()[0]
    values = json.loads(json.dumps(values))
    table = two_records()[0].table
    assert table is not None
    columns = change(safetensors.numpy.load(table.to_bytes()))
    data = safetensors.numpy.save({n: np.ascontiguousarray(one) for n, one in columns.items()})
    name = values["scores"]["file"]
    values["scores"]["sha256"] = hashlib.sha256(data).hexdigest()
    values[SEAL] = seal_of(values)
    files = {**beside, "own.json": json.dumps(values).encode(), name: data}
    said = read("scores", files, tmp_path)
    assert said.startswith(("own.json: ", name)) and line in said


@pytest.mark.parametrize("packing", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_every_packing_of_a_zip_may_be_damaged(packing: int, tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", packing) as archive:
        for name in "abcd":
            archive.writestr(f"{name}.jpg", jpeg_crop())
    data = bytearray(out.getvalue())
    begin = data.index(b"a.jpg") + 5
    data[begin : begin + 40] = b"\xff" * 40
    said = read("zips of crops", {"index.csv": INDEX, "crops.zip": bytes(data)}, tmp_path)
    assert said.startswith("crops.zip: cannot read a.jpg: it is damaged (")


@pytest.mark.parametrize(
    ("offset", "data", "line"),
    [
        (10, struct.pack("<H", 99), "it is damaged (That compression method is not supported)"),
        (8, struct.pack("<H", 1), "it is damaged (File 'a.jpg' is encrypted, password required"),
        (6, struct.pack("<H", 99), "zip file version 9.9"),
    ],
)
def test_zips_of_other_kinds_are_one_line(
    offset: int, data: bytes, line: str, tmp_path: Path
) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in "abcd":
            archive.writestr(f"{name}.jpg", jpeg_crop())
    changed = bytearray(out.getvalue())
    at = changed.index(b"PK\x01\x02") + offset  # of its first member, in the directory at the end
    changed[at : at + 2] = data
    said = read("zips of crops", {"index.csv": INDEX, "crops.zip": bytes(changed)}, tmp_path)
    assert said.startswith("crops.zip: cannot read a.jpg: ") and line in said


@pytest.mark.parametrize("index", [b"", b"file,source,identity\n", b"\x00", b"file,source\n1,2\n"])
def test_indexes_of_zips_without_rows_are_one_line(index: bytes, tmp_path: Path) -> None:
    files = {"index.csv": index, "crops.zip": b""}
    assert read("zips of crops", files, tmp_path / "crops").startswith("index.csv")
    assert read("zips of faces", files, tmp_path / "faces").startswith("index.csv")


def test_graphs_that_onnx_cannot_order_are_one_line(tmp_path: Path) -> None:
    model = onnx.load_from_string(flat_onnx())
    model.graph.node[1].input[1] = "y"  # of itself
    said = read("ONNX", {"own.onnx": model.SerializeToString()}, tmp_path)
    assert said.startswith("own.onnx: ")


@pytest.mark.parametrize("value", [[1, 2], {"net": 1}, {}, 3])
def test_other_torch_files_are_no_checkpoints(value: object, tmp_path: Path) -> None:
    said = read("checkpoints", {"final.pt": saved(value)}, tmp_path)
    assert said.startswith("final.pt: not ") and "checkpoint" in said


def test_pickled_code_in_place_of_a_checkpoint_is_not_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.fuzz.targets.programs import Loaded

    said = read("checkpoints", {"final.pt": saved(Loaded())}, tmp_path)
    assert "it holds other things than tensors and plain values" in said
    assert "weights_only" not in said and capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("file", "data", "line"),
    [
        ("published.json", b"{", "published.json: not of a folder of work: Expecting"),
        (
            "published.json",
            b"{}",
            "published.json: not of a folder of work: it has no 'sha256'; rem",
        ),
        (
            "precision.json",
            b"[]",
            "precision.json: not a precision: it is no table of fields; write ",
        ),
        ("log.csv", b"", "log.csv: not the log of a training (any more)"),
    ],
)
def test_damaged_files_of_a_folder_of_work_say_what_to_do(
    file: str, data: bytes, line: str, tmp_path: Path
) -> None:
    right = {
        "log.csv": b"step,identity,faces_per_second\n100,5.1,900.0\n",
        "published.json": b'{"sha256": "0"}',
        "precision.json": b'{"chosen": "float32"}',
        "identities.txt": b"A\n",
    }
    assert read("folders of work", {**right, file: data}, tmp_path).startswith(line)


def test_rows_of_a_page_that_are_no_numbers_are_one_line(tmp_path: Path) -> None:
    table = shipped("docs/tables/ablation.csv")[0].replace(b"0.", b"x.")
    files = {"own.csv": table, "own.toml": shipped("docs/tables/ablation.toml")[0]}
    said = read("rows of pages", files, tmp_path)
    assert said.startswith("own.csv: a field is not of the form that own.toml says: could not conv")


def test_a_bank_of_other_arrays_is_one_line(tmp_path: Path) -> None:
    answers = io.BytesIO()
    np.savez(answers, targets=np.float16(1), sources=np.zeros((1024, 2), np.int32))
    files = {"faces-00000.npy": array_bytes(), "answers-00000.npz": answers.getvalue()}
    said = read("banks (.npz)", files, tmp_path)
    assert "part 0 of the bank cannot be read: its faces and what is known of them do not" in said
    assert said.endswith("remove answers-00000.npz, and it is written again")


def test_a_deep_manifest_of_the_store_is_passed_over(tmp_path: Path) -> None:
    files = TARGETS["stored embeddings"].files(0, 0)
    manifest = next(name for name in files if name.endswith("manifest.json"))
    assert read("stored embeddings", {manifest: DEEP}, tmp_path) == ""


def test_state_dicts_and_pickles_are_no_programs(tmp_path: Path) -> None:
    from random import Random

    for number in range(6):
        data = foreign_torch_file(Random(number))
        said = read("TorchScript", {"own.pt": data}, tmp_path / str(number))
        assert said.startswith("own.pt: ")


def torchscript(change: Callable[[bytes], bytes]) -> bytes:
    """A program whose main pickle is changed."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(script_bytes())) as before,
        zipfile.ZipFile(out, "w") as after,
    ):
        for name in before.namelist():
            part = before.read(name)
            after.writestr(name, change(part) if name.endswith("/data.pkl") else part)
    return out.getvalue()


def test_a_program_that_claims_gigabytes_of_text_takes_none(tmp_path: Path) -> None:
    at = b"X" + struct.pack("<I", len("training"))  # of a name of a module's field
    claim = torchscript(lambda part: part.replace(at, b"X" + struct.pack("<I", 2**31 - 1)))
    assert claim != torchscript(bytes)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    said = read("TorchScript", {"own.pt": claim}, tmp_path)
    assert (
        said == "own.pt: not a TorchScript file: it is cut short or damaged; copy or save it again"
    )
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500 << 10
    assert read("TorchScript", {"own.pt": torchscript(bytes)}, tmp_path / "right") == ""


def test_a_few_bytes_do_not_unfold_to_gigabytes_of_weights(tmp_path: Path) -> None:
    header = {
        **{"format": "facebench-packed", "version": 1, "dtype": "float16", "metadata": {}},
        "sparse": {"w.weight": [1 << 28]},
    }
    tensors = {"w.weight.kept": np.ones(0, np.float16), "w.weight.gaps": np.zeros(0, np.uint16)}
    data = safetensors.numpy.save(tensors, metadata={"facebench": json.dumps(header)})
    said = read("packed weights", {"weights.safetensors": data}, tmp_path)
    assert "unfolds to more than the 16,777,216 weights that are taken of its size" in said
