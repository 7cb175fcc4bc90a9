"""Processes that end with their owner, out of reach of Ctrl-C, and done without where need be."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from facebench.base import processes
from facebench.base.processes import (
    NoProcessError,
    go_on_without,
    interrupted_at_once,
    start_fork_server,
    worker_context,
)
from facebench.faces.synthetic.pool import pooled

ROOT = Path(__file__).parents[2]
_OWNERS = {
    "rendering": """
import time
from facebench.faces.synthetic.pool import pooled

if __name__ == "__main__":
    list(pooled(time.sleep, [600] * 4, 2))
""",
    "reading": """
import time
import numpy as np
from facebench.embedding import loading

class Slow:
    def read(self, key):
        time.sleep(600)

if __name__ == "__main__":
    loading._HEAD = 0
    keys = [(str(number),) for number in range(4)]
    list(loading.read_ahead(loading.FaceBatches(Slow(), None, (8, 8), keys), 2))
""",
    "measuring": """
import os, sys, time
from facebench.base.processes import end_with_input, start_module

if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([here, os.environ["PYTHONPATH"]])}
    start_module("sleeper", env, sys.stderr).wait()
""",
}
_SLEEPER = """
import time
from facebench.base.processes import end_with_input

end_with_input()
time.sleep(600)
"""
_NUMBER = {"rendering": 5, "reading": 5, "measuring": 2}  # with owner, fork server and tracker


def _marked(marker: str) -> list[int]:
    """Processes that carry the marker in their environment; those that ended carry nothing."""
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"FACEBENCH_TEST={marker}".encode() in environ.read_bytes():
                found.append(int(environ.parent.name))
        except OSError:
            continue
    return found


@pytest.fixture
def place() -> Iterator[Path]:
    """A temporary folder of a short path: the socket in it may have a hundred characters."""
    with tempfile.TemporaryDirectory(prefix="fb") as folder:
        yield Path(folder)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("kind", list(_OWNERS))
def test_nothing_stays_of_a_killed_owner(
    tmp_path: Path, place: Path, kind: str, kill: signal.Signals
) -> None:
    marker, script = uuid.uuid4().hex, tmp_path / "owner.py"
    script.write_text(_OWNERS[kind])
    (tmp_path / "sleeper.py").write_text(_SLEEPER)
    env = {**os.environ, "FACEBENCH_TEST": marker, "PYTHONPATH": str(ROOT), "TMPDIR": str(place)}
    owner = subprocess.Popen(
        [sys.executable, str(script)],
        env=env,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(kill, signal.SIG_DFL) if kill != signal.SIGKILL else None,
    )
    try:
        assert _within(60, lambda: len(_marked(marker)) == _NUMBER[kind])
        shared = set(re.findall(r"/dev/shm/\S+", Path(f"/proc/{owner.pid}/maps").read_text()))
        assert bool(shared) == (kind != "measuring")
        owner.send_signal(kill)
        owner.wait()
        assert _within(30, lambda: not _marked(marker))
        assert not [path for path in shared if Path(path).exists()]
        assert not list(place.iterdir())
    finally:
        for number in _marked(marker):
            os.kill(number, signal.SIGKILL)
        owner.wait()


def _within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Whether a condition comes to hold in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture
def _said_anew() -> Iterator[None]:
    go_on_without.cache_clear()
    yield
    go_on_without.cache_clear()


@pytest.mark.usefixtures("_said_anew")
@pytest.mark.parametrize(
    ("refuses", "why"),
    [
        (OSError("AF_UNIX path too long"), "AF_UNIX path too long"),
        (OSError(30, "Read-only file system"), "Read-only file system"),
        (FileNotFoundError(2, "No such file or directory"), "No such file or directory"),
        (EOFError(), "the fork server has ended"),
        (BrokenPipeError(32, "Broken pipe"), f"one ended as it began; {processes.RERUN}"),
    ],
)
@pytest.mark.parametrize("where", ["start_fork_server", "Lock"])
def test_where_no_process_can_be_started_the_work_is_done_and_that_is_said_once(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    refuses: Exception,
    why: str,
    where: str,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise refuses

    if where == "Lock":
        monkeypatch.setattr(multiprocessing.get_context("forkserver"), "Lock", refuse)
    else:
        monkeypatch.setattr(processes, where, refuse)
    for _ in range(2):
        assert list(pooled(abs, [-1, -2, -3], 2)) == [1, 2, 3]
    mends = "they need /dev/shm, and a TMPDIR whose path is short and can be written to"
    told = why if why.endswith(processes.RERUN) else f"{why}; {mends}"
    assert caplog.messages == [
        f"facebench: no process is rendering faces ({told}); going on without, which is slower"
    ]


def _die_in_another(number: int) -> int:
    if multiprocessing.parent_process() is not None:
        os._exit(3)
    return -number


@pytest.mark.usefixtures("_said_anew")
def test_the_work_of_a_renderer_that_ended_is_done_here(caplog: pytest.LogCaptureFixture) -> None:
    assert list(pooled(_die_in_another, range(9), 2)) == [-number for number in range(9)]
    (line,) = caplog.messages
    assert "no process is rendering faces (one has ended; out of memory" in line


def _refuse(number: int) -> int:
    raise OSError(28, "No space left on device")


def test_what_the_work_itself_refuses_is_raised() -> None:
    with pytest.raises(OSError, match="No space left"):
        list(pooled(_refuse, range(4), 2))


def _start_in_a_daemon(_: int) -> str:
    try:
        worker_context()
    except NoProcessError as error:
        return str(error)
    return "started"


def test_a_daemonic_process_starts_none() -> None:
    with worker_context().Pool(1) as pool:
        assert "a daemonic process" in pool.map(_start_in_a_daemon, [0])[0]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_the_fork_server_and_its_children_block_interrupts() -> None:
    start_fork_server()
    context = multiprocessing.get_context("forkserver")
    process = context.Process(target=signal.pause)
    process.start()
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
        (blocked,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigBlk")]
        assert int(blocked, 16) & 1 << (signal.SIGINT - 1)
        assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    finally:
        process.kill()
        process.join()


def test_interrupts_are_handled_inside_only() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    seen: list[int] = []
    try:
        with interrupted_at_once(lambda: seen.append(1)):
            os.kill(os.getpid(), signal.SIGINT)
        assert seen == [1]
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # nohup: stays ignored
        with interrupted_at_once(lambda: seen.append(2)):
            os.kill(os.getpid(), signal.SIGINT)
        assert seen == [1]
    finally:
        signal.signal(signal.SIGINT, before)
