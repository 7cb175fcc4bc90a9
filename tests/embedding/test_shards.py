"""One extraction by several processes: who makes what, and the same bytes in the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facebench.base.errors import UserError
from facebench.embedding.extract import extract
from facebench.embedding.shards import Filled, WorkShare, fill, share_of
from facebench.embedding.store import EmbeddingStore
from facebench.embedding.stream import Extraction
from facebench.models.embedders.base import UNPINNED
from tests.helpers.embedding_toys import Crop, FolderFaces, Linear

Faces = tuple[FolderFaces, list[str]]
ROOT = Path(__file__).parents[2]


def job_of(faces: Faces) -> Extraction:
    source, keys = faces
    return Extraction(Linear(), source, Crop(), sorted(keys), "error", 32, 0)


def made(faces: Faces, store: Path, number: int, of: int) -> Filled:
    share = WorkShare(number, of, "--shard")
    return fill(job_of(faces), EmbeddingStore(store), share, progress=False)


def files_of(store: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(store)): path.read_bytes()
        for path in store.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def whole(many_faces: Faces, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of the store after one process has made all."""
    folder = tmp_path_factory.mktemp("whole")
    source, keys = many_faces
    store = EmbeddingStore(folder)
    extract(Linear(), source, keys, Crop(), workers=0, store=store, progress=False)
    return files_of(folder)


@given(of=st.integers(1, 9), total=st.integers(0, 40))
def test_every_number_is_in_one_share_and_shares_are_even(of: int, total: int) -> None:
    shares = [WorkShare(i + 1, of, "").of_numbers(range(total)) for i in range(of)]
    assert sorted(number for share in shares for number in share) == list(range(total))
    sizes = [len(share) for share in shares]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("of", [1, 2, 3, 5])
def test_shards_in_any_order_are_the_bytes_of_one_process(
    many_faces: Faces, whole: dict[str, bytes], tmp_path: Path, of: int
) -> None:
    done = [made(many_faces, tmp_path, number, of) for number in range(of, 0, -1)]
    assert files_of(tmp_path) == whole
    assert [one.complete for one in done].count(True) >= 1 and done[-1].complete
    assert sum(one.faces for one in done) == 1100 and sum(one.shards for one in done) == 3


def test_an_evaluation_finds_what_shards_made(many_faces: Faces, tmp_path: Path) -> None:
    for number in (1, 2):
        made(many_faces, tmp_path, number, 2)
    source, keys = many_faces
    model = Linear()
    store = EmbeddingStore(tmp_path)
    found = extract(model, source, keys, Crop(), workers=0, store=store, progress=False)
    assert not model.batches and found.acquired.all()


def test_one_shard_leaves_the_others_to_others(many_faces: Faces, tmp_path: Path) -> None:
    done = made(many_faces, tmp_path, 2, 3)
    assert (done.shards, done.faces, done.present, done.total) == (1, 512, 1, 3)
    assert not done.complete
    again = made(many_faces, tmp_path, 2, 3)
    assert again == done


def test_a_share_of_nothing_is_no_error(faces: Faces, tmp_path: Path) -> None:
    done = made(faces, tmp_path, 2, 2)
    assert (done.faces, done.shards, done.present, done.total) == (0, 0, 0, 1)


def test_two_that_take_the_same_shard_do_no_harm(
    many_faces: Faces, whole: dict[str, bytes], tmp_path: Path
) -> None:
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda number: made(many_faces, tmp_path, number, 2), (1, 1, 2, 2)))
    assert [one.shards for one in done] == [2, 2, 1, 1]
    assert files_of(tmp_path) == whole


@pytest.mark.slow
def test_two_processes_that_take_the_same_shard_do_no_harm(
    many_faces: Faces, whole: dict[str, bytes], tmp_path: Path
) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from tests.embedding.test_shards import made\n"
        "from tests.helpers.embedding_toys import FolderFaces\n"
        "faces = FolderFaces(Path(sys.argv[1]))\n"
        "made((faces, faces.keys()), Path(sys.argv[2]), int(sys.argv[3]), 2)\n"
    )
    words = [sys.executable, "-c", code, str(many_faces[0].folder), str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    running = [subprocess.Popen([*words, str(number)], env=environment) for number in (1, 1, 2, 2)]
    assert [process.wait(120) for process in running] == [0] * 4
    assert files_of(tmp_path) == whole


@pytest.mark.slow
def test_a_killed_shard_is_made_again(
    many_faces: Faces, whole: dict[str, bytes], tmp_path: Path
) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from tests.embedding.test_shards import made\n"
        "from tests.helpers.embedding_toys import FolderFaces\n"
        "from tests.helpers.run_extraction import die_at\n"
        "faces = FolderFaces(Path(sys.argv[1]))\n"
        "die_at(4)\n"
        "made((faces, faces.keys()), Path(sys.argv[2]), 1, 2)\n"
    )
    words = [sys.executable, "-c", code, str(many_faces[0].folder), str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(words, env=environment, check=False).returncode
    assert ended == -signal.SIGKILL
    for number in (1, 2):
        made(many_faces, tmp_path, number, 2)
    assert files_of(tmp_path) == whole


def test_another_number_of_shards_is_refused_only_beside_others(
    many_faces: Faces, tmp_path: Path
) -> None:
    made(many_faces, tmp_path, 1, 2)
    made(many_faces, tmp_path, 1, 3)  # the first is done, so nothing is divided any more
    job = job_of(many_faces)
    with job.kept(job.entry(EmbeddingStore(tmp_path)), 2):
        with pytest.raises(UserError, match=r"in 2 shards.* of 3 would.*use shard= i/2"):
            made(many_faces, tmp_path, 1, 3)
        assert made(many_faces, tmp_path, 2, 2).shards == 1
    made(many_faces, tmp_path, 1, 3)


def test_a_model_that_no_hash_covers_cannot_be_divided(faces: Faces, tmp_path: Path) -> None:
    job = job_of(faces)
    job.embedder.weights_hash = UNPINNED
    with pytest.raises(UserError, match=r"no hash covers.*cannot be divided"):
        fill(job, EmbeddingStore(tmp_path), None, progress=False)


def test_which_of_several_gpus_does_not_matter(faces: Faces, tmp_path: Path) -> None:
    entries = []
    for device in ("cuda", "cuda:0", "cuda:7"):
        job = job_of(faces)
        job.embedder.device = device
        entries.append(job.entry(EmbeddingStore(tmp_path)).key)
    assert len(set(entries)) == 1
    assert entries[0] != job_of(faces).entry(EmbeddingStore(tmp_path)).key


RANKS = {"RANK": "1", "WORLD_SIZE": "4"}
TASKS = {"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "8"}


@pytest.mark.parametrize(
    ("text", "environment", "expected"),
    [
        (None, {}, None),
        ("2/4", {}, (2, 4)),
        (" 4 / 4 ", {}, (4, 4)),
        ("1/1", TASKS, None),
        (None, RANKS, (2, 4)),
        (None, TASKS, (4, 8)),
        (None, TASKS | {"SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_MAX": "8"}, (3, 8)),
        (None, TASKS | {"SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_STEP": "2",
                        "SLURM_ARRAY_TASK_MAX": "15"}, (2, 8)),
        (None, TASKS | RANKS, (14, 32)),
        ("2/4", RANKS, (2, 4)),
        (None, {"RANK": "0", "WORLD_SIZE": "1"}, None),
        (None, {"WORLD_SIZE": "4"}, None),
    ],
)  # fmt: skip
def test_who_says_the_share(
    text: str | None, environment: dict[str, str], expected: tuple[int, int] | None
) -> None:
    found = share_of(text, environment)
    assert (None if found is None else (found.number, found.of)) == expected


@pytest.mark.parametrize(
    ("text", "environment", "line"),
    [
        ("0/4", {}, "not i/n with i from 1 to n"),
        ("5/4", {}, "the last 4/4"),
        ("1", {}, "not i/n"),
        ("1/x", {}, "not i/n"),
        ("1/4", RANKS, "which say 2/4: leave shard= out, or unset"),
        ("2/8", RANKS, "which say 2/4"),
        (None, {"RANK": "4", "WORLD_SIZE": "4"}, "RANK=4, WORLD_SIZE=4: no number"),
        (None, {"RANK": "-1", "WORLD_SIZE": "4"}, "RANK=-1 is no whole number"),
        (None, TASKS | {"SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_MAX": "20"},
         "do not follow each other"),
        (None, TASKS | {"SLURM_ARRAY_TASK_MIN": "2", "SLURM_ARRAY_TASK_STEP": "2"}, "no number"),
    ],
)  # fmt: skip
def test_shares_that_cannot_be(text: str | None, environment: dict[str, str], line: str) -> None:
    with pytest.raises(UserError, match=line):
        share_of(text, environment)


def test_vectors_are_those_of_one_process(many_faces: Faces, tmp_path: Path) -> None:
    source, keys = many_faces
    for number in (1, 2, 3):
        made(many_faces, tmp_path / "several", number, 3)
    several, alone = (
        extract(Linear(), source, keys, Crop(), workers=0, store=store, progress=False).vectors
        for store in (EmbeddingStore(tmp_path / "several"), None)
    )
    np.testing.assert_array_equal(several, alone)
