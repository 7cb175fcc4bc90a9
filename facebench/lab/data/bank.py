"""A bank: augmented and mixed faces with a teacher's embedding of exactly what a student sees."""

from __future__ import annotations

import hashlib
import io
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.base.locks import only_one
from facebench.base.opening import read_fields, reading
from facebench.base.storage import write_atomically
from facebench.lab.data.augment import centre_crop
from facebench.lab.data.crops import UNLABELLED, Teacher, TrainingCrops
from facebench.lab.data.views import VIEWS_VERSION, morph, view

SHARD = 1024
_BATCH = 64
_CARD = "bank.json"
_NOTHING = -1


@dataclass(frozen=True)
class BankPlan:
    """What is written: so many faces, the share of them that are morphs, and the seed of all.

    A face depends on (crops, seed, share of morphs, its number) alone: a bank of more faces begins
    with those of a smaller one, and goes on in its folder.
    """

    faces: int
    morphs: float = 0.4
    seed: int = 0

    @property
    def shards(self) -> int:
        """Files of `SHARD` faces, of which the last may have more than are learned from."""
        return -(-self.faces // SHARD)


@dataclass(frozen=True)
class Bank:
    """A bank that was written.

    faces: uint8 112×96×3 by number; targets: float32 N×D unit rows; sources: int32 N×2, rows of
    the crops that a face was made of, the second -1 where it is no morph; fingerprint: of crops,
    teacher, augmentation and plan.
    """

    faces: BankFaces
    targets: NDArray[np.float32]
    sources: NDArray[np.int32]
    fingerprint: str


class BankFaces:
    """Stored faces by their number, memory-mapped, uint8 112×96×3."""

    def __init__(self, shards: list[NDArray[np.uint8]], rows: NDArray[np.int64]) -> None:
        self.shards, self.rows = shards, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: Any, /) -> NDArray[np.uint8]:
        shard, place = divmod(int(self.rows[number]), SHARD)
        crop: NDArray[np.uint8] = self.shards[shard][place]
        return crop


def write_bank(
    folder: Path,
    crops: TrainingCrops,
    plan: BankPlan,
    make_teacher: Callable[[], Teacher],
    workers: int = 1,
    told: Callable[[int], None] | None = None,
) -> Bank:
    """Write what ``folder`` lacks of a bank, and open it; a run that was stopped goes on.

    Only ``crops`` are shown or mixed: leave out of them what nothing may be learned of.
    make_teacher: called with one thread, so that the same bytes come from any number of
    ``workers``. told: called with the number of faces written so far. UserError: the folder holds
    another bank, or no hash covers the teacher, or it tells a face from its mirror image, in which
    a student sees half of them.
    """
    with _one_thread():
        teacher = make_teacher()
        if not teacher.kept:
            raise UserError("a bank needs a teacher that a hash covers: save it as ONNX")
        fingerprint = bank_fingerprint(crops, plan, teacher.signature)
        folder.mkdir(parents=True, exist_ok=True)
        with only_one(folder):
            _claim(folder, plan, fingerprint)
            missing = [part for part in range(plan.shards) if not _answers(folder, part).exists()]
            if missing:
                _require_mirrored(teacher, crops)
                _write_shards(folder, missing, crops, plan, teacher, workers, told)
    return open_bank(folder, plan, fingerprint)


def open_bank(folder: Path, plan: BankPlan, fingerprint: str) -> Bank:
    """The first faces of a bank; UserError where one of its files is damaged or absent."""
    faces, targets, sources = [], [], []
    for shard in range(plan.shards):
        to_do = f"remove {_answers(folder, shard).name}, and it is written again"
        with reading(folder, f"part {shard} of the bank cannot be read", to_do):
            faces.append(np.load(_faces(folder, shard), mmap_mode="r"))
            with np.load(_answers(folder, shard)) as answers:
                targets.append(answers["targets"])
                sources.append(answers["sources"])
            wanted = [(SHARD, *targets[0].shape[1:]), (SHARD, 2)]
            found = [targets[-1].shape, sources[-1].shape]
            if len(faces[-1]) != SHARD or found != wanted or targets[0].ndim != 2:
                raise ValueError("its faces and what is known of them do not fit together")
    return Bank(
        BankFaces(faces, np.arange(plan.faces)),
        np.concatenate(targets)[: plan.faces].astype(np.float32),
        np.concatenate(sources)[: plan.faces],
        fingerprint,
    )


def bank_fingerprint(crops: TrainingCrops, plan: BankPlan, teacher: str) -> str:
    """Of the pixels that are shown or mixed, the augmentation, the plan's stream and the signature
    of the teacher, in 16 hexadecimal digits; not of names, which may change without them.

    The number of faces is not in it: a longer bank is the same one, further on.
    """
    words = [VIEWS_VERSION, SHARD, plan.seed, plan.morphs, teacher, len(crops.images)]
    digest = hashlib.sha256(json.dumps(words).encode())
    for row in range(len(crops.images)):
        digest.update(np.ascontiguousarray(crops.images[row]).data)
    return digest.hexdigest()[:16]


def make_face(crops: TrainingCrops, plan: BankPlan, number: int) -> tuple[Any, tuple[int, int]]:
    """Face ``number`` of a bank, uint8 128×112×3, and the one or two rows that it is made of."""
    rng = np.random.default_rng([plan.seed, 5, number])
    total = len(crops.images)
    morphs = int(number * plan.morphs)
    if int((number + 1) * plan.morphs) > morphs:
        first, second = (int(row) for row in rng.integers(0, total, 2))
        mixed = morph(np.asarray(crops.images[first]), np.asarray(crops.images[second]), rng)
        return view(mixed, rng), (first, second)
    epoch, place = divmod(number - morphs, total)
    row = int(_order(total, plan.seed, epoch)[place])
    return view(np.asarray(crops.images[row]), rng), (row, _NOTHING)


@lru_cache(maxsize=4)
def _order(total: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """The order in which one pass over all crops shows them."""
    return np.random.default_rng([seed, 6, epoch]).permutation(total)


def _claim(folder: Path, plan: BankPlan, fingerprint: str) -> None:
    """Write down whose bank a folder holds; UserError where it is another."""
    card = folder / _CARD
    if card.exists():
        to_do = "give another --bank, or remove it"
        before = read_fields(card, "the card of a bank", "fingerprint", "faces", to_do=to_do)
        if before["fingerprint"] != fingerprint:
            raise UserError(
                f"{folder} holds a bank of other crops, teacher, seed or share of morphs; give "
                "another --bank, or remove it"
            )
        if before["faces"] >= plan.faces:
            return
    text = json.dumps({**asdict(plan), "fingerprint": fingerprint}, indent=1)
    write_atomically(card, text.encode())


def _write_shards(
    folder: Path,
    shards: list[int],
    crops: TrainingCrops,
    plan: BankPlan,
    teacher: Teacher,
    workers: int,
    told: Callable[[int], None] | None,
) -> None:
    stop = threading.Event()
    done = plan.shards - len(shards)
    # Threads, not processes: OpenCV and the teacher's runtime let go of the interpreter.
    with ThreadPoolExecutor(workers) as pool:
        try:
            tasks = [
                pool.submit(_write_shard, folder, s, crops, plan, teacher, stop) for s in shards
            ]
            for task in as_completed(tasks):
                task.result()
                done += 1
                if told is not None:
                    told(min(done * SHARD, plan.faces))
        except BaseException:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _write_shard(
    folder: Path,
    shard: int,
    crops: TrainingCrops,
    plan: BankPlan,
    teacher: Teacher,
    stop: threading.Event,
) -> None:
    faces = np.empty((SHARD, 112, 96, 3), np.uint8)
    targets, sources = [], np.empty((SHARD, 2), np.int32)
    for begin in range(0, SHARD, _BATCH):
        if stop.is_set():
            return
        made = []
        for place in range(begin, begin + _BATCH):
            whole, sources[place] = make_face(crops, plan, shard * SHARD + place)
            made.append(whole)
        whole = np.stack(made)
        faces[begin : begin + _BATCH] = centre_crop(whole)
        answer = teacher.embed(whole)
        targets.append(answer / np.linalg.norm(answer, axis=1, keepdims=True))
    write_atomically(_faces(folder, shard), _array_bytes(faces))
    # Last, so that it says that the part is complete.
    buffer = io.BytesIO()
    np.savez(buffer, targets=np.concatenate(targets).astype(np.float16), sources=sources)
    write_atomically(_answers(folder, shard), buffer.getvalue())


def _array_bytes(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _require_mirrored(teacher: Teacher, crops: TrainingCrops) -> None:
    rows = range(min(8, len(crops.images)))
    faces = np.stack([np.asarray(crops.images[row]) for row in rows])
    own = teacher.embed(faces)
    mirrored = teacher.embed(np.ascontiguousarray(faces[:, :, ::-1]))
    norms = np.linalg.norm(own, axis=1) * np.linalg.norm(mirrored, axis=1)
    if ((own * mirrored).sum(1) < 0.999 * norms).any():
        raise UserError(
            "the teacher's embedding of a mirrored face is another, and a student sees half of the "
            "faces of a bank mirrored: give --teacher-flip add or normalised-add"
        )


@contextmanager
def _one_thread() -> Iterator[None]:
    torch_before, opencv_before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(torch_before)
        cv2.setNumThreads(opencv_before)


def _faces(folder: Path, shard: int) -> Path:
    return folder / f"faces-{shard:05d}.npy"


def _answers(folder: Path, shard: int) -> Path:
    return folder / f"answers-{shard:05d}.npz"


def learned_from_bank(bank: Bank, crops: TrainingCrops, learn: str) -> TrainingCrops:
    """What a network learns of a bank: ``all``, ``views`` or ``clean`` (see `BankFields`).

    crops: those that it was made of; views keep their identities, morphs have none.
    """
    views = bank.sources[:, 1] == _NOTHING
    rows = np.arange(len(views)) if learn == "all" else np.flatnonzero(views)
    of = bank.sources[rows, 0]
    return TrainingCrops(
        BankFaces(bank.faces.shards, bank.faces.rows[rows]),
        np.where(views[rows], crops.labels[of], UNLABELLED),
        crops.targets[of] if learn == "clean" else bank.targets[rows],
        key=f"bank-{bank.fingerprint}-{len(views)}-{learn}",
    )
