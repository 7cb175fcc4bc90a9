"""The precision in which a network learns faster on this machine, by measuring."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

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
        rates = {name: faces_per_second(net, faces, name) for name in PRECISIONS}
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
    return str(json.loads(path.read_text())["chosen"]) if path.is_file() else None


def faces_per_second(net: nn.Module, faces: Tensor, precision: str) -> float:
    """Speed of a forward and a backward pass, the best of a few: others may use the machine."""
    own = copy.deepcopy(net).train()
    device, best = faces.device, float("inf")
    for _ in range(_ROUNDS + 1):  # the first round is slower, and never the best
        start = time.perf_counter()
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            output = own(faces)
        output.float().square().mean().backward()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, time.perf_counter() - start)
    return len(faces) / best
