"""Bad input: one line, exit code 2, and nothing written."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

Run = Callable[..., "Result"]  # noqa: F821
Written = Callable[[], dict[str, bytes]]
MODEL = "tiny_model:make"
PINNED = "tiny_model:pinned"
TINY = ("--size", "112x96", "--workers", "0", "--draws", "20", "-p", "lfw", "-q")


@pytest.fixture
def refused(run: Run, faces: Path, tmp_path: Path, written: Written) -> Callable[..., str]:
    """refused("-m", ...) -> the line; everything else about a refusal is checked here."""

    def refused(*arguments: object, data: Path = faces) -> str:
        before = written()
        output = ("--output", tmp_path / "result", "--out", tmp_path / "records")
        sized = "-m" in arguments and PINNED not in arguments  # else a size has no effect
        tiny = TINY if sized else TINY[2:]
        ended = run("eval", *tiny, *output, *arguments, "--data", data)
        assert ended.code == 2
        line = ended.line
        assert written() == before
        assert not (tmp_path / "records").exists()
        return line

    return refused


Refused = Callable[..., str]


def image(faces: Path) -> Path:
    return faces / "lfw" / "Person_C" / "Person_C_0002.jpg"


def test_truncated_image(refused: Refused, faces: Path) -> None:
    path = image(faces)
    path.write_bytes(path.read_bytes()[:-900])
    line = refused("-m", MODEL)
    assert "Person_C/Person_C_0002.jpg" in line and "truncated" in line


def test_name_in_pairs_that_does_not_exist(refused: Refused, faces: Path) -> None:
    pairs = faces / "pairs.txt"
    pairs.write_text(pairs.read_text().replace("Person_B\t1\t2", "Nobody_B\t1\t2"))
    line = refused("-m", MODEL)
    assert "Nobody_B/Nobody_B_0001.jpg" in line and "--on-missing count" in line


def test_an_absent_image_is_told_before_its_absent_landmarks(refused: Refused, faces: Path) -> None:
    names = [path.relative_to(faces / "lfw").as_posix() for path in faces.rglob("*.jpg")]
    row = "\t104\t112\t145\t112\t125\t137\t108\t157\t144\t157\n"
    (faces / "landmarks.txt").write_text("".join(name + row for name in names))
    pairs = faces / "pairs.txt"
    pairs.write_text(pairs.read_text().replace("Person_B\t1\t2", "Nobody_B\t1\t2"))
    line = refused("-m", MODEL)
    assert "no such image" in line and "landmarks" not in line


def test_empty_pairs(refused: Refused, faces: Path) -> None:
    (faces / "pairs.txt").write_text("")
    assert "pairs.txt is empty" in refused("-m", MODEL)


def test_pairs_that_are_not_utf8(refused: Refused, faces: Path) -> None:
    (faces / "pairs.txt").write_bytes("3\t4\nJosé\t1\t2\n".encode("latin-1"))
    line = refused("-m", MODEL)
    assert "pairs.txt, line 2" in line and "UTF-8" in line


def test_weights_whose_hash_differs(refused: Refused, work: Path) -> None:
    (work / "models" / "weights").mkdir(parents=True)
    save_file({"x": np.zeros(3, np.float32)}, work / "models" / "weights" / "mine.safetensors")
    (work / "models" / "mine.toml").write_text(
        'name = "mine"\ntitle = "Mine"\narchitecture = "convnet"\nwidth = 0.5\n'
        f'weights = "weights/mine.safetensors"\nsha256 = "{"0" * 64}"\n'
        "[preprocessing]\nsize = [112, 96]\n"
    )
    line = refused("-m", "mine")
    assert "mine.safetensors" in line and ("SHA-256" in line or "hash" in line)


def test_nan_embeddings_in_a_file(refused: Refused, faces: Path, tmp_path: Path) -> None:
    vectors = np.ones((3, 4), np.float32)
    vectors[1, 2] = np.nan
    np.save(tmp_path / "e.npy", vectors)
    (tmp_path / "n.txt").write_text("a\nb\nc\n")
    line = refused("--embeddings", tmp_path / "e.npy", "--names", tmp_path / "n.txt")
    assert "NaN" in line and "row 1 (b)" in line


def test_nan_embeddings_of_a_model(refused: Refused) -> None:
    assert "NaN" in refused("-m", "tiny_model:broken")


def test_unknown_model_suggests_the_nearest(refused: Refused, work: Path) -> None:
    (work / "models").mkdir()
    (work / "models" / "sparse_074.toml").write_text("")
    assert "did you mean 'sparse_074'?" in refused("-m", "sparse_74")


def test_the_last_model_is_checked_before_the_first_is_run(refused: Refused) -> None:
    assert "unknown model 'nothing'" in refused("-m", MODEL, "-m", "nothing")


def test_two_models_of_one_name(refused: Refused) -> None:
    assert "2 models are called" in refused("-m", MODEL, "-m", MODEL)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--rule", "exakt"), "did you mean 'exact'?"),
        (("--similarity", "cosin"), "did you mean 'cosine'?"),
        (("--align", "landmark"), "did you mean 'landmarks'?"),
        (("-p", "lwf"), "did you mean 'lfw'?"),
        (("--plot", "roc.jpg"), "the ending must be one of .png, .svg, .pdf"),
        (("--plot", "no/such/roc.png"), "there is no folder no/such"),
        (("--plot", "roc.svg", "--output", "./roc.svg"), "are the same file"),
        (("--out", "tiny_model.py/a/b"), "tiny_model.py is not a folder"),
        (("--embeddings", "e.npy"), "1 --embeddings and 0 --names"),
        (("--batch", "0"), "batch is 0"),
        (("--draws", "-1"), "draws is -1"),
        (("--landmarks", "none.txt"), "none.txt"),
        (("--align", "yunet", "--detector", "none.onnx"), "none.onnx"),
        (("--mean", "x"), "--mean 'x'"),
    ],
)
def test_wrong_options(refused: Refused, arguments: tuple[str, ...], says: str) -> None:
    assert says in refused("-m", MODEL, *arguments)


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (("--flip", "concat", "--align", "yunet"), "--align, --flip can have no effect"),
        (("--align", "auto"), "--align can have"),
        (("--output-name", "x"), "--output-name can have"),
        (("--landmarks", "none.txt"), "--landmarks can have"),
    ],
)
def test_options_without_effect_on_embeddings(
    refused: Refused, arguments: tuple[str, ...], options: str
) -> None:
    line = refused("--embeddings", "e.npy", "--names", "n.txt", *arguments)
    assert options in line


def test_landmarks_that_the_alignment_does_not_use(refused: Refused) -> None:
    line = refused("-m", MODEL, "--align", "centre", "--landmarks", "nosuch.txt")
    assert "--landmarks nosuch.txt has no effect with --align centre" in line


def test_a_result_in_the_way_of_the_records(refused: Refused) -> None:
    assert "in the way of --out" in refused("-m", MODEL, "--output", "x", "--out", "x/y")


def test_no_model_and_no_protocol(run: Run) -> None:
    assert "--model" in run("eval", "-p", "lfw").line
    assert "--protocol" in run("eval", "-m", MODEL).line


def test_folder_that_is_not_there(refused: Refused, tmp_path: Path) -> None:
    assert str(tmp_path / "none") in refused("-m", MODEL, data=tmp_path / "none")


def test_unreadable_folder(refused: Refused, faces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        faces.chmod(0)
    else:  # root reads everything
        scandir = os.scandir

        def denied(path: object = ".") -> Iterator[os.DirEntry[str]]:
            if str(path) == str(faces):
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return scandir(path)  # type: ignore[call-overload, no-any-return]

        monkeypatch.setattr(os, "scandir", denied)
    try:
        line = refused("-m", MODEL)
    finally:
        faces.chmod(0o755)
    assert str(faces) in line and "Permission denied" in line


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 kB, where this machine lets us mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0 or sys.platform != "linux":
        pytest.skip("needs root on Linux to mount a small disk")
    command = [mount, "-t", "tmpfs", "-o", "size=4k", "none", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let root mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=False)


def test_full_disk_of_the_cache(
    run: Run, faces: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEBENCH_CACHE", str(small_disk))
    ended = run("eval", "-m", PINNED, *TINY[2:], "--data", faces)
    assert ended.code == 2 and "No space left" in ended.line
    assert not [path for path in small_disk.rglob("*") if path.suffix in {".part", ".safetensors"}]
    assert not (small_disk / "records").exists()


def test_full_disk_of_the_records(run: Run, faces: Path, small_disk: Path) -> None:
    ended = run("eval", "-m", MODEL, *TINY, "--data", faces, "--out", small_disk / "records")
    assert ended.code == 2 and "100.00" in ended.out  # the result is not lost
    assert ended.err.strip().endswith("was not written: No space left on device")
    assert not [path for path in small_disk.rglob("*") if path.is_file()]


def test_full_disk_anywhere(
    refused: Refused, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    assert "No space left" in refused("-m", PINNED)
