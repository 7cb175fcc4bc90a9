"""Rendering many faces over several processes; the bytes do not depend on how many."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Self, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from facebench.base.processes import (
    RERUN,
    NoProcessError,
    begin_worker,
    go_on_without,
    leave_if_rerun,
    starting,
    worker_context,
)
from facebench.faces.synthetic.geometry import HEIGHT, WIDTH
from facebench.faces.synthetic.render import render
from facebench.faces.synthetic.seeding import TRAIN_IDENTITIES
from facebench.faces.types import Progress

TaskT = TypeVar("TaskT")
AnswerT = TypeVar("AnswerT")

_CHUNK = 128
_RENDERING = "rendering faces"


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pooled(
    work: Callable[[TaskT], AnswerT], tasks: Iterable[TaskT], workers: int | None
) -> Iterator[AnswerT]:
    """The answers to the tasks in their order; an error in a worker is raised here.

    Waits for few answers at a time, so that memory stays small; one worker means this process, and
    so does a system on which no process can be started, or one that ended: that is said once.
    """
    count = usable_cores() if workers is None else workers
    if count <= 1:
        yield from map(work, tasks)
        return
    leave_if_rerun()
    waiting: deque[tuple[TaskT, Future[AnswerT] | None]] = deque()
    with _Renderers(count) as renderers:
        for task in tasks:
            waiting.append((task, renderers.submit(work, task)))
            if len(waiting) >= 3 * count:
                yield renderers.answer(work, *waiting.popleft())
        while waiting:
            yield renderers.answer(work, *waiting.popleft())


class _Renderers:
    """Processes that render, for as long as there are any."""

    def __init__(self, count: int) -> None:
        self._pool: ProcessPoolExecutor | None = None
        try:
            context = worker_context()
            with starting():
                self._pool = ProcessPoolExecutor(count, mp_context=context, initializer=_begin)
        except NoProcessError as error:
            go_on_without(_RENDERING, str(error))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def submit(self, work: Callable[[TaskT], AnswerT], task: TaskT) -> Future[AnswerT] | None:
        """A task that a process does, or None: whoever asks for the answer does it himself."""
        if self._pool is None:
            return None
        try:
            with starting():
                return self._pool.submit(work, task)
        except (NoProcessError, BrokenProcessPool) as error:
            self._give_up(error)
            return None

    def answer(
        self, work: Callable[[TaskT], AnswerT], task: TaskT, future: Future[AnswerT] | None
    ) -> AnswerT:
        """The answer to a task, which this process does where no other does."""
        if future is not None:
            try:
                return future.result()
            except (BrokenProcessPool, CancelledError) as error:
                self._give_up(error)
        return work(task)

    def _give_up(self, error: Exception) -> None:
        ended = f"one has ended; out of memory, or {RERUN}"
        go_on_without(_RENDERING, str(error) if isinstance(error, NoProcessError) else ended)
        self._end()

    def _end(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)


def _begin() -> None:
    begin_worker()
    cv2.setNumThreads(1)


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
