"""Reading and warping faces ahead of the network, in processes of their own.

Start method: ``forkserver``. ``fork`` is quicker to start (0.05 s against 1.1 to 2 s, the import of
torch), but a fork of a process in which torch, ONNX Runtime and a progress bar run
threads can hang. The start is hidden: this process reads the first faces itself meanwhile.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.synchronize import Event

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.base.processes import RERUN, NoProcessError, go_on_without
from facebench.embedding.missing import UnusableFacesError
from facebench.faces.types import Aligner, FaceSource, ImageError

_HEAD = 256  # faces that this process reads itself while the others start
SMALLEST = 8  # pixels of the shorter side; an image with less shows no face, whatever the rule


@dataclass(frozen=True)
class FaceBatch:
    """Faces ready for the network.

    faces: uint8 K×h×w×3 RGB, the K acquired ones; acquired: bool, one per key of the batch; errors:
    (key, why) of every image that could not be read; refusal: what the user must mend, if the
    source or the aligner refused (an exception from another process would bring its traceback).
    """

    faces: NDArray[np.uint8]
    acquired: NDArray[np.bool_]
    errors: tuple[tuple[str, str], ...]
    refusal: str = ""


class FaceBatches:
    """Batches of aligned faces by number; picklable, since it travels to other processes."""

    def __init__(
        self,
        source: FaceSource,
        aligner: Aligner,
        size: tuple[int, int],
        batches: Sequence[Sequence[str]],
    ) -> None:
        self.source, self.aligner, self.size = source, aligner, size
        self.batches = [tuple(keys) for keys in batches]

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, number: int) -> FaceBatch:
        try:
            return self._read(number)
        except UserError as error:
            nothing = np.empty((0, *self.size, 3), dtype=np.uint8)
            return FaceBatch(nothing, np.empty(0, dtype=np.bool_), (), str(error))

    def _read(self, number: int) -> FaceBatch:
        keys = self.batches[number]
        faces = np.empty((len(keys), *self.size, 3), dtype=np.uint8)
        acquired = np.zeros(len(keys), dtype=np.bool_)
        errors: list[tuple[str, str]] = []
        taken = 0
        for position, key in enumerate(keys):
            try:
                image = self.source.read(key)
                tiny = min(image.shape[:2]) < SMALLEST
                face = None if tiny else self.aligner(key, image, self.size)
            except ImageError as error:
                errors.append((error.key, error.why))
                continue
            if face is None:
                continue
            if face.shape != faces.shape[1:] or face.dtype != np.uint8:
                raise ValueError(
                    f"aligner {self.aligner.signature} gave {face.dtype} {face.shape} for {key}; "
                    f"it must give uint8 {faces.shape[1:]}"
                )
            faces[taken], acquired[position] = face, True
            taken += 1
        return FaceBatch(faces[:taken], acquired, tuple(errors))


def read_ahead(batches: FaceBatches, workers: int) -> Generator[FaceBatch, None, None]:
    """Every batch in its order, read by ``workers`` processes (0: by this one).

    UserError: a process died, or source or aligner refused (UnusableFacesError); what else they
    raise is raised here, but for ImageError, which a batch lists.
    """
    for batch in _batches(batches, workers):
        if batch.refusal:
            raise UnusableFacesError(batch.refusal)
        yield batch


def _batches(batches: FaceBatches, workers: int) -> Iterator[FaceBatch]:
    head, size = 0, 0
    while head < len(batches) and (workers == 0 or size < _HEAD):
        size += len(batches.batches[head])
        head += 1
    rest = FaceBatches(batches.source, batches.aligner, batches.size, batches.batches[head:])
    if not len(rest):
        yield from (batches[number] for number in range(head))
        return
    # Late: torch, of which stored embeddings need nothing.
    from facebench.embedding.readers import start

    with ThreadPoolExecutor(1) as pool:
        started = pool.submit(start, rest, workers)
        yield from (batches[number] for number in range(head))
        yield from _received(started, rest)


def _received(
    started: Future[tuple[Iterator[FaceBatch], Event]], batches: FaceBatches
) -> Iterator[FaceBatch]:
    """What the processes read; if none came to work, this process reads (and says so)."""
    reading, began = None, None
    why = RERUN
    try:
        reading, began = started.result()
        while (batch := next(reading, None)) is not None:
            yield batch
        return
    except NoProcessError as error:
        why = str(error)
    except (RuntimeError, EOFError, ConnectionError) as error:
        at_work = began is not None and began.is_set()
        dead = isinstance(error, RuntimeError) and str(error).startswith("DataLoader worker")
        if at_work and dead:
            raise UserError(
                "a process that reads images ended unexpectedly (out of memory?); give more memory "
                "or fewer workers (0 reads without processes)"
            ) from error
        if at_work or (reading is not None and not dead):
            raise
    finally:  # left to the garbage collector, after an error, it can block for 5 s at any time
        if reading is None and not started.cancel():  # Ctrl-C while the processes were starting
            with contextlib.suppress(Exception):
                reading, _ = started.result()
        if reading is not None:
            _shut_down(reading)
    go_on_without("reading images", why)
    yield from (batches[number] for number in range(len(batches)))


def _shut_down(reading: Iterator[FaceBatch]) -> None:
    """End torch's processes, and the threads that fed them.

    Torch does not wait for those threads. One that still runs while Python ends may be cut short
    between removing a semaphore and saying so, and the tracker of semaphores warns of a leak.
    """
    shut_down = getattr(reading, "_shutdown_workers", None)
    if shut_down is not None:
        shut_down()
    for tasks in getattr(reading, "_index_queues", ()):
        thread = getattr(tasks, "_thread", None)
        if thread is not None:
            thread.join(timeout=1)  # it is told to end already; a pipe that nobody reads is closed
