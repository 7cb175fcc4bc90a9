"""Runs that are killed, and runs beside each other: the same bytes in the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from facebench.embedding.extract import extract
from facebench.embedding.store import EmbeddingStore
from tests.helpers.embedding_toys import Crop, FolderFaces, Linear

Faces = tuple[FolderFaces, list[str]]
ROOT = Path(__file__).parents[2]


def environment() -> dict[str, str]:
    folders = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}


def start(source: FolderFaces, store: Path, out: Path, *more: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable,
            ROOT / "tests" / "helpers" / "run_extraction.py",
            source.folder,
            store,
            out,
            *map(str, more),
        ],
        env={**environment(), "FACEBENCH_TEST": str(store)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def files_of(store: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(store)): path.read_bytes()
        for path in store.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def undisturbed(
    many_faces: Faces, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, bytes], np.ndarray]:
    """The store's files and the vectors of a run that nothing disturbs."""
    folder = tmp_path_factory.mktemp("undisturbed")
    source, keys = many_faces
    store = EmbeddingStore(folder)
    result = extract(Linear(), source, keys, Crop(), workers=0, store=store, progress=False)
    return files_of(folder), result.vectors


def descendants_are_gone(marker: str, seconds: float = 60.0) -> bool:
    """Whether no process carries the marker in its environment any more."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = False
        for process in Path("/proc").glob("[0-9]*/environ"):
            try:
                found = found or f"FACEBENCH_TEST={marker}".encode() in process.read_bytes()
            except OSError:
                continue
        if not found:
            return True
        time.sleep(0.1)
    return False


def test_killed_at_random_moments_it_ends_with_the_same_bytes(
    many_faces: Faces, undisturbed: tuple[dict[str, bytes], np.ndarray], tmp_path: Path
) -> None:
    source, keys = many_faces
    store = tmp_path / "store"
    for number, pause in enumerate(np.random.default_rng().uniform(0.05, 0.65, 3)):
        run = start(source, store, tmp_path / "out.npy", int(number == 0))
        assert run.stdout is not None and run.stdout.readline() == "started\n"
        time.sleep(pause)
        run.send_signal(signal.SIGKILL)
        assert run.wait() in (-signal.SIGKILL, 0)  # a quick machine may be done before
        run.stdout.close()
    if Path("/proc/self/environ").exists():
        assert descendants_are_gone(str(store))
    model = Linear()
    result = extract(
        model, source, keys, Crop(), workers=0, store=EmbeddingStore(store), progress=False
    )
    files, vectors = undisturbed
    assert files_of(store) == files
    np.testing.assert_array_equal(result.vectors, vectors)


def test_killed_in_the_act_of_writing(
    many_faces: Faces, undisturbed: tuple[dict[str, bytes], np.ndarray], tmp_path: Path
) -> None:
    source, keys = many_faces
    store = tmp_path / "store"
    run = start(source, store, tmp_path / "out.npy", 0, 3)
    run.communicate()
    assert run.returncode == -signal.SIGKILL
    names = sorted(path.name for path in store.glob("*/*"))  # manifest, a shard; one unfinished
    assert len(names) == 3 and names[0].endswith(".part")
    model = Linear()
    extract(model, source, keys, Crop(), workers=0, store=EmbeddingStore(store), progress=False)
    assert sum(model.batches) == 1100 - 512  # the finished shard was not made again
    assert files_of(store) == undisturbed[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("by_file", "why"),
    [
        (True, "does the script lack `if __name__ == '__main__':`? Each process runs the script"),
        (False, "the program came by standard input"),
    ],
)
def test_a_script_without_a_main_guard_is_served_too(
    many_faces: Faces, tmp_path: Path, by_file: bool, why: str
) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from pathlib import Path\n"
        "from tests.helpers.embedding_toys import Crop, FolderFaces, Linear\n"
        "from facebench.embedding.extract import extract\n"
        f"source = FolderFaces(Path({str(many_faces[0].folder)!r}))\n"
        "keys = source.keys()[:300]\n"
        "print(extract(Linear(), source, keys, Crop(), progress=False).acquired.sum())\n"
    )
    with script.open() as text:
        run = subprocess.run(
            [sys.executable, script if by_file else "-"],
            env=environment(),
            stdin=text,
            capture_output=True,
            text=True,
            timeout=600,
        )
    assert run.stdout == "300\n"
    assert run.stderr.startswith("facebench: no process is reading images (") and why in run.stderr
    assert run.stderr.count("\n") == 1


@pytest.mark.slow
def test_two_runs_beside_each_other(
    many_faces: Faces, undisturbed: tuple[dict[str, bytes], np.ndarray], tmp_path: Path
) -> None:
    source, _ = many_faces
    runs = [start(source, tmp_path / "store", tmp_path / f"{number}.npy", 0) for number in (0, 1)]
    for run in runs:
        run.communicate(timeout=600)
    assert [run.returncode for run in runs] == [0, 0]
    files, vectors = undisturbed
    assert files_of(tmp_path / "store") == files
    for number in (0, 1):
        np.testing.assert_array_equal(np.load(tmp_path / f"{number}.npy"), vectors)
