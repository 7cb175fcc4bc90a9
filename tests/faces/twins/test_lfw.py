"""The LFW twin: its structure, its files, and that pixels alone do not solve it."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from facebench.faces.synthetic import EVALUATION_IDENTITIES, render, render_many
from facebench.faces.twins import lfw as twin
from facebench.faces.twins.lfw import (
    TwinFold,
    TwinStructure,
    lfw_twin_structure,
    twin_fingerprint,
    twin_identity,
    write_lfw_twin,
)


@pytest.fixture(scope="module")
def structure() -> TwinStructure:
    return lfw_twin_structure(0)


def test_counts(structure: TwinStructure) -> None:
    assert len(structure.images) == len(set(structure.images)) == 7701
    assert [len(fold.mated) for fold in structure.folds] == [300] * 10
    assert [len(fold.non_mated) for fold in structure.folds] == [300] * 10


def test_pairs_are_unique_and_use_every_image(structure: TwinStructure) -> None:
    pairs, used = set(), set()
    for fold in structure.folds:
        for name, i, j in fold.mated:
            assert i != j
            pairs.add(frozenset({(name, i), (name, j)}))
            used |= {(name, i), (name, j)}
        for a, i, b, j in fold.non_mated:
            assert a != b
            pairs.add(frozenset({(a, i), (b, j)}))
            used |= {(a, i), (b, j)}
    assert len(pairs) == 6000
    assert used == set(structure.images)


def test_folds_share_no_person(structure: TwinStructure) -> None:
    people = [
        {p[0] for p in fold.mated} | {p[0] for p in fold.non_mated} | {p[2] for p in fold.non_mated}
        for fold in structure.folds
    ]
    assert sum(map(len, people)) == len(set().union(*people))


def test_image_numbers_start_at_one_without_gaps(structure: TwinStructure) -> None:
    counts = Counter(name for name, _ in structure.images)
    assert all(
        (name, n) in structure.images for name in list(counts)[:50] for n in (1, counts[name])
    )
    assert max(counts.values()) <= 30
    assert 0.5 < sum(n == 1 for n in counts.values()) / len(counts) < 0.7


def test_people_are_evaluation_identities(structure: TwinStructure) -> None:
    assert all(twin_identity(name) in EVALUATION_IDENTITIES for name, _ in structure.images)
    with pytest.raises(ValueError, match="not a name"):
        twin_identity("Synth_00000")


def test_pairs_text_is_official(structure: TwinStructure) -> None:
    lines = structure.pairs_text().splitlines()
    assert lines[0] == "10\t300"
    assert len(lines) == 6001
    assert [len(line.split("\t")) for line in lines[1:601]] == [3] * 300 + [4] * 300


def test_structure_is_a_function_of_the_seed(structure: TwinStructure) -> None:
    assert lfw_twin_structure(0) == structure
    assert lfw_twin_structure(1).folds != structure.folds
    assert twin_fingerprint(3) == "synthetic-lfw-v1-s3"


def test_raw_pixels_do_not_solve_two_folds(structure: TwinStructure) -> None:
    accuracies = []
    for fold in structure.folds[:2]:
        mated, non_mated = fold.mated[:60], fold.non_mated[:60]
        keys = [((n, i), (n, j)) for n, i, j in mated]
        keys += [((a, i), (b, j)) for a, i, b, j in non_mated]
        shots = sorted({shot for pair in keys for shot in pair})
        faces = render_many(0, [(twin_identity(n), k - 1) for n, k in shots], workers=1)
        flat = faces[:, 8:-8, 8:-8].reshape(len(faces), -1).astype(np.float32)
        flat /= np.linalg.norm(flat, axis=1, keepdims=True)
        row = {shot: k for k, shot in enumerate(shots)}
        scores = np.array([flat[row[a]] @ flat[row[b]] for a, b in keys])
        is_mated = np.arange(120) < 60
        # The best threshold on these very pairs: an upper bound on the honest accuracy.
        accuracies.append(max(np.mean((scores >= t) == is_mated) for t in scores))
    assert np.mean(accuracies) < 0.75


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> TwinStructure:
    """A twin of three images, so that writing it is quick."""
    fold = TwinFold((("Synth_00001", 1, 2),), (("Synth_00001", 1, "Synth_00002", 1),))
    shots = (("Synth_00001", 1), ("Synth_00001", 2), ("Synth_00002", 1))
    tiny = TwinStructure(0, shots, (fold,))
    monkeypatch.setattr(twin, "lfw_twin_structure", lambda seed: tiny)
    return tiny


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


WHOLE = [
    "COMPLETE.json",
    "lfw/Synth_00001/Synth_00001_0001.jpg",
    "lfw/Synth_00001/Synth_00001_0002.jpg",
    "lfw/Synth_00002/Synth_00002_0001.jpg",
    "pairs.txt",
]


@pytest.mark.parametrize("workers", [1, 2])
def test_written_in_the_official_layout(small: TwinStructure, tmp_path: Path, workers: int) -> None:
    import cv2

    seen: list[tuple[int, int]] = []
    write_lfw_twin(tmp_path, workers=workers, progress=lambda done, n: seen.append((done, n)))
    assert files(tmp_path) == WHOLE
    assert seen == [(2, 3), (3, 3)]
    assert (tmp_path / "pairs.txt").read_text() == small.pairs_text()
    assert json.loads((tmp_path / "COMPLETE.json").read_text())["images"] == 3
    bgr = cv2.imread(str(tmp_path / WHOLE[2]))
    assert np.array_equal(bgr[:, :, ::-1], render(0, 1_000_000, 1))


def test_an_interrupted_run_continues(
    small: TwinStructure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[int, int, int]] = []
    real = twin.render_jpeg

    def failing(seed: int, identity: int, image: int) -> bytes:
        calls.append((seed, identity, image))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(seed, identity, image)

    monkeypatch.setattr(twin, "render_jpeg", failing)
    with pytest.raises(KeyboardInterrupt):
        write_lfw_twin(tmp_path, workers=1)
    assert not (tmp_path / "COMPLETE.json").exists()
    # What a power cut may leave: an empty file under the final name is not taken for an image.
    (tmp_path / WHOLE[2]).write_bytes(b"")
    write_lfw_twin(tmp_path, workers=1)
    assert files(tmp_path) == WHOLE
    assert calls[2:] == [(0, 1_000_000, 1), (0, 1_000_001, 0)]
    write_lfw_twin(tmp_path, workers=1)
    assert len(calls) == 4


def test_a_full_disk_is_not_swallowed(
    small: TwinStructure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_lfw_twin(tmp_path, workers=1)
    assert files(tmp_path) == []


def test_a_run_that_another_one_overtook_succeeds(small: TwinStructure, tmp_path: Path) -> None:
    overtaken: list[int] = []

    def overtake(done: int, total: int) -> None:
        overtaken.append(done)
        write_lfw_twin(tmp_path, workers=1)

    write_lfw_twin(tmp_path, workers=1, progress=overtake)
    assert overtaken == [2, 3]
    assert files(tmp_path) == WHOLE


AT_ONCE = """
import sys
from pathlib import Path
from facebench.faces.twins import lfw as twin

people = [twin.twin_name(n) for n in range(1, 41)]
shots = tuple((name, 1) for name in people)
tiny = twin.TwinStructure(0, shots, (twin.TwinFold((), ()),))
twin.lfw_twin_structure = lambda seed: tiny
twin.write_lfw_twin(Path(sys.argv[1]), workers=1)
"""


def test_several_processes_at_once_all_succeed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", AT_ONCE, str(tmp_path / "twin")]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    running = [
        subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    ends = [(process.communicate(timeout=120)[1], process.returncode) for process in running]
    assert ends == [("", 0)] * 3
    names = files(tmp_path / "twin")
    assert len(names) == 42 and "INCOMPLETE.json" not in names


def test_another_twin_is_not_overwritten(small: TwinStructure, tmp_path: Path) -> None:
    write_lfw_twin(tmp_path, workers=1)
    with pytest.raises(ValueError, match="another synthetic twin"):
        write_lfw_twin(tmp_path, seed=1, workers=1)
