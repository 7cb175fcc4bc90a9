"""The precision in which a network learns faster on this machine, by measuring."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from facebench.base.opening import read_fields
from facebench.base.storage import write_atomically

AUTO = "auto"
PRECISIONS = ("float32", "bfloat16")
_FILE = "precision.json"
_ROUNDS = 5


def settled(
    folder: Path, net: nn.Module, faces: Tensor, report: Callable[[str], None] = print
) -> str:
    """The faster precision, ``float32`` or ``bfloat16``, which stays the folder's.

    faces: float N×C×H×W, a mini-batch as the network takes it. Measured once and written down, so
    that a training that goes on ends in the bytes of an undisturbed one, on any machine.
    """
    chosen = chosen_precision(folder)
    if chosen is None:
        rates: dict[str, float] = {}
        for name in PRECISIONS:
            rates[name] = faces_per_second(net, faces, name, max(rates.values(), default=0.0))
        chosen = max(PRECISIONS, key=lambda name: rates[name])
        rounded = {name: round(rate, 1) for name, rate in rates.items()}
        text = json.dumps({"chosen": chosen, "faces_per_second": rounded})
        write_atomically(folder / _FILE, text.encode())
        told = ", ".join(f"{name} {rate:.0f}" for name, rate in rates.items())
        report(f"precision {chosen}: {told} faces/s")
    return chosen


def chosen_precision(folder: Path) -> str | None:
    """What was measured to be faster in a folder of work; None: nothing was."""
    path = folder / _FILE
    if not path.is_file():
        return None
    to_do = f'write {{"chosen": "{PRECISIONS[0]}"}} there'
    return str(read_fields(path, "a precision", "chosen", to_do=to_do)["chosen"])


@contextmanager
def computing_in(precision: str, net: nn.Module, device: str) -> Iterator[None]:
    """Within it ``net`` computes in a precision, ``bfloat16`` by autocast on ``device``.

    device: ``cpu`` or ``cuda``. On the CPU depthwise convolutions of a stride above 1 stay in
    float32: their backward pass is 10 times faster there, or more (docs/training.md).
    """
    low = precision == "bfloat16"
    layers = _strided_depthwise(net) if low and device == "cpu" else []
    for layer in layers:
        layer.forward = partial(_in_float32, layer)  # type: ignore[method-assign]
    try:
        with torch.autocast(device, torch.bfloat16, enabled=low):
            yield
    finally:
        for layer in layers:
            del layer.forward


def _strided_depthwise(net: nn.Module) -> list[nn.Conv2d]:
    """Convolutions that filter each channel on its own and leave out positions."""
    convolutions = (layer for layer in net.modules() if isinstance(layer, nn.Conv2d))
    return [
        layer
        for layer in convolutions
        if 1 < layer.groups == layer.in_channels and max(layer.stride) > 1
    ]


def _in_float32(layer: nn.Conv2d, x: Tensor) -> Tensor:
    with torch.autocast(x.device.type, enabled=False):
        return type(layer).forward(layer, x.float())


def faces_per_second(net: nn.Module, faces: Tensor, precision: str, other: float = 0.0) -> float:
    """Speed of a forward and a backward pass, the best of a few: others may use the machine.

    other: the other precision's speed. Two rounds are enough to be told to be at most half of it,
    as bfloat16 is on a processor without it.
    """
    own = copy.deepcopy(net).train()
    device, best = faces.device, float("inf")
    for done in range(_ROUNDS + 1):  # the first round is slower, and never the best
        if done == 2 and len(faces) / best < other / 2:
            break
        start = time.perf_counter()
        with computing_in(precision, own, device.type):
            output = own(faces)
        output.float().square().mean().backward()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, time.perf_counter() - start)
    return len(faces) / best
