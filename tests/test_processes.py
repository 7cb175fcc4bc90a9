"""The fork server out of reach of Ctrl-C, and imports that Ctrl-C ends at once."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from facebench.processes import interrupted_at_once, start_fork_server


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
