"""Shards by many hands: each process makes its share of an extraction's files, in one store."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from facebench.base.errors import UserError
from facebench.embedding.progress import summarise
from facebench.embedding.store import EmbeddingStore
from facebench.embedding.stream import Extraction

_RANKS = ("RANK", "WORLD_SIZE")
_TASKS = ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT")
_FIRST, _LAST = "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_MAX"
_STEP = "SLURM_ARRAY_TASK_STEP"
_MOST = 1_000_000


@dataclass(frozen=True)
class WorkShare:
    """What one of several processes makes: every ``of``-th shard from its ``number``, 1 to ``of``.

    said_by: the option or variables that say so.
    """

    number: int
    of: int
    said_by: str

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def of_numbers(self, numbers: Sequence[int]) -> list[int]:
        """Its own among the numbers of all shards."""
        return list(numbers[self.number - 1 :: self.of])


@dataclass(frozen=True)
class Filled:
    """What a process made. faces, shards: its own; present, total: all of the extraction's shards
    that are stored, and all there are; failed: own faces that were not acquired.
    """

    faces: int
    shards: int
    present: int
    total: int
    failed: int
    folder: Path

    @property
    def complete(self) -> bool:
        """Whether nothing is left for others to make."""
        return self.present == self.total


def share_of(text: str | None, environment: Mapping[str, str]) -> WorkShare | None:
    """The share that ``i/n`` says, or the variables of torchrun and of SLURM's arrays do; None:
    nobody divides the work. An array of tasks of several ranks each is divided by both. ``1/1`` is
    all, whatever the variables say.

    UserError: no ``i/n`` with i from 1 to n; variables that are no such numbers; both, of which
    one says another share.
    """
    own = None if text is None else _read("--shard", text)
    if own is not None and own.of == 1:
        return None
    found = _by_environment(environment)
    if own is None or found is None:
        return own or found
    if (own.number, own.of) != (found.number, found.of):
        raise UserError(
            f"--shard {own} and {found.said_by}, which say {found}: leave --shard out, or unset "
            "them for this command"
        )
    return own


def fill(
    job: Extraction, store: EmbeddingStore, share: WorkShare | None, progress: bool = True
) -> Filled:
    """Make what the store lacks of a share (None: of all). Numbers and bytes are those of one
    process that makes all, where each has as many threads.

    UserError: as `facebench.embedding.extract.extract`, and where the store cannot keep the model's
    embeddings, or others divide the work into another number.
    """
    if not job.storable:
        raise UserError(
            f"model {job.embedder.id}: no hash covers what its numbers depend on, so the store "
            "cannot keep its embeddings and its work cannot be divided; evaluate it in one process"
        )
    numbers = job.numbers if share is None else share.of_numbers(job.numbers)
    with job.profile.timed("total"):
        entry = job.entry(store)
        with job.kept(entry, None if share is None else share.of):
            for shard in job.make(entry, numbers, progress):
                job.profile.failed += int((~shard.acquired).sum())
            present = entry.present()
    if progress:
        summarise(job.title if share is None else f"{job.title}, shard {share}", job.profile)
    faces = sum(len(job.shard_keys(number)) for number in numbers)
    return Filled(faces, len(numbers), present, len(job.numbers), job.profile.failed, entry.folder)


def _read(option: str, text: str) -> WorkShare:
    match = re.fullmatch(r"\s*(\d{1,9})\s*/\s*(\d{1,9})\s*", text, re.ASCII)
    number, of = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= number <= of <= _MOST:
        raise UserError(
            f"{option} {text!r} is not i/n with i from 1 to n: the first of four is 1/4, the last "
            "4/4"
        )
    return WorkShare(number, of, option)


def _by_environment(environment: Mapping[str, str]) -> WorkShare | None:
    rank = _counted(environment, _RANKS, 0, 1)
    first, step = _whole(environment, _FIRST, 0), max(1, _whole(environment, _STEP, 1))
    task = _counted(environment, _TASKS, first, step)
    if (
        task
        and _whole(environment, _LAST, first + (task.of - 1) * step) != first + (task.of - 1) * step
    ):
        raise UserError(
            f"{task.said_by}: the numbers of the array do not follow each other (its last is "
            f"{environment[_LAST]}); give it such as 0-{task.of - 1}, or say --shard i/n"
        )
    if task is None or rank is None:
        return task or rank
    return WorkShare(
        (task.number - 1) * rank.of + rank.number,
        task.of * rank.of,
        f"{task.said_by}, {rank.said_by}",
    )


def _counted(
    environment: Mapping[str, str], names: tuple[str, str], first: int, step: int
) -> WorkShare | None:
    """The share that two variables say, which one and of how many; None: they say none."""
    if any(not environment.get(name, "").strip() for name in names):
        return None
    which, of = (_whole(environment, name, 0) for name in names)
    number, rest = divmod(which - first, step)
    if rest or not 0 <= number < of <= _MOST:
        said = ", ".join(f"{name}={environment[name]}" for name in names)
        raise UserError(
            f"{said}: no number of a row of that many; say which part is to be made with --shard "
            "i/n"
        )
    said_by = " and ".join(f"{name}={environment[name].strip()}" for name in names)
    return None if of == 1 else WorkShare(number + 1, of, said_by)


def _whole(environment: Mapping[str, str], name: str, usual: int) -> int:
    text = environment.get(name, "").strip()
    if not text:
        return usual
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise UserError(f"{name}={text} is no whole number; unset it, or correct it")
    return int(text)
