"""``--cluster``: shards on the machines of a Ray cluster, and what is lost with one of them.

What is asserted is the bytes of the store and the record, never which event was seen. A model
ends its own process, or waits to be ended, so that no test depends on the speed of the machine.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

import facebench
from facebench.base.errors import UserError
from facebench.cli import cluster
from facebench.cli.cluster import _make, _Work, check_address
from facebench.models.embedders.options import ModelOptions
from facebench.protocols.settings import Settings
from tests.helpers.acceptance import acceptance

Run = Callable[..., "Result"]  # noqa: F821
ROOT = str(Path(facebench.__file__).parents[1])
PATIENCE = 600  # seconds, for a machine under load
MODEL = ("-p", "lfw", "--workers", "0")
MORTAL = '''
import os, signal, time
from pathlib import Path
import tiny_model

class Mortal(tiny_model.Pinned):
    """Its first process says so, and ends itself, or waits for its end."""

    def forward(self, faces):
        how, marker = os.environ.get("MORTAL", ""), Path(os.environ["FACEBENCH_CACHE"], "began")
        try:
            if how:
                marker.touch(exist_ok=False)
                (marker.parent / "who").write_text(os.environ.get("NODE", ""))
                while how == "wait":
                    time.sleep(0.05)
                os.kill(os.getpid(), signal.SIGKILL)
        except FileExistsError:
            pass
        return super().forward(faces)

def mortal():
    return Mortal()

class Planned(tiny_model.Pinned):
    """Passes are counted over all processes; at one of them a worker, its node or the driver is
    killed.
    """

    def forward(self, faces):
        cache = Path(os.environ["FACEBENCH_CACHE"])
        if (cache / "plan").exists() and self.number(cache) == int((cache / "plan").read_text()):
            while not (cache / "victim").exists():
                time.sleep(0.01)
            who = (cache / "victim").read_text()
            victims = {"worker": [os.getpid()], "node": [os.getppid(), os.getpid()]}
            for pid in victims[who] if who in victims else [int(who)]:
                os.kill(pid, signal.SIGKILL)
        return super().forward(faces)

    def number(self, cache):
        number = len(list(cache.glob("pass-*")))
        while True:
            try:
                (cache / f"pass-{number}").touch(exist_ok=False)
                return number
            except FileExistsError:
                number += 1

def planned():
    return Planned()
'''


@pytest.fixture
def many(tmp_path: Path, work: Path) -> Path:
    """Three files' worth of faces in LFW's layout, and a model that may be killed."""
    folder, people, rng = tmp_path / "many", 280, np.random.default_rng(0)
    names = [f"Person_{number:03d}" for number in range(people)]
    for name in names:
        (folder / "lfw" / name).mkdir(parents=True)
        for number in range(1, 5):
            image = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
            cv2.imwrite(str(folder / "lfw" / name / f"{name}_{number:04d}.jpg"), image)
    lines = [f"2\t{people // 2}"]
    for own in (names[: people // 2], names[people // 2 :]):
        lines += [f"{name}\t1\t2" for name in own]
        lines += [f"{name}\t3\t{own[i - 1]}\t4" for i, name in enumerate(own)]
    (folder / "pairs.txt").write_text("\n".join(lines) + "\n")
    (work / "mortal_model.py").write_text(MORTAL)
    return folder


def stored(cache: Path) -> dict[str, bytes]:
    """The files of the store."""
    folder = cache / "embeddings"
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def ray() -> None:
    """Only where Ray is installed."""
    pytest.importorskip("ray")


def test_addresses(ray: None) -> None:
    for good in ("auto", "local", "local:4", "ray://head:10001"):
        check_address(good)
    for bad in ("", "local:0", "local:x", "head:10001", "ray://head"):
        with pytest.raises(UserError, match="is not auto"):
            check_address(bad)


def test_without_ray_it_says_what_to_install(
    run: Run, faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    ended = run("extract", "tiny_model:pinned", *MODEL, "--data", faces, "--cluster", "local:2")
    assert ended.code == 2 and "pip install 'facebench[ray]'" in ended.line
    plain = run("extract", "tiny_model:pinned", *MODEL, "--data", faces)
    assert plain.code == 0 and "all are there" in plain.out


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("Ray Client requires pip package `ray[client]`. If", "needs Ray's client: pip install"),
        ("ray client connection\ntimeout", "no cluster answers (ray client connection timeout)"),
    ],
)
def test_a_cluster_that_does_not_answer_is_one_line(
    ray: None, said: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray as library

    def refuse(**_: object) -> None:
        raise ConnectionError(said)

    monkeypatch.setattr(library, "init", refuse)
    with pytest.raises(UserError) as found, cluster._cluster("ray://nowhere:10001"):
        pass
    assert line in str(found.value) and "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("extract", "tiny_model:pinned", "--shard", "1/2"), "and --shard would, too"),
        (("eval", "-m", "tiny_model:pinned", "--no-store"), "keeps them in the store"),
        (("extract", "tiny_model:make", "--size", "112x96"), "no hash covers"),
    ],
)
def test_what_has_no_sense_is_one_line(
    ray: None, run: Run, faces: Path, words: tuple[str, ...], line: str
) -> None:
    ended = run(*words, *MODEL, "--data", faces, "--cluster", "local:2")
    assert ended.code == 2 and line in ended.err


@pytest.fixture
def work_of(
    faces: Path, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[_Work]:
    """What a process of the cluster is given."""
    cache = tmp_path / "cache"
    cache.mkdir(exist_ok=True)
    monkeypatch.setenv("FACEBENCH_CACHE", str(cache))
    monkeypatch.setenv("FACEBENCH_DATA", str(cache / "data"))
    monkeypatch.syspath_prepend(str(work))
    given = _Work(
        ("tiny_model:pinned",),
        ("lfw",),
        str(faces),
        (),
        ModelOptions(),
        Settings(workers=0, progress=False),
        str(work),
        (("FACEBENCH_CACHE", str(cache)), ("FACEBENCH_DATA", str(cache / "data"))),
        facebench.__version__,
    )
    cluster._made.clear()
    yield given
    cluster._made.clear()


def changed(work: _Work, **fields: object) -> _Work:
    from dataclasses import replace

    return replace(work, **fields)  # type: ignore[arg-type]


def test_a_process_makes_a_shard_and_keeps_the_network(work_of: _Work, tmp_path: Path) -> None:
    (one,) = work_of.extractions()
    key = one.job.entry(cluster.EmbeddingStore()).key
    known = changed(work_of, keys=(key,), known=((one.card, one.job.known or ""),))
    assert _make(known, 0, 0) == ""
    files = stored(tmp_path / "cache")
    assert [name for name in files if "shard-00000" in name]
    held = cluster._made[known][0].job.embedder
    assert _make(known, 0, 0) == "" and cluster._made[known][0].job.embedder is held
    assert stored(tmp_path / "cache") == files


def test_what_a_machine_lacks_is_told(work_of: _Work, tmp_path: Path) -> None:
    assert "has facebench" in _make(changed(work_of, version="0.0.1"), 0, 0)
    assert "sees no folder" in _make(changed(work_of, folder=str(tmp_path / "nowhere")), 0, 0)
    assert "other numbers" in _make(changed(work_of, keys=("another",)), 0, 0)
    absent = changed(work_of, data=str(tmp_path / "nowhere"), keys=("another",))
    assert "nowhere" in _make(absent, 0, 0)
    assert not stored(tmp_path / "cache")


def other_cache(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    folder.mkdir()
    monkeypatch.setenv("FACEBENCH_CACHE", str(folder))
    return folder


def digest_of(result: object) -> str:
    """What ``eval`` says of the record that it wrote."""
    return str(result.err).split("digest ")[1].split(")")[0]  # type: ignore[attr-defined]


@pytest.mark.slow
def test_an_evaluation_on_a_cluster_is_that_of_one_process(
    ray: None, run: Run, many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of the cluster's processes is killed in its first shard."""
    words = ("eval", "-m", "mortal_model:mortal", *MODEL, "--data", many, "--draws", "20")
    alone = other_cache(monkeypatch, tmp_path / "alone")
    first = run(*words, "--threads", "1")
    assert first.code == 0, first.err
    several = other_cache(monkeypatch, tmp_path / "several")
    monkeypatch.setenv("MORTAL", "die")
    second = run(*words, "--threads", "1", "--cluster", "local:2")
    assert second.code == 0, second.err
    assert (several / "began").exists()
    assert stored(several) == stored(alone) and len(stored(alone)) == 4
    assert digest_of(second) == digest_of(first)


@pytest.mark.slow
def test_a_lost_driver_costs_what_was_not_finished(
    ray: None, run: Run, many: Path, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("extract", "mortal_model:mortal", *MODEL, "--data", many, "--threads", "1")
    alone = other_cache(monkeypatch, tmp_path / "alone")
    assert run(*words).code == 0
    several = other_cache(monkeypatch, tmp_path / "several")
    driver = subprocess.Popen(
        [sys.executable, "-m", "facebench", *map(str, words), "--cluster", "local:1"],
        env={**os.environ, "MORTAL": "wait", "PYTHONPATH": f"{ROOT}:{work}"},
        cwd=work,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    wait_for(several / "who", driver)
    driver.send_signal(signal.SIGKILL)
    driver.wait(PATIENCE)
    again = run(*words, "--cluster", "local:1")
    assert again.code == 0, again.err
    assert stored(several) == stored(alone)


def wait_for(path: Path, process: subprocess.Popen[bytes] | None = None) -> None:
    end = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < end and (process is None or process.poll() is None)
        time.sleep(0.05)


@pytest.fixture
def nodes(ray: None, work: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Two nodes beside a head, for ``--cluster auto``; what adds one in the place of a lost one."""
    from ray import cluster_utils

    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{work}")
    small = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
    machines = cluster_utils.Cluster(
        initialize_head=True, head_node_args={**small, "num_cpus": 0, "include_dashboard": False}
    )
    monkeypatch.setenv("RAY_ADDRESS", machines.address)

    def mend() -> None:
        for node in list(machines.worker_nodes):
            if node.any_processes_alive() and not node.dead_processes():
                continue
            machines.remove_node(node, allow_graceful=False)
        while len(machines.worker_nodes) < 2:
            machines.add_node(**small, wait=False)

    try:
        mend()
        yield mend
    finally:
        machines.shutdown()


@pytest.mark.slow
def test_one_process_four_shards_and_two_nodes_give_the_same(
    nodes: Callable[[], None], run: Run, many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records, digests, and the bytes of the store, at one thread each."""
    words = (*MODEL, "--data", many, "--threads", "1")
    digests, stores = [], []
    for way in ("alone", "shards", "ray"):
        cache = other_cache(monkeypatch, tmp_path / way)
        for number in (3, 1, 4, 2) if way == "shards" else ():
            made = run("extract", "mortal_model:mortal", *words, "--shard", f"{number}/4")
            assert made.code == 0, made.err
        on = ("--cluster", "auto") if way == "ray" else ()
        ended = run("eval", "-m", "mortal_model:mortal", *words, "--draws", "20", *on)
        assert ended.code == 0, ended.err
        assert ("on the cluster: 1,120 faces embedded in" in ended.err) == (way == "ray")
        digests.append(digest_of(ended))
        stores.append(stored(cache))
    assert digests[0] == digests[1] == digests[2]
    assert stores[0] == stores[1] == stores[2] and len(stores[0]) == 4


@acceptance
@pytest.mark.slow
def test_ten_kills_at_random_moments_cost_nothing_but_time(
    nodes: Callable[[], None],
    run: Run,
    many: Path,
    work: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A worker, a node or the driver is killed at a pass of the network that was drawn; what is
    lost with the driver is made by the same command again.
    """
    words = ("extract", "mortal_model:planned", *MODEL, "--data", many, "--threads", "1")
    alone = other_cache(monkeypatch, tmp_path / "alone")
    assert run(*words).code == 0
    rng = np.random.default_rng(21)
    victims = rng.permutation(["worker"] * 4 + ["node"] * 3 + ["driver"] * 3).tolist()
    for number, victim in enumerate(victims):
        nodes()
        cache = other_cache(monkeypatch, tmp_path / f"kill-{number}")
        (cache / "plan").write_text(str(rng.integers(35)))  # passes in 3 files of 1,120 faces
        command = [sys.executable, "-m", "facebench", *map(str, words), "--cluster", "auto"]
        driver = subprocess.Popen(
            command, cwd=work, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        (cache / "about").write_text(str(driver.pid) if victim == "driver" else victim)
        (cache / "about").rename(cache / "victim")
        _, said = driver.communicate(timeout=PATIENCE)
        assert driver.returncode == (-signal.SIGKILL if victim == "driver" else 0), said
        if victim == "driver":
            (cache / "plan").unlink()
            again = subprocess.run(command, cwd=work, capture_output=True, timeout=PATIENCE)
            assert again.returncode == 0, again.stderr
        assert stored(cache) == stored(alone), (number, victim)


@pytest.mark.slow
def test_a_lost_machine_costs_its_shard(
    ray: None, run: Run, many: Path, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cluster of three nodes on this machine, of which the first to begin is taken away."""
    from ray import cluster_utils

    words = ("extract", "mortal_model:mortal", *MODEL, "--data", many, "--threads", "1")
    alone = other_cache(monkeypatch, tmp_path / "alone")
    assert run(*words).code == 0
    several = other_cache(monkeypatch, tmp_path / "several")
    monkeypatch.setenv("MORTAL", "wait")
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{work}")
    small = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
    machines = cluster_utils.Cluster(
        initialize_head=True, head_node_args={**small, "num_cpus": 0, "include_dashboard": False}
    )
    try:
        nodes = {}
        for name in ("one", "other"):
            nodes[name] = machines.add_node(**small, env_vars={"NODE": name})

        def lose() -> None:
            wait_for(several / "who")
            while not (name := (several / "who").read_text()):
                time.sleep(0.05)
            machines.remove_node(nodes.pop(name), allow_graceful=False)

        losing = threading.Thread(target=lose, daemon=True)
        losing.start()
        monkeypatch.setenv("RAY_ADDRESS", machines.address)
        ended = run(*words, "--cluster", "auto")
        losing.join(PATIENCE)
        assert ended.code == 0, ended.err
        assert len(nodes) == 1
        assert stored(several) == stored(alone)
    finally:
        machines.shutdown()
