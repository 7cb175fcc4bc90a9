"""Training crops in memory-mapped arrays, with identities and a teacher's embeddings."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.base.opening import ARCHIVE, member_bytes, plain_file, reading
from facebench.base.threads import side_by_side
from facebench.faces.images import decode
from facebench.faces.people import read_index
from facebench.faces.synthetic import TRAIN_IDENTITIES, render
from facebench.faces.types import ImageError
from facebench.lab.data.kept_rows import Rows, Tell, kept_rows
from facebench.models.embedders.base import Embedder

CROP_SIZE = (128, 112)
UNLABELLED = -1
# Crops that are decoded, and that a teacher sees, at a time.
_DECODED, _SEEN = 256, 64


@dataclass(frozen=True)
class Teacher:
    """A network to imitate.

    embed: uint8 N×128×112×3 crops → float32 N×D; signature: what these numbers depend on; kept:
    False where no hash covers it, so that they are made again in every run.
    """

    embed: Callable[[NDArray[np.uint8]], NDArray[np.float32]]
    signature: str
    kept: bool = True

    @property
    def key(self) -> str:
        """The signature in 12 hexadecimal digits."""
        return hashlib.sha256(self.signature.encode()).hexdigest()[:12]


class CropImages(Protocol):
    """uint8 128×112×3 crops by their row: an array, or something that makes them when asked."""

    def __len__(self) -> int: ...

    def __getitem__(self, row: Any, /) -> NDArray[np.uint8]: ...


@dataclass(frozen=True)
class TrainingCrops:
    """Aligned crops to learn from.

    images: uint8 N×128×112×3 RGB (may be memory-mapped); labels: int64 N, an identity's number or
    -1; targets: float32 N×D unit rows, the teacher's embedding, or rows of NaN where there is none;
    names: of the identities by number, empty where they have none; key: a short name of images and
    labels, by content, empty where nobody took it (see `key_of`); sources: of the images, as an
    index names them, empty where there is none.
    """

    images: CropImages
    labels: NDArray[np.int64]
    targets: NDArray[np.float32]
    names: tuple[str, ...] = ()
    key: str = ""
    sources: tuple[str, ...] = ()

    @property
    def classes(self) -> int:
        """Number of identities among the labels."""
        return int(self.labels.max(initial=UNLABELLED)) + 1


Sources = list[tuple[TrainingCrops, int]]  # each with its faces in a mini-batch


@dataclass(frozen=True)
class CropFiles:
    """Crops as they lie on disk.

    identities: one of each, empty: not known; key: of their order and contents; read: one by its
    row, uint8 128×112×3 RGB, UserError where it cannot be; sources: of each, as an index names
    them, empty where there is none.
    """

    identities: tuple[str, ...]
    key: str
    read: Callable[[int], NDArray[np.uint8]]
    sources: tuple[str, ...] = ()


def key_of(crops: TrainingCrops) -> str:
    """The short name of some crops; where nobody took it, from every image."""
    if crops.key:
        return crops.key
    digest = hashlib.sha256(np.ascontiguousarray(crops.labels).tobytes())
    for row in range(len(crops.images)):
        digest.update(np.ascontiguousarray(crops.images[row]).tobytes())
    return f"crops-{digest.hexdigest()[:16]}"


def prepare_crops(
    folder: Path, cache: Path, teacher: Teacher | None, tell: Tell | None = None
) -> TrainingCrops:
    """The crops of an index CSV over zip files; decoded once into ``cache``, memory-mapped.

    ``folder`` holds ``index.csv`` (columns file, source, identity) and one zip per source. Raises
    UserError where the index names a crop that is missing or unreadable.
    """
    return keep_crops(indexed_files(folder), cache, teacher, tell)


def keep_crops(
    files: CropFiles, cache: Path, teacher: Teacher | None, tell: Tell | None = None
) -> TrainingCrops:
    """Crops from ``cache/KEY``, where files of other contents never are; decoded where they are not
    there yet, and a teacher's embeddings beside them, by its signature.
    """
    own, count = cache / files.key, len(files.identities)

    def blocks(begin: int) -> Iterator[NDArray[np.uint8]]:
        for start in range(begin, count, _DECODED):
            yield np.stack([files.read(row) for row in range(start, min(start + _DECODED, count))])

    layout = Rows(count, (*CROP_SIZE, 3), np.uint8, _DECODED)
    images = kept_rows(own / "images.npy", layout, blocks, tell)
    names = tuple(sorted({name for name in files.identities if name}))
    numbers = {name: number for number, name in enumerate(names)}
    labels = [numbers.get(name, UNLABELLED) for name in files.identities]
    targets = targets_of(images, teacher, own, tell)
    numbered = np.array(labels, np.int64)
    return TrainingCrops(images, numbered, targets, names, files.key, files.sources)


def targets_of(
    images: CropImages, teacher: Teacher | None, folder: Path, tell: Tell | None = None
) -> NDArray[np.float32]:
    """A teacher's unit embeddings float32 N×D of uint8 N×128×112×3 crops; None: N×1 NaN."""
    count = len(images)
    if teacher is None:
        return np.full((count, 1), np.nan, np.float32)

    def embedded(start: int) -> NDArray[np.float32]:
        found = teacher.embed(np.asarray(images[start : start + _SEEN]))
        rows: NDArray[np.float32] = found / np.linalg.norm(found, axis=1, keepdims=True)
        return rows

    def seen(begin: int) -> Iterator[NDArray[np.float32]]:
        return side_by_side(embedded, range(begin, count, _SEEN))

    if not teacher.kept:
        return np.concatenate(list(seen(0)))
    width = teacher.embed(np.asarray(images[:1])).shape[1]
    rows = Rows(count, (width,), np.float32, _SEEN)
    return np.asarray(kept_rows(folder / f"targets-{teacher.key}.npy", rows, seen, tell))


def embed_centres(embedder: Embedder, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Embeddings float32 N×D of the centres, in the embedder's size, of uint8 N×128×112×3 crops."""
    height, width = embedder.preprocessing.size
    top, left = (CROP_SIZE[0] - height) // 2, (CROP_SIZE[1] - width) // 2
    faces = crops[:, top : top + height, left : left + width]
    return embedder.embed(np.ascontiguousarray(faces))


def teacher_from(embedder: Embedder) -> Teacher:
    """A loaded model as a teacher."""
    signature = f"{embedder.signature} {embedder.runtime}".strip()
    return Teacher(lambda crops: embed_centres(embedder, crops), signature, embedder.storable)


def indexed_files(folder: Path) -> CropFiles:
    """The crops of an index CSV over zip files, as they lie on disk."""
    rows = read_index(folder / "index.csv")
    archives: dict[str, zipfile.ZipFile] = {}

    def member(number: int) -> tuple[zipfile.ZipFile, zipfile.ZipInfo]:
        source, file = rows[number]["source"], rows[number]["file"]
        path = folder / f"{source}.zip"
        with reading(path, f"cannot read {file}"):
            if source not in archives:
                archives[source] = zipfile.ZipFile(plain_file(path, ARCHIVE))
            return archives[source], archives[source].getinfo(file)

    def read(number: int) -> NDArray[np.uint8]:
        where, file = folder / f"{rows[number]['source']}.zip", rows[number]["file"]
        archive, info = member(number)
        with reading(where, f"cannot read {file}"):
            data = member_bytes(archive, info.filename)
        try:
            image = decode(info.filename, data)
        except ImageError as error:
            raise UserError(f"{where}: {error}; crops are 128×112 JPEGs") from None
        if image.shape[:2] != CROP_SIZE:
            raise UserError(f"{where}: {file} is not a 128×112 JPEG")
        return image

    identities = tuple(row["identity"] or "" for row in rows)
    digest = hashlib.sha256()
    for number, row in enumerate(rows):
        info = member(number)[1]
        # By the zips' own checksums, which reading verifies.
        line = f"{row['file']}\0{row['identity']}\0{info.CRC} {info.file_size}\n"
        digest.update(line.encode())
    key, sources = f"crops-{digest.hexdigest()[:16]}", tuple(row["source"] for row in rows)
    return CropFiles(identities, key, read, sources)


class RenderedCrops:
    """Images of ``identities`` people, ``images`` of each, uint8 128×112×3, rendered on the fly.

    An image depends on (version of the renderer, seed, identity, image) alone; it is kept in
    memory, 43 kB each. ValueError where more people are asked for than may be trained on.
    """

    def __init__(self, seed: int, identities: int, images: int) -> None:
        if not 0 < identities <= len(TRAIN_IDENTITIES) or images < 1:
            raise ValueError(f"{identities} identities of {images} images cannot be rendered")
        self.seed, self.images = seed, images
        self.labels = np.repeat(np.arange(identities, dtype=np.int64), images)
        self._made: dict[int, NDArray[np.uint8]] = {}

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> NDArray[np.uint8]:
        if not 0 <= row < len(self):
            raise IndexError(row)
        if row not in self._made:
            identity, image = divmod(int(row), self.images)
            self._made[row] = render(self.seed, identity, image)
        return self._made[row]
