"""``--cluster``: the shards of extractions made by the machines of a Ray cluster.

A task is a shard; Ray says where it runs, and runs it again where a process or a machine is lost.
The process of a task keeps the networks that it has loaded for the next one. What is finished is
in the store, whatever ends then.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import socket
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from facebench.base.errors import UserError
from facebench.base.storage import cache_folder, data_folder, working_folder
from facebench.base.threads import torch_threads
from facebench.base.version import __version__
from facebench.embedding.progress import progress_bar, summarise
from facebench.embedding.store import EmbeddingStore
from facebench.embedding.types import ExtractionProfile
from facebench.evaluation.sharing.extraction import NamedExtraction, extractions
from facebench.models.embedders.options import ModelOptions
from facebench.protocols.settings import Settings

_TRIES = 5  # of a shard whose process or machine is lost
_AHEAD = 2  # tasks for each core that wait in Ray


@dataclass(frozen=True)
class _Work:
    """All that a process elsewhere needs to make a shard of one of the extractions.

    keys: of their entries in the store; known: by card the fingerprint of its faces, so that not
    every process reads all of them.
    """

    models: tuple[str, ...]
    protocols: tuple[str, ...]
    data: str | None
    weights: tuple[str, ...]
    options: ModelOptions
    settings: Settings
    folder: str
    variables: tuple[tuple[str, str], ...]
    version: str
    keys: tuple[str, ...] = ()
    known: tuple[tuple[str, str], ...] = ()

    def extractions(self) -> list[NamedExtraction]:
        """Of every model on every protocol, as `facebench extract` makes them."""
        return extractions(
            self.models,
            self.protocols,
            self.data,
            weights=list(self.weights) or None,
            options=self.options,
            settings=self.settings,
            known=dict(self.known),
        )


def check_address(address: str) -> None:
    """UserError, before any work, where ``--cluster`` names none, or Ray is not there."""
    if not re.fullmatch(r"auto|local(:[1-9]\d{0,3})?|ray://[^\s/]+:\d+", address):
        raise UserError(
            f"--cluster {address!r} is not auto (the cluster that this machine is of), local:4 "
            "(processes of this machine) or ray://host:10001"
        )
    try:
        import ray  # noqa: F401
    except ImportError:
        raise UserError(
            "--cluster needs Ray, which is not installed: pip install 'facebench[ray]' on every "
            "machine; without it, `facebench extract --shard i/n` divides the work by hand"
        ) from None


def fill_on(
    address: str,
    models: Sequence[str],
    protocols: Sequence[str],
    data: str | None,
    weights: Sequence[str] | None,
    options: ModelOptions,
    settings: Settings,
) -> list[NamedExtraction]:
    """Make what the store lacks of every model on every protocol; the extractions, all complete.

    UserError: no such cluster; a machine with another version, or that does not see a folder; a
    model that the store cannot keep; and what an extraction refuses.
    """
    check_address(address)
    variables = (("FACEBENCH_CACHE", cache_folder()), ("FACEBENCH_DATA", data_folder()))
    work = _Work(
        tuple(models),
        tuple(protocols),
        None if data is None else str(data),
        tuple(map(str, weights or ())),
        options,
        replace(settings, progress=False, workers=0, threads=settings.threads or 1),
        str(working_folder().absolute()),
        tuple((name, str(folder.absolute())) for name, folder in variables),
        __version__,
    )
    with torch_threads(settings.threads):
        found = work.extractions()
    store, left, keys = EmbeddingStore(), list[tuple[int, int]](), list[str]()
    for number, one in enumerate(found):
        if not one.job.storable:
            raise UserError(
                f"model {one.model}: no hash covers what its numbers depend on, so other machines "
                "cannot make its embeddings; leave --cluster out"
            )
        entry = one.job.entry(store)
        keys.append(entry.key)
        left += [(number, shard) for shard in one.job.numbers if not entry.has(shard)]
    if left:
        known = {one.card: one.job.known for one in found if one.job.known}
        work = replace(work, keys=tuple(keys), known=tuple(known.items()))
        with _cluster(address):
            _run(work, found, left, settings.progress)
    return found


@contextlib.contextmanager
def _cluster(address: str) -> Iterator[None]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # and no warning of GPUs
    import ray

    kind, _, count = address.partition(":")
    where: dict[str, Any] = {"address": address}
    if kind == "local":
        where = {"address": "local", "num_cpus": int(count) if count else None}
        where |= {"include_dashboard": False, "object_store_memory": 100 * 2**20}
    own = not ray.is_initialized()
    try:
        if own:
            ray.init(**where, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        text = " ".join(str(error).split())
        what = f"no cluster answers ({text[:200]}); `ray start --head` starts one"
        if "ray[client]" in text:
            what = "ray:// needs Ray's client: pip install 'facebench[ray]' on this machine"
        raise UserError(f"--cluster {address}: {what}") from None
    try:
        yield
    finally:
        if own:
            ray.shutdown()


def _run(
    work: _Work, found: Sequence[NamedExtraction], left: list[tuple[int, int]], progress: bool
) -> None:
    import ray

    cores = work.settings.threads or 1
    gpus = 1 if work.options.device.startswith("cuda") else 0
    task = ray.remote(num_cpus=cores, num_gpus=gpus, max_retries=_TRIES)(_make)
    task = task.options(scheduling_strategy="SPREAD")
    given, waiting = ray.put(work), dict[Any, tuple[int, int]]()
    todo = list(reversed(left))
    faces = [len(found[job].job.shard_keys(shard)) for job, shard in left]
    title = found[0].job.title if len(found) == 1 else f"{len(found)} extractions"
    profile = ExtractionProfile(embedded=sum(faces))
    with profile.timed("total"), progress_bar(title, 0, sum(faces), progress) as advance:
        while todo or waiting:
            room = max(1, int(ray.cluster_resources().get("CPU", 1) / cores))
            while todo and len(waiting) < _AHEAD * room:
                one = todo.pop()
                waiting[task.remote(given, *one)] = one
            for done in ray.wait(list(waiting), timeout=5)[0]:
                job, shard = waiting.pop(done)
                refused = _answer(ray, done, found[job], shard)
                if refused:
                    for other in waiting:
                        ray.cancel(other)
                    raise UserError(refused)
                advance(len(found[job].job.shard_keys(shard)))
    if progress:
        summarise(f"{title}, on the cluster", profile)


def _answer(ray: Any, done: Any, one: NamedExtraction, shard: int) -> str:
    """What a task refused, or nothing."""
    try:
        return str(ray.get(done))
    except ray.exceptions.RayTaskError as error:
        text = str(error.cause).strip() or type(error.cause).__name__
        return f"shard {shard} of {one.job.title} failed on a machine of the cluster: {text}"
    except ray.exceptions.RayError as error:
        return (
            f"shard {shard} of {one.job.title} was lost {_TRIES + 1} times with its process or "
            f"machine ({type(error).__name__}); give the machines more memory, or fewer processes"
        )


_made: dict[_Work, list[NamedExtraction]] = {}


def _make(work: _Work, job: int, shard: int) -> str:
    """Make a shard of an extraction in a process of the cluster; what it refuses, or nothing."""
    try:
        if work.version != __version__:
            return _here(
                f"has facebench {__version__}, and who asks has {work.version}; install one"
            )
        for folder in (work.folder, dict(work.variables)["FACEBENCH_CACHE"]):
            if not Path(folder).is_dir():
                return _here(
                    f"sees no folder {folder}; data and cache lie where all machines see them"
                )
        os.environ.update(work.variables)
        os.chdir(work.folder)
        if work.folder not in sys.path:
            sys.path.append(work.folder)
        with torch_threads(work.settings.threads):
            if work not in _made:
                _made.clear()
                _made[work] = work.extractions()
            one = _made[work][job].job
            entry = one.entry(EmbeddingStore())
            if entry.key != work.keys[job]:
                return _here(
                    "would compute other numbers: its torch, OpenCV, model or faces are not those "
                    "of who asks; install the same versions"
                )
            if not entry.has(shard):
                with one.kept(entry):
                    for _ in one.make(entry, [shard], False):
                        pass
        return ""
    except UserError as error:
        return _here(f"refused: {error}") if "no folder" in str(error) else str(error)


def _here(what: str) -> str:
    return f"the machine {socket.gethostname()} {what}"
