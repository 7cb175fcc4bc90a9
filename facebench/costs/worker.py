"""The process that one model is measured in: ``python -m facebench.costs.worker``.

It reads one JSON request per line and answers each with one; between them it waits, so that nothing
else runs while another process is timed. It ends with its standard input, at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from time import perf_counter
from types import TracebackType
from typing import Any, Self, TextIO

from facebench.base.errors import UserError
from facebench.base.processes import end_with_input, start_module
from facebench.base.threads import users_environment
from facebench.costs.runtimes import Job

Reply = dict[str, Any]
WARM_UP = 3  # passes of one face; two at the large batch
_SEED = 20151213


class Worker:
    """A model in a runtime, timed on request; nothing heavy is imported before it is loaded."""

    def __init__(self) -> None:
        self._passes: dict[int, Callable[[], object]] = {}

    def load(self, job: Reply, batch: int) -> Reply:
        """Load the model of a `Job`'s fields and warm it up at ``batch`` and at batch 1.

        Answers with the runtime's ``version``, the ``execution`` of sparse layers, the resident
        bytes before (``idle``) and at most (``peak``, with passes at ``batch``), and the
        ``estimates`` of seconds per pass. Where sparse layers may run differently in passes of one
        face, the model is loaded again for these, after the peak.
        """
        import numpy as np
        import torch

        from facebench.base.threads import keep_freed_memory
        from facebench.costs.measure import peak_memory, resident_memory
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

    def measure(self, batch: int, passes: int) -> Reply:
        """``seconds`` of each of some passes at a batch that was loaded."""
        return {"seconds": self._seconds(batch, passes)}

    def _seconds(self, batch: int, passes: int) -> list[float]:
        return pass_seconds(self._passes[batch], passes)


def pass_seconds(
    run: Callable[[], object], passes: int, clock: Callable[[], float] = perf_counter
) -> list[float]:
    """Seconds of each of some passes, by a clock: what every latency here is made of."""
    found = []
    for _ in range(passes):
        started = clock()
        run()
        found.append(clock() - started)
    return found


def serve(requests: TextIO, answers: TextIO) -> None:
    """Answer requests ``{"do": name, …}`` until there are no more.

    A mistake of the user's is answered with ``{"error": one line}``, anything else with the line of
    the exception.
    """
    worker = Worker()
    do: dict[str, Callable[..., Reply]] = {"load": worker.load, "measure": worker.measure}
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
    from facebench.base.errors import UserError

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


@dataclass(frozen=True)
class Loaded:
    """What a worker says when its model is warm. idle, peak: resident bytes of the process before
    loading, and at most, with passes at the large batch; None where the system does not tell;
    execution: of its sparse layers; estimates: seconds per pass by batch.
    """

    version: str
    execution: str
    idle: int | None
    peak: int | None
    estimates: dict[int, float]


class WorkerProcess:
    """One model in one runtime, in a process of its own; ends with the ``with`` block.

    It ends with the process that measures, too, whatever ended that.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        threads = str(job.threads)
        env = {
            **users_environment(),
            "OMP_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process
        self._process = start_module("facebench.costs.worker", env, self._said)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            with contextlib.suppress(OSError):  # what was not written has no reader any more
                stream.close()
        self._said.close()

    def load(self, batch: int) -> Loaded:
        """Load and warm up; UserError: the model cannot be loaded or run there."""
        answer = self._ask(do="load", job=asdict(self.job), batch=batch)
        estimates = dict(answer.pop("estimates"))
        return Loaded(**answer, estimates=estimates)

    def seconds(self, batch: int, passes: int) -> list[float]:
        """Seconds of each of some passes."""
        found: list[float] = self._ask(do="measure", batch=batch, passes=passes)["seconds"]
        return found

    def _ask(self, **request: Any) -> dict[str, Any]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        try:
            stdin.write(json.dumps(request) + "\n")
            stdin.flush()
            line = stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise UserError(self._ended())
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise UserError(answer["error"])
        return answer

    def _ended(self) -> str:
        """Why the process is gone, in one line."""
        code = self._process.wait()
        self._said.seek(0)
        lines = [line.strip() for line in self._said if line.strip()]
        how = f"signal {-code} (out of memory?)" if code < 0 else f"exit code {code}"
        last = f": {lines[-1][:200]}" if lines else ""
        return (
            f"model {self.job.spec} in {self.job.runtime}: its process ended with {how}{last}; "
            "try a smaller --batch"
        )
