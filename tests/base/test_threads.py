"""How threads wait, and how many a run keeps."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from facebench.base.threads import cores, keep_threads, over_cores, side_by_side

ROOT = Path(__file__).parents[2]
_NAMES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")


def policy(code: str, **own: str) -> list[str]:
    """What a process that runs some code says of its waiting, and of that of what it measures."""
    bare = {name: value for name, value in os.environ.items() if name not in _NAMES}
    told = (
        "import os; from facebench.base.threads import users_environment as u\n"
        "print(os.environ.get('OMP_WAIT_POLICY'), u().get('OMP_WAIT_POLICY'))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", f"{code}\n{told}"],
        capture_output=True,
        text=True,
        check=True,
        env={**bare, "PYTHONPATH": str(ROOT), **own},
    )
    return ended.stdout.split()


def test_threads_wait_passively_but_not_where_speed_is_measured() -> None:
    assert policy("import facebench") == ["PASSIVE", "None"]


@pytest.mark.parametrize("name", _NAMES)
def test_what_the_user_set_stays(name: str) -> None:
    expected = "ACTIVE" if name == "OMP_WAIT_POLICY" else "None"
    assert policy("import facebench", **{name: "ACTIVE"}) == [expected, expected]


def test_once_torch_is_loaded_nothing_is_set() -> None:
    code = "import sys; sys.modules['torch'] = sys; import facebench"
    assert policy(code) == ["None", "None"]


def test_a_run_keeps_its_first_number_of_threads() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert keep_threads(None) == 2
        assert keep_threads(1) == 1 == torch.get_num_threads()
    finally:
        torch.set_num_threads(before)


def test_workers_of_one_thread_answer_in_order() -> None:
    together, seen = threading.Barrier(2), []

    def make(item: int) -> int:
        if item < 2:
            together.wait(60)  # only where two are at work at once
        seen.append(torch.get_num_threads())
        if item == 9:
            raise ValueError("nine")
        return item * item

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert list(side_by_side(make, range(9))) == [n * n for n in range(9)]
        assert set(seen) == {1} and torch.get_num_threads() == 2
        with pytest.raises(ValueError, match="nine"):
            list(side_by_side(make, range(99)))
        assert torch.get_num_threads() == 2 and len(seen) < 99
        one_only = side_by_side(make, range(2, 9))
        assert next(one_only) == 4
        one_only.close()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_over_cores_gives_results_in_order_and_the_same_bits(workers: int) -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((40, 30, 20)).astype(np.float32)
    found = list(over_cores(lambda number: rows[number] @ rows[number].T, range(40), workers))
    for number in range(40):
        np.testing.assert_array_equal(found[number], rows[number] @ rows[number].T)


def test_over_cores_runs_beside_each_other_and_stops_at_an_error() -> None:
    together, seen = threading.Barrier(2), []

    def make(item: int) -> int:
        if item < 2:
            together.wait(60)  # only where two are at work at once
        seen.append(item)
        if item == 9:
            raise ValueError("nine")
        return -item

    assert list(over_cores(make, range(9), 2)) == [-n for n in range(9)]
    with pytest.raises(ValueError, match="nine"):
        list(over_cores(make, range(999), 2))
    assert len(seen) < 999


@pytest.mark.parametrize(("said", "most"), [("1", 1), ("1,4", 1), ("", 4096), ("x", 4096)])
def test_cores_are_those_that_one_may_use(
    said: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    assert 1 <= cores() <= most
