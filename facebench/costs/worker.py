"""The process that one model is measured in: ``python -m facebench.costs.worker``.

It reads one JSON request per line and answers each with one; between them it waits, so that nothing
else runs while another process is timed. It ends with its standard input, at once.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from time import perf_counter
from typing import Any, TextIO

from facebench.processes import end_with_input

Answer = dict[str, Any]
WARM_UP = 3  # passes of one face; two at the large batch
_SEED = 20151213


class Worker:
    """A model in a runtime, timed on request; nothing heavy is imported before it is loaded."""

    def __init__(self) -> None:
        self._passes: dict[int, Callable[[], object]] = {}

    def load(self, job: Answer, batch: int) -> Answer:
        """Load the model of a `Job`'s fields and warm it up at ``batch`` and at batch 1.

        Answers with the runtime's ``version``, the ``execution`` of sparse layers, the resident
        bytes before (``idle``) and at most (``peak``, with passes at ``batch``), and the
        ``estimates`` of seconds per pass. Where sparse layers may run differently in passes of one
        face, the model is loaded again for these, after the peak.
        """
        import numpy as np
        import torch

        from facebench.allocator import keep_freed_memory
        from facebench.costs.machine import peak_memory, resident_memory
        from facebench.costs.runtimes import Job, by_batch, load_in_runtime

        keep_freed_memory()
        torch.set_num_threads(job["threads"])
        wanted, idle = Job(**{**job, "batch": batch}), resident_memory()
        many, version = load_in_runtime(wanted)
        height, width = many.preprocessing.size
        faces = np.random.default_rng(_SEED).integers(
            0, 256, (batch, height, width, 3), dtype=np.uint8
        )
        self._passes[batch] = lambda: many.forward(faces)
        estimates = {batch: min(self._seconds(batch, 2))}
        peak, execution = peak_memory(), _execution(many, version)
        if batch != 1:
            one = load_in_runtime(replace(wanted, batch=1))[0] if by_batch(wanted) else many
            self._passes[1] = lambda: one.forward(faces[:1])
            estimates[1] = min(self._seconds(1, WARM_UP))
            if (single := _execution(one, version)) != execution:
                execution = f"{execution or 'dense'}; one face at a time {single or 'dense'}"
        return {
            "version": version,
            "execution": execution,
            "idle": idle,
            "peak": peak,
            "estimates": [*estimates.items()],
        }

    def measure(self, batch: int, passes: int) -> Answer:
        """``seconds`` of each of some passes at a batch that was loaded."""
        return {"seconds": self._seconds(batch, passes)}

    def _seconds(self, batch: int, passes: int) -> list[float]:
        run, found = self._passes[batch], []
        for _ in range(passes):
            started = perf_counter()
            run()
            found.append(perf_counter() - started)
        return found


def serve(requests: TextIO, answers: TextIO) -> None:
    """Answer requests ``{"do": name, …}`` until there are no more.

    A mistake of the user's is answered with ``{"error": one line}``, anything else with the line of
    the exception.
    """
    worker = Worker()
    do: dict[str, Callable[..., Answer]] = {"load": worker.load, "measure": worker.measure}
    for line in requests:
        request = json.loads(line)
        try:
            answer = do[request.pop("do")](**request)
        except Exception as error:
            answer = {"error": _line(error)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _execution(embedder: Any, version: str) -> str:
    """How an embedder says that its sparse layers run, or nothing."""
    return str(embedder.runtime).removeprefix(version).lstrip(", ")


def _line(error: Exception) -> str:
    from facebench.errors import UserError

    text = " ".join(str(error).split())
    return text if isinstance(error, UserError) else f"{type(error).__name__}: {text[:300]}"


def main() -> None:
    """Serve on standard input and output; whatever libraries print goes to standard error."""
    end_with_input()
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        serve(sys.stdin, answers)


if __name__ == "__main__":
    main()
