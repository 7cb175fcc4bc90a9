"""Signals wait until what was begun is written down, and take effect then."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading

import pytest

from facebench.lab.learning.stopping import stopping

SCRIPT = textwrap.dedent(
    """
    import os, signal, sys
    from facebench.lab.learning.stopping import stopping
    number = getattr(signal, sys.argv[1])
    if sys.argv[2] == "ignored":
        signal.signal(number, signal.SIG_IGN)
    with stopping() as stop:
        os.kill(os.getpid(), number)
        if sys.argv[2] == "twice":
            os.kill(os.getpid(), number)
        print("noted" if stop else "not noted", flush=True)
    print("went on", flush=True)
    """
)


def ended(name: str, how: str = "once") -> tuple[int, list[str]]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, name, how], capture_output=True, text=True, timeout=60,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    return done.returncode, done.stdout.split("\n")[:-1]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_ends_the_process_after_the_block_as_it_would_have(name: str) -> None:
    assert ended(name) == (-getattr(signal, name), ["noted"])
    assert ended(name, "twice") == (-getattr(signal, name), [])  # at once
    assert ended(name, "ignored") == (0, ["not noted", "went on"])  # as nohup does


def test_ctrl_c_is_raised_after_the_block() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    reached = False
    try:
        with pytest.raises(KeyboardInterrupt), stopping() as stop:
            os.kill(os.getpid(), signal.SIGINT)
            reached = bool(stop)
        assert reached and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_another_thread_has_no_signals() -> None:
    found: list[bool] = []

    def work() -> None:
        with stopping() as stop:
            found.append(bool(stop))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False]
