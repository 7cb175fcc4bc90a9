"""People who look like those that a network will be judged on: left out of what it learns from."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError, nearest
from facebench.base.opening import reading
from facebench.base.storage import write_atomically
from facebench.base.threads import side_by_side
from facebench.faces.people import LabelledFaces
from facebench.lab.data.crops import TrainingCrops
from facebench.lab.data.labelled import labelled_faces
from facebench.models.embedders.base import Embedder, unit

NEAR = 0.4
_BATCH = 64


def reference_people(folder: Path) -> LabelledFaces:
    """Faces of a folder per identity, ``landmarks.txt`` in or beside it; UserError: none there."""
    inside, beside = folder / "landmarks.txt", folder.parent / "landmarks.txt"
    landmarks = beside if beside.is_file() and not inside.is_file() else None
    return labelled_faces(str(folder), landmarks)


def embeddings_of_people(
    people: LabelledFaces, teacher: Embedder, cache: Path
) -> NDArray[np.float32]:
    """The teacher's unit embedding of every image, float32 N×D, kept in the folder ``cache``.

    UserError where an image has no landmarks.
    """
    words = f"{people.source.fingerprint(people.keys)} {teacher.signature}"
    path = cache / f"{hashlib.sha256(words.encode()).hexdigest()[:16]}.npy"
    if path.is_file():
        with reading(path, "kept embeddings cannot be read", "remove it, and it is made again"):
            kept: NDArray[np.float32] = np.load(path)
        return kept
    size = teacher.preprocessing.size

    def embedded(begin: int) -> NDArray[np.float32]:
        faces = []
        for key in people.keys[begin : begin + _BATCH]:
            face = people.aligner(key, people.source.read(key), size)
            if face is None:
                raise UserError(f"--apart-from: {key} has no landmarks to align it by")
            faces.append(face)
        return unit(teacher.embed(np.stack(faces)))

    found = np.concatenate(list(side_by_side(embedded, range(0, len(people.keys), _BATCH))))
    buffer = io.BytesIO()
    np.save(buffer, found)
    write_atomically(path, buffer.getvalue())
    return found


@dataclass(frozen=True)
class Apart:
    """Whose likes are left out. faces: a teacher's unit embeddings float32 N×D; of: only people of
    these sources of an index are, empty: of all.
    """

    faces: NDArray[np.float32]
    of: tuple[str, ...] = ()


def require_sources(apart: Apart, known: Iterable[str]) -> None:
    """UserError where no index of the data names a source whose people are to be looked at."""
    names = sorted(set(known))
    for source in apart.of:
        if source not in names:
            there = f"{nearest(source, names)} ({', '.join(names) or 'the data name no sources'})"
            raise UserError(f"--apart-source {source}: no such source{there}")


def identities_near(crops: TrainingCrops, apart: Apart, near: float = NEAR) -> list[int]:
    """Identities whose mean embedding has a cosine above ``near`` to any of the faces.

    ``crops.targets`` and the faces are of one teacher, unit rows. UserError: crops have none.
    """
    others = apart.faces
    if crops.targets.shape[1] != others.shape[1]:
        raise UserError("--apart-from needs a --teacher, whose embeddings say who looks like whom")
    close = []
    sources = np.array(crops.sources or [""] * len(crops.labels))
    suspect = np.isin(sources, apart.of) if apart.of else np.ones(len(sources), bool)
    for identity in range(crops.classes):
        own = crops.labels == identity
        if not suspect[own].any():
            continue
        mean = crops.targets[own].mean(0, dtype=np.float64)
        mean /= max(float(np.linalg.norm(mean)), 1e-12)
        if (others @ mean.astype(np.float32)).max() > near:
            close.append(identity)
    return close
