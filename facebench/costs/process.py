"""A worker's process as seen from the one that measures."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, Self

from facebench.costs.runtimes import Job
from facebench.errors import UserError
from facebench.processes import start_module
from facebench.threads import users_environment


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
