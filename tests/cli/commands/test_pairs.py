"""``facebench pairs``: parts of all pairs, and the evaluation that finds them."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "Result"]  # noqa: F821
MODEL = ("tiny_model:pinned", "-p", "lfw-all-pairs", "--workers", "0")


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("SLURM_") or name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
            monkeypatch.delenv(name)


def kept() -> list[str]:
    folder = Path(os.environ["FACEBENCH_CACHE"]) / "pairs"
    return sorted(path.name for path in folder.rglob("part-*"))


def digest_of(result: object) -> str:
    return str(result.err).split("digest ")[1].split(")")[0]  # type: ignore[attr-defined]


def test_parts_are_walked_once_and_found(
    run: Run, faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("eval", "-m", *MODEL, "--data", faces, "--draws", "20")
    whole = run(*words)
    assert whole.code == 0 and not kept(), whole.err
    for number, there in ((1, "1 are there"), (2, "all are there")):
        made = run("pairs", *MODEL, "--data", faces, "--shard", f"{number}/2")
        assert made.code == 0, made.err
        pairs = 630 if number == 1 else 0  # one block, which the first part has
        assert made.out.startswith(f"pinned on lfw-all-pairs: shard {number}/2: {pairs} pairs in")
        assert made.out.endswith(f"part {number} of 2; {there}\n")
    assert kept() == ["part-000001-of-000002.safetensors", "part-000002-of-000002.safetensors"]
    again = run("pairs", *MODEL, "--data", faces, "--shard", "1/2")
    assert again.out.endswith("shard 1/2: was there, part 1 of 2; all are there\n")
    anew = run("pairs", *MODEL, "--data", faces, "--shard", "1/2", "--no-store")
    assert "shard 1/2: 630 pairs in" in anew.out
    assert digest_of(run(*words)) == digest_of(whole)
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    asked = run("store", "clear")
    assert "of parts of all pairs in" in asked.out and "nothing was removed" in asked.out
    assert len(kept()) == 2
    cleared = run("store", "clear", "--yes")
    assert cleared.code == 0 and not kept()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("tiny_model:pinned", "-p", "lfw"), "has no pairs of all faces to divide"),
        (("tiny_model:pinned", "-p", "lfw-all-pairs", "--shard", "3/2"), "not i/n"),
        (("-p", "lfw-all-pairs"), "name a model"),
        (("-p", "lfw-all-pairs", "--embeddings", "mine.npy"), "1 --embeddings and 0 --names"),
    ],
)
def test_what_cannot_be_is_one_line(
    run: Run, faces: Path, words: tuple[str, ...], line: str
) -> None:
    ended = run("pairs", *words, "--data", faces)
    assert ended.code == 2 and line in ended.line
    assert not kept()


def test_a_model_that_the_store_cannot_keep_has_parts(run: Run, faces: Path) -> None:
    """Parts are known by the embeddings themselves."""
    words = ("tiny_model:make", *MODEL[1:], "--size", "112x96", "--data", faces)
    made = run("pairs", *words, "--template", "fp16,int8", "--shard", "1/1")
    assert made.code == 0 and made.out.count("all are there") == 2
    assert len(kept()) == 2


def test_parts_of_other_machines_are_taken_over(
    run: Run,
    faces: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    words = ("eval", "-m", *MODEL, "--data", faces, "--draws", "20")
    whole = run(*words)
    there = tmp_path / "there"
    monkeypatch.setenv("FACEBENCH_CACHE", str(there))
    run("pairs", *MODEL, "--data", faces, "--shard", "1/2")
    run("pairs", *MODEL, "--data", faces, "--shard", "2/2")
    (first, _) = sorted(there.rglob("part-*"))
    first.with_name("part-000009-of-000009.safetensors").write_bytes(first.read_bytes())
    monkeypatch.setenv("FACEBENCH_CACHE", str(tmp_path / "here"))
    taken = run("store", "merge", there)
    assert taken.code == 0 and "2 parts of all pairs taken" in taken.out, taken.err
    assert "part-000009-of-000009.safetensors is damaged and was not taken" in caplog.text
    assert len(kept()) == 2 and digest_of(run(*words)) == digest_of(whole)
