"""Rendering many faces over several processes; the bytes do not depend on how many."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from facebench.faces.synthetic.geometry import HEIGHT, WIDTH
from facebench.faces.synthetic.render import render
from facebench.faces.synthetic.seeding import TRAIN_IDENTITIES
from facebench.processes import start_fork_server

Task = TypeVar("Task")
Answer = TypeVar("Answer")
Progress = Callable[[int, int], None]

_CHUNK = 128


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _one_thread() -> None:
    cv2.setNumThreads(1)


def pooled(
    work: Callable[[Task], Answer], tasks: Iterable[Task], workers: int | None
) -> Iterator[Answer]:
    """The answers to the tasks in their order; an error in a worker is raised here.

    Waits for few answers at a time, so that memory stays small; one worker means this process.
    """
    count = usable_cores() if workers is None else workers
    if count <= 1:
        yield from map(work, tasks)
        return
    # A forked copy of a process that holds threads (torch, OpenCV) may hang: start clean ones.
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    if method == "forkserver":
        start_fork_server()
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=_one_thread)
    waiting: list[Future[Answer]] = []
    try:
        for task in tasks:
            waiting.append(pool.submit(work, task))
            if len(waiting) >= 3 * count:
                yield waiting.pop(0).result()
        while waiting:
            yield waiting.pop(0).result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _render_chunk(task: tuple[int, list[tuple[int, int]]]) -> NDArray[np.uint8]:
    seed, keys = task
    return np.stack([render(seed, identity, image) for identity, image in keys])


def render_many(
    seed: int,
    keys: Sequence[tuple[int, int]],
    workers: int | None = None,
    progress: Progress | None = None,
) -> NDArray[np.uint8]:
    """N x 128 x 112 x 3 uint8 faces of the (identity, image) keys, in their order."""
    out = np.empty((len(keys), HEIGHT, WIDTH, 3), dtype=np.uint8)
    size = max(1, min(_CHUNK, -(-len(keys) // (4 * max(workers or usable_cores(), 1)))))
    chunks = ((seed, list(keys[i : i + size])) for i in range(0, len(keys), size))
    done = 0
    for faces in pooled(_render_chunk, chunks, workers):
        out[done : done + len(faces)] = faces
        done += len(faces)
        if progress is not None:
            progress(done, len(keys))
    return out


def training_faces(
    seed: int,
    identities: range,
    images: range,
    workers: int | None = None,
    progress: Progress | None = None,
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Faces N x 128 x 112 x 3 uint8 and their identities N int64, identity by identity.

    Raises ValueError for identities outside TRAIN_IDENTITIES: the others are for protocols.
    """
    if len(identities) and not (
        min(identities) in TRAIN_IDENTITIES and max(identities) in TRAIN_IDENTITIES
    ):
        raise ValueError(f"{identities} is not within the training identities {TRAIN_IDENTITIES}")
    keys = [(identity, image) for identity in identities for image in images]
    labels = np.array([identity for identity, _ in keys], dtype=np.int64)
    return render_many(seed, keys, workers, progress), labels
