"""``facebench eval``: what goes to standard output, what into files, and in which format."""

from __future__ import annotations

import csv
import io
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from facebench.records.files import read_record
from facebench.records.record import Record

Run = Callable[..., "Result"]  # noqa: F821
MODEL = "tiny_model:make"
TINY = ("--size", "112x96", "--workers", "0", "--draws", "20", "-p", "lfw")


def test_table_on_stdout_record_in_the_cache_and_nothing_in_the_folder(
    run: Run, faces: Path, work: Path
) -> None:
    ended = run("eval", "-m", MODEL, *TINY, "--data", faces)
    assert ended.code == 0
    assert "tiny_model:make" in ended.out and "signatures" in ended.out
    assert "NOT THE PUBLISHED LIST: 24 pairs" in " ".join(ended.out.split())
    assert [path.name for path in work.iterdir() if path.name != "__pycache__"] == ["tiny_model.py"]
    records = list(Path(os.environ["FACEBENCH_CACHE"]).rglob("records/**/*.json"))
    assert len(records) == 1 and str(records[0]) in ended.err.replace("\n", "")
    record = read_record(records[0])
    assert record.comparisons.total == 24 and record.table is not None
    assert "signatures: --format md or html" in ended.out and "|protocol:" not in ended.out


def test_several_models_stand_in_one_table(run: Run, faces: Path, tmp_path: Path) -> None:
    ended = run(
        "eval", "-m", MODEL, "-m", "tiny_model:dark", *TINY, "--data", faces, "--format", "md",
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert ended.out.count("### ") == 1 and "vs tiny" in ended.out
    assert len(list((tmp_path / "out").rglob("*.json"))) == 2


def test_a_record_is_kept_when_a_later_model_fails(run: Run, faces: Path, tmp_path: Path) -> None:
    ended = run(
        "eval", "-m", MODEL, "-m", "tiny_model:broken", *TINY, "--data", faces,
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert ended.code == 2 and "NaN" in ended.err
    (path,) = (tmp_path / "out").rglob("*.json")
    assert read_record(path).model.id == "tiny_model:make"


def test_records_of_other_settings_stay(run: Run, faces: Path, tmp_path: Path) -> None:
    for more in ((), ("--flip", "add"), ("--rule", "facenet-grid"), ()):
        run("eval", "-m", MODEL, *TINY, "--data", faces, "--out", tmp_path / "out", *more)
    paths = list((tmp_path / "out").rglob("*.json"))
    assert len(paths) == 3 and all(read_record(path).table is not None for path in paths)


@pytest.mark.parametrize("format", ["json", "csv", "html", "md", "table"])
def test_formats_to_a_file_leave_stdout_empty(
    run: Run, faces: Path, tmp_path: Path, format: str
) -> None:
    path, plot = tmp_path / "result", tmp_path / "roc.svg"
    ended = run(
        "eval", "-m", MODEL, *TINY, "--data", faces, "--format", format, "--output", path,
        "--plot", plot, "--quiet", "--align", "centre",
    )  # fmt: skip
    (told,) = ended.err.splitlines()  # however quiet: the model is a function
    assert (ended.code, ended.out) == (0, "") and "no hash covers" in told
    text = path.read_text("utf-8")
    assert "tiny_model:make" in text.replace("\\", "") and plot.read_text().startswith("<?xml")
    if format == "json":
        assert Record.model_validate(json.loads(text)[0]).protocol.name == "lfw"
    if format == "csv":
        assert next(csv.DictReader(io.StringIO(text)))["comparisons"] == "24"


def test_stdout_of_json_is_json_alone(run: Run, faces: Path) -> None:
    ended = run("eval", "-m", MODEL, *TINY, "--data", faces, "--format", "json", "--profile")
    assert len(json.loads(ended.out)) == 1
    assert "wall time" in ended.err


def test_embeddings_give_the_numbers_of_their_model(
    run: Run, faces: Path, tmp_path: Path, work: Path
) -> None:
    import tiny_model  # type: ignore[import-not-found]

    from facebench.faces.align.aligners import CentreCrop
    from facebench.faces.lfw.folder import LfwSource

    source = LfwSource(faces)
    keys = source.keys()
    crops = [CentreCrop()(key, source.read(key), (112, 96)) for key in keys]
    np.save(tmp_path / "e.npy", tiny_model.make()(np.stack(crops)))
    (tmp_path / "n.txt").write_text("\n".join(keys))
    brought = ("--embeddings", tmp_path / "e.npy", "--names", tmp_path / "n.txt")
    direct = run("eval", "-m", MODEL, *TINY, "--data", faces, "--format", "json")
    seen = run("eval", *brought, *TINY[2:], "--data", faces, "--format", "json")
    unseen = run("eval", *brought, *TINY[2:], "--pairs", faces / "pairs.txt", "--format", "json")
    values = [json.loads(ended.out)[0] for ended in (direct, seen, unseen)]
    assert values[0]["statistics"]["auc"]["value"] == values[1]["statistics"]["auc"]["value"]
    assert values[1]["statistics"] == values[2]["statistics"]
    assert values[0]["data"]["fingerprint"] == values[1]["data"]["fingerprint"]
    assert values[2]["data"]["fingerprint"] == "lfw-unseen"
    assert values[1]["alignment"] == "unknown (embeddings were given)"


def test_rule_and_missing_images_are_in_the_record(run: Run, faces: Path) -> None:
    (faces / "lfw" / "Person_A" / "Person_A_0001.jpg").unlink()
    ended = run(
        "eval", "-m", MODEL, *TINY, "--data", faces, "--format", "json", "--rule", "facenet-grid",
        "--on-missing", "count",
    )  # fmt: skip
    (value,) = json.loads(ended.out)
    assert value["rule"] == "facenet-grid"
    assert value["statistics"]["accuracy"]["threshold_unit"] == "squared L2 distance"
    assert value["failures_to_acquire"]["faces"] == 1
    assert value["failures_to_acquire"]["comparisons"] == 2
    assert value["comparisons"]["total"] == 24


def test_a_bin_file_knows_no_people(run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = []
    for _ in range(40):
        noise = rng.integers(0, 255, (112, 112, 3), dtype=np.uint8)
        images.append(cv2.imencode(".jpg", noise)[1].tobytes())
    (tmp_path / "cfp_fp.bin").write_bytes(pickle.dumps((images, [n % 2 == 0 for n in range(20)])))
    arguments = ("--size", "112x96", "--workers", "0", "--draws", "20", "--format", "json")
    ended = run("eval", "-m", MODEL, *arguments, "-p", "cfp-fp", "--data", tmp_path / "cfp_fp.bin")
    (value,) = json.loads(ended.out)
    assert value["comparisons"]["subjects"] is None and value["comparisons"]["folds"] == 10
    assert value["statistics"]["auc"]["interval"]["kind"] == "wilson over comparisons"
    assert value["statistics"]["accuracy"]["spread_kind"] == "standard deviation"
    assert value["alignment"] == "template-crop"


def test_scores_of_two_systems_stand_in_one_table_and_are_compared(run: Run, work: Path) -> None:
    (work / "staff.toml").write_text(
        'name = "staff"\nkind = "verification"\nversion = 1\ntitle = "Staff"\nsource = "Us"\n'
        'dataset = "staff"\nfolds = 2\ntargets = [0.1]\n'
    )
    rng = np.random.default_rng(0)
    for name in ("old", "new"):
        rows = ["image_a,image_b,same,fold,subject_a,subject_b,score"]
        for person in range(40):
            one, two = f"p{person:02d}", f"p{person // 2 * 2 + (person + 1) % 2:02d}"
            fold = 1 + person // 2 % 2
            rows.append(f"{one}/a.jpg,{one}/b.jpg,1,{fold},{one},{one},{rng.normal(2, 1):.4f}")
            rows.append(f"{one}/a.jpg,{two}/b.jpg,0,{fold},{one},{two},{rng.normal(0, 1):.4f}")
        (work / f"{name}.csv").write_text("\n".join(rows) + "\n")
    scores = ("--scores", "old.csv", "--scores", "new.csv", "-p", "staff.toml")
    ended = run("eval", *scores, "--draws", 20, "--out", "records")
    assert ended.code == 0 and "vs old" in ended.out and "new is not told apart" in ended.out
    told = run("report", "run", *sorted(Path("records").rglob("*.json"))).out
    assert "80 pairs (40 mated) in 2 folds, subjects: 40" in told
    ended = run("compare", "old", "new", "-p", "staff", "--records", "records")
    assert ended.code == 0, ended.err
    assert "no effect" in run("eval", *scores, "--similarity", "projection").line
    assert "no effect" in run("eval", *scores, "--align", "centre").line
