"""Threads of the linear algebra: how they wait, and how many a long run keeps."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

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
