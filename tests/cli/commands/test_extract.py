"""``facebench extract``."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import facebench

Run = Callable[..., "Result"]  # noqa: F821
MODEL = ("tiny_model:pinned", "-p", "lfw", "--workers", "0")
STORE = "embeddings"


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("SLURM_") or name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
            monkeypatch.delenv(name)


def stored() -> dict[str, bytes]:
    folder = Path(os.environ["FACEBENCH_CACHE"]) / STORE
    return {p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_eval_finds_what_was_extracted(run: Run, faces: Path) -> None:
    made = run("extract", *MODEL, "--data", faces, "--shard", "1/2")
    assert made.code == 0, made.err
    assert made.out == "pinned on lfw: shard 1/2: 36 faces in 1 of 1 files; all are there\n"
    found = run("eval", "-m", *MODEL, "--data", faces, "--draws", "20")
    assert found.code == 0 and "0 faces embedded, 36 from the store" in found.err


def test_what_is_written_is_read_as_embeddings(run: Run, faces: Path, tmp_path: Path) -> None:
    npy = tmp_path / "mine.npy"
    made = run("extract", *MODEL, "--data", faces, "-o", npy)
    assert made.code == 0 and "36 embeddings in" in made.out
    assert np.load(npy).shape == (36, 168)
    results = [
        run("eval", *what, "-p", "lfw", "--data", faces, "--draws", "20", "--format", "csv")
        for what in (("--embeddings", npy, "--names", npy.with_suffix(".txt")), ("-m", *MODEL[:1]))
    ]
    one, other = (result.out.splitlines() for result in results)
    accuracy = one[0].split(",").index("accuracy")
    assert one[1].split(",")[accuracy] == other[1].split(",")[accuracy]


def test_variables_divide_the_work(run: Run, faces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "1")
    monkeypatch.setenv("SLURM_ARRAY_TASK_COUNT", "2")
    made = run("extract", *MODEL, "--data", faces)
    assert made.out == "pinned on lfw: shard 2/2: 0 faces in 0 of 1 files; 0 are there\n"
    both = run("extract", *MODEL, "--data", faces, "--shard", "1/2")
    assert both.code == 2 and "SLURM_ARRAY_TASK_ID=1" in both.line and "say 2/2" in both.line
    assert run("extract", *MODEL, "--data", faces, "--shard", "1/1").out.startswith(
        "pinned on lfw: 36 faces in 1 of 1 files"
    )


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--shard", "3/2"), "not i/n with i from 1 to n"),
        (("-o", "mine.txt"), "embeddings are written as .npy"),
        (("-o", "mine.npy", "-p", "lfw-open"), "takes one model on one protocol"),
    ],
)
def test_what_cannot_be_is_one_line(
    run: Run, faces: Path, words: tuple[str, ...], line: str
) -> None:
    ended = run("extract", *MODEL, "--data", faces, *words)
    assert ended.code == 2 and line in ended.line
    assert not stored()


@pytest.mark.parametrize("words", [("--shard", "1/2"), ("--cluster", "local:2")])
def test_several_machines_do_not_each_measure(
    run: Run, faces: Path, words: tuple[str, ...]
) -> None:
    ended = run("extract", *MODEL, "--data", faces, *words, "--runtime", "auto")
    assert ended.code == 2 and "name the runtime, e.g. --runtime onnxruntime" in ended.line
    assert not stored()


def test_a_model_that_cannot_be_kept_is_told(run: Run, faces: Path) -> None:
    ended = run("extract", "tiny_model:make", *MODEL[1:], "--size", "112x96", "--data", faces)
    assert ended.code == 2 and "cannot keep its embeddings" in ended.err


def test_merge_takes_what_others_made(
    run: Run, faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("extract", *MODEL, "--data", faces)
    first, expected = os.environ["FACEBENCH_CACHE"], stored()
    monkeypatch.setenv("FACEBENCH_CACHE", str(tmp_path / "other"))
    merged = run("store", "merge", first)
    assert merged.code == 0 and "1 of 1" in merged.out
    assert stored() == expected
    empty = run("store", "merge", tmp_path / "nowhere")
    assert empty.code == 2 and "holds no embeddings" in empty.line


@pytest.mark.slow
def test_torchrun_gives_each_rank_a_share(run: Run, faces: Path, work: Path) -> None:
    expected = run("extract", *MODEL, "--data", faces)
    assert expected.code == 0
    whole = stored()
    cache = work / "torchrun"
    root = str(Path(facebench.__file__).parents[1])
    words = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "facebench", "extract"]
    subprocess.run(
        [sys.executable, *words, *MODEL, "--data", str(faces)],
        check=True,
        cwd=work,
        env={**os.environ, "FACEBENCH_CACHE": str(cache), "PYTHONPATH": f"{root}:{work}"},
        timeout=300,
    )
    found = {p.name: p.read_bytes() for p in (cache / STORE).rglob("*") if p.is_file()}
    assert found == whole
