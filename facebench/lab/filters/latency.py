"""What a network costs to run: multiply-adds and time per face."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import nn

from facebench.costs.worker import pass_seconds
from facebench.models.counting.products import network_multiply_adds


@dataclass(frozen=True)
class Latency:
    """Time of one face in milliseconds: median and quartiles of the repeats."""

    median: float
    lower: float
    upper: float


_MOST_REPEATS = 201
NOT_MEASURED = Latency(*(float("nan"),) * 3)


def multiply_adds(net: nn.Module, size: tuple[int, int]) -> int:
    """Multiply-adds for one face of H×W on the CPU; see `facebench.models.counting`."""
    return network_multiply_adds(net.eval(), size) or 0


def latencies(
    nets: Sequence[nn.Module],
    size: tuple[int, int],
    repeats: int = 31,
    warm: int = 3,
    seconds: float = 0.0,
) -> list[Latency]:
    """Time of one face on the CPU at batch 1, float32, in as many threads as torch has now.

    The networks take turns, so that what else the machine does meets all of them alike. In one
    thread its own time is taken: that in which other programs had the core is none of the network.
    seconds: go on for so long, but not beyond 201 repeats.
    """
    clock = time.thread_time if torch.get_num_threads() == 1 else time.perf_counter
    face = torch.zeros(1, 3, *size).contiguous(memory_format=torch.channels_last)
    for net in nets:
        net.eval().to("cpu", memory_format=torch.channels_last)  # type: ignore[call-overload]
    rows: list[list[float]] = []
    end = time.monotonic() + seconds
    with torch.inference_mode():
        while len(rows) < warm + repeats or (
            time.monotonic() < end and len(rows) < warm + _MOST_REPEATS
        ):
            rows.append([pass_seconds(partial(net, face), 1, clock)[0] for net in nets])
    times = np.array(rows[warm:])
    lower, median, upper = np.quantile(times * 1000, (0.25, 0.5, 0.75), axis=0)
    return [
        Latency(float(m), float(low), float(high))
        for m, low, high in zip(median, lower, upper, strict=True)
    ]
