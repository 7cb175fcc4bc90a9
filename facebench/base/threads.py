"""Threads of the linear algebra, and how the C library treats the memory of large activations."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

_Item = TypeVar("_Item")
_Made = TypeVar("_Made")

_WAIT, _PASSIVE = "OMP_WAIT_POLICY", "PASSIVE"
_OF_THE_USER = (_WAIT, "GOMP_SPINCOUNT", "KMP_BLOCKTIME")  # whoever set one has decided
_set_here = False


def wait_passively() -> None:
    """Let threads without work sleep, not spin, unless the user decided or torch is loaded.

    OpenMP's busy waiting takes the cores that the others need where there are more threads than
    free cores: two threads took 8 minutes of CPU time for what one did in 1.4.
    """
    global _set_here
    if "torch" not in sys.modules and not any(name in os.environ for name in _OF_THE_USER):
        os.environ[_WAIT] = _PASSIVE
        _set_here = True


def users_environment() -> Mapping[str, str]:
    """The environment as the user set it, for measurements of what it gives."""
    return {k: v for k, v in os.environ.items() if not (_set_here and k == _WAIT)}


def keep_threads(first: int | None) -> int:
    """The number of threads of a run: that which it began with, if it did, else torch's.

    Sums of products differ in their last bits by the number of threads (embeddings by some 2e-6),
    so a run that goes on with another number ends in other bytes.
    """
    import torch

    if first is not None and first != torch.get_num_threads():
        torch.set_num_threads(first)
    return torch.get_num_threads()


def threads_in_use() -> int:
    """The number of torch's threads; 0: nothing has loaded it, so nothing ran in them."""
    torch = sys.modules.get("torch")
    return torch.get_num_threads() if torch is not None else 0


@contextmanager
def torch_threads(count: int | None) -> Iterator[None]:
    """With this number of torch's threads, then with as many as before; None: whatever it has."""
    if count is None:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def side_by_side(make: Callable[[_Item], _Made], items: Iterable[_Item]) -> Iterator[_Made]:
    """What ``make`` makes of each item, in order, by as many workers as torch has threads.

    Each computes in one thread, so that the same comes from any number; models of ONNX Runtime have
    as many as torch had when they were loaded (`torch_threads`). Two workers of one thread made 1.8
    times as many embeddings as one of two on busy cores, where threads wait for each other.
    """
    import torch

    workers = torch.get_num_threads()
    with torch_threads(1):
        yield from _in_order(make, items, workers)


def cores() -> int:
    """How many cores this process may use: those it may run on, or fewer by OMP_NUM_THREADS."""
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    said = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return max(1, min(own, int(said))) if said.isdecimal() else own


def over_cores(
    make: Callable[[_Item], _Made], items: Iterable[_Item], workers: int | None = None
) -> Iterator[_Made]:
    """What ``make`` makes of each item, in order, by a thread for each core (`cores`), or workers.

    Products of matrices in it run in one thread each, so that the same bits come from any number.
    A few results at most wait to be taken. For NumPy, which lets other threads run meanwhile.
    """
    count = cores() if workers is None else workers
    if count < 2:
        yield from map(make, items)
        return
    from threadpoolctl import threadpool_limits  # late: it looks at every library that is loaded

    with threadpool_limits(1, user_api="blas"):
        yield from _in_order(make, items, count)


def _in_order(
    make: Callable[[_Item], _Made], items: Iterable[_Item], workers: int
) -> Iterator[_Made]:
    waiting = deque[Future[_Made]]()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(make, item))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # <malloc.h> of glibc
_KEEP = 2**31 - 1


def keep_freed_memory() -> bool:
    """Keep the memory that a layer frees for the next one, instead of giving it to the system.

    By default glibc maps and unmaps every large activation, and the kernel clears its pages each
    time; 466 → 395 ms per batch of 32 were measured without that. Resident memory stays
    at its peak. Returns whether the C library took both settings; a no-op where it is not glibc.
    """
    if not sys.platform.startswith("linux"):
        return False
    import ctypes  # late: every start of pytest imports this module

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_M_MMAP_MAX, 0)) and bool(mallopt(_M_TRIM_THRESHOLD, _KEEP))
