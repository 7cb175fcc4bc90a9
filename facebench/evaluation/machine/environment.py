"""What a record says of the machine: libraries that the numbers depend on, and the run itself."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from datetime import UTC, datetime

import cv2
import numpy as np

from facebench.base.threads import threads_in_use
from facebench.base.version import torch_version
from facebench.models.embedders.base import Embedder
from facebench.records.sections import EnvironmentSection, RunSection

_ONNXRUNTIME = "onnxruntime "  # as `Embedder.runtime` begins where that library computes


def environment_section(embedder: Embedder | None, batch: int) -> EnvironmentSection:
    """What the arithmetic ran on; embedder: None where embeddings were given, and no image read."""
    runtime = embedder.runtime if embedder else ""
    return EnvironmentSection(
        torch=f"{torch_version()} inductor" if runtime.endswith("inductor") else torch_version(),
        numpy=np.__version__,
        opencv=str(cv2.__version__) if embedder else "",
        onnxruntime=runtime.removeprefix(_ONNXRUNTIME) if runtime.startswith(_ONNXRUNTIME) else "",
        device=embedder.device if embedder else "none",
        batch=batch if embedder else 0,
    )


def run_section(seconds: Mapping[str, float], searched_by: str = "") -> RunSection:
    """What differs between two runs of the same thing; seconds: by what they were spent on."""
    return RunSection(
        created=datetime.now(UTC).isoformat(timespec="microseconds"),  # orders quick runs
        host=socket.gethostname(),
        threads=threads_in_use(),
        searched_by=searched_by,
        seconds={name: round(value, 3) for name, value in seconds.items()},
    )
