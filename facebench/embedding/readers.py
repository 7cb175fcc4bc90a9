"""The processes that read faces ahead of the network, by torch's loader."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from multiprocessing.context import BaseContext
from multiprocessing.synchronize import Event
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader

from facebench.base.processes import begin_worker, starting, worker_context

_AHEAD = 4  # batches that each process holds ready


def start(batches: Any, workers: int) -> tuple[Iterator[Any], Event]:
    """Start the processes: what they read, and an event that says that one of them came to work.

    batches: with a length and by number, and picklable.
    Torch is imported once, for all processes of this and of later extractions.
    """
    context = worker_context([__name__])
    with starting():
        return _started(context, batches, workers)


def _started(context: BaseContext, batches: Any, workers: int) -> tuple[Iterator[Any], Event]:
    began = context.Event()
    loader: DataLoader[Any] = DataLoader(
        batches,
        batch_size=None,  # an item is a batch already, and stays in NumPy: no /dev/shm needed
        collate_fn=_as_it_is,
        num_workers=min(workers, len(batches)),
        prefetch_factor=_AHEAD,
        multiprocessing_context=context,
        worker_init_fn=functools.partial(_init_worker, began),
        generator=torch.Generator(),  # do not draw from the caller's
    )
    return iter(loader), began


def _as_it_is(batch: Any) -> Any:
    return batch


def _init_worker(began: Event, number: int) -> None:
    """One thread per reading process, no noise on Ctrl-C, and an end when the parent ends."""
    begin_worker()
    began.set()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
