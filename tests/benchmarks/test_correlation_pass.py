"""The correlation pass over the full-width network: its cost beside the forward passes alone."""

from __future__ import annotations

import subprocess
import sys

import pytest

# A process of its own: peak memory is that of the pass and the network.
MEASURE = """
import resource, sys, time
import numpy as np, torch
from facebench.base.threads import keep_freed_memory
from facebench.models.architectures.convnet import ConvNet, to_input
from facebench.lab.connections.moments import layer_correlations
torch.set_num_threads(1)
keep_freed_memory()
net = ConvNet(1.0).eval().to(memory_format=torch.channels_last)
batches = [np.random.default_rng(i).integers(0, 256, (32, 112, 96, 3), np.uint8) for i in range(4)]
faces = batches * int(sys.argv[2])
def forward():
    with torch.no_grad():
        for batch in faces:
            net(to_input(torch.from_numpy(batch)))
forward()
start = time.perf_counter(); forward(); alone = time.perf_counter() - start
start = time.perf_counter(); layer_correlations(net, sys.argv[1], faces)
taken = time.perf_counter() - start
start = time.perf_counter(); forward(); alone = (alone + time.perf_counter() - start) / 2
print(taken / alone, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


# 4b has 397 MB of sums: mapping them, and turning them into coefficients at the end, costs 1 to 2 s
# however many faces there are, so it is measured over more (the zoo's pass has thousands).
FACES = {"f": 128, "5b": 128, "5a": 128, "4b": 512}


def measured(layer: str) -> tuple[float, float]:
    """Times the forward passes, and the peak in MiB."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, layer, str(FACES[layer] // 128)],
        capture_output=True,
        text=True,
        check=True,
    )
    ratio, memory = map(float, done.stdout.split())
    print(f"{layer}: {ratio:.2f} times the forward passes of {FACES[layer]} faces, ", end="")
    print(f"peak {memory:.0f} MiB")
    return ratio, memory


@pytest.mark.slow
@pytest.mark.parametrize("layer", list(FACES))
def test_correlation_pass_at_full_width(layer: str) -> None:
    """Issue 3, acceptance 6: under 2 GiB, at most 1.5 times the forward passes."""
    # Another process may have had the processor: the best of three measurements counts.
    for _ in range(3):
        ratio, memory = measured(layer)
        assert memory < 2048
        if ratio <= 1.5:
            return
    raise AssertionError(f"{layer} took {ratio:.2f} times the forward passes")
