"""Reading ahead: order, errors from other processes, and their end."""

from __future__ import annotations

import threading
from itertools import islice

import numpy as np
import pytest

from facebench.base import processes
from facebench.base.errors import UserError
from facebench.embedding import loading, readers
from facebench.embedding.loading import FaceBatches, read_ahead
from facebench.faces.types import Image
from tests.helpers.embedding_toys import SIZE, Crop, DyingFaces, FolderFaces

Faces = tuple[FolderFaces, list[str]]


class WrongSize(Crop):
    def __call__(self, key: str, image: Image, size: tuple[int, int]) -> Image | None:
        return image


def batches_of(source: FolderFaces, keys: list[str], aligner: Crop | None = None) -> FaceBatches:
    cut = [keys[start : start + 8] for start in range(0, len(keys), 8)]
    return FaceBatches(source, aligner or Crop(), SIZE, cut)


@pytest.fixture
def _all_in_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_HEAD", 0)


@pytest.mark.usefixtures("_all_in_workers")
@pytest.mark.parametrize("workers", [1, 2])
def test_batches_come_in_order_with_their_errors(faces: Faces, workers: int) -> None:
    source, keys = faces
    plan = batches_of(source, [*keys, "zz.jpg"], Crop(frozenset({keys[9]})))
    read = list(read_ahead(plan, workers))
    assert [len(batch.faces) for batch in read] == [8, 7, 8, 8, 8, 0]
    assert read[5].errors == (("zz.jpg", "no such file"),)
    assert list(np.flatnonzero(~read[1].acquired)) == [1]
    np.testing.assert_array_equal(read[0].faces[2], source.read(keys[2])[: SIZE[0], : SIZE[1]])


def test_the_first_faces_are_read_here(faces: Faces, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("no process is worth starting for this")

    monkeypatch.setattr(readers, "start", refuse)
    assert len(list(read_ahead(batches_of(*faces), 2))) == 5


@pytest.mark.usefixtures("_all_in_workers")
@pytest.mark.parametrize("where", ["start_fork_server", "_started"])
def test_without_processes_the_faces_are_read_here_and_that_is_said_once(
    faces: Faces, where: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(readers if where == "_started" else processes, where, refuse)
    processes.go_on_without.cache_clear()
    for _ in range(2):
        assert [len(batch.faces) for batch in read_ahead(batches_of(*faces), 2)] == [8] * 5
    assert caplog.messages == [
        "facebench: no process is reading images (Read-only file system; they need "
        "/dev/shm, and a TMPDIR whose path is short and can be written to); going on without, "
        "which is slower"
    ]


@pytest.mark.usefixtures("_all_in_workers")
def test_a_process_that_dies_is_told(faces: Faces) -> None:
    source, keys = faces
    with pytest.raises(UserError, match="a process that reads images ended unexpectedly"):
        list(read_ahead(batches_of(DyingFaces(source.folder), keys), 1))


class Refusing(Crop):
    def __call__(self, key: str, image: Image, size: tuple[int, int]) -> Image | None:
        raise UserError(f"no landmarks for {key}")


@pytest.mark.usefixtures("_all_in_workers")
@pytest.mark.parametrize("workers", [0, 1])
def test_what_an_aligner_refuses_stays_one_line(faces: Faces, workers: int) -> None:
    with pytest.raises(UserError) as caught:
        list(read_ahead(batches_of(*faces, aligner=Refusing()), workers))
    assert str(caught.value) == "no landmarks for P0000/P0000_0000.jpg"


@pytest.mark.usefixtures("_all_in_workers")
def test_a_wrong_aligner_is_told(faces: Faces) -> None:
    with pytest.raises(ValueError, match="must give uint8"):
        list(read_ahead(batches_of(*faces, aligner=WrongSize()), 1))


@pytest.mark.usefixtures("_all_in_workers")
def test_giving_up_early_ends_the_processes(faces: Faces) -> None:
    reading = read_ahead(batches_of(*faces), 1)
    next(reading)
    reading.close()


@pytest.mark.usefixtures("_all_in_workers")
@pytest.mark.parametrize("taken", [1, 5])
def test_no_thread_that_feeds_a_process_stays(faces: Faces, taken: int) -> None:
    """One that Python cuts short as it ends leaves a warning of leaked semaphores (seen in CI)."""
    reading = read_ahead(batches_of(*faces), 2)
    assert len(list(islice(reading, taken))) == taken
    reading.close()
    left = {thread.name for thread in threading.enumerate()}
    assert "QueueFeederThread" not in left
