"""Training crops in memory-mapped arrays, with identities and a teacher's embeddings."""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from facebench.errors import UserError
from facebench.nets.embedder import Embedder

CROP_SIZE = (128, 112)
UNLABELLED = -1
Teacher = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


class CropImages(Protocol):
    """uint8 128×112×3 crops by their row: an array, or something that makes them when asked."""

    def __len__(self) -> int: ...

    def __getitem__(self, row: Any, /) -> NDArray[np.uint8]: ...


@dataclass(frozen=True)
class TrainingCrops:
    """Aligned crops to learn from.

    images: uint8 N×128×112×3 RGB (may be memory-mapped); labels: int64 N, an identity's number or
    -1; targets: float32 N×D unit rows, the teacher's embedding, or rows of NaN where there is none;
    names: of the identities by number, empty where they have none.
    """

    images: CropImages
    labels: NDArray[np.int64]
    targets: NDArray[np.float32]
    names: tuple[str, ...] = ()

    @property
    def classes(self) -> int:
        """Number of identities among the labels."""
        return int(self.labels.max(initial=UNLABELLED)) + 1


def prepare_crops(folder: Path, cache: Path, teacher: Teacher | None) -> TrainingCrops:
    """Decode an index CSV over zip files once into ``cache`` and open it memory-mapped.

    ``folder`` holds ``index.csv`` (columns file, source, identity) and one zip per source;
    ``teacher`` maps uint8 N×128×112×3 crops to float32 N×D embeddings. Raises UserError where the
    index names a crop that is missing or unreadable.
    """
    cache.mkdir(parents=True, exist_ok=True)
    done = cache / "complete.json"
    if not done.exists():
        rows = _read_index(folder / "index.csv")
        images = _decode(folder, rows, cache / "images.npy")
        save_labels([row["identity"] for row in rows], cache)
        np.save(cache / "targets.npy", targets_of(images, teacher))
        done.write_text(json.dumps({"crops": len(rows), "folder": str(folder)}))
    return open_crops(cache)


def open_crops(cache: Path) -> TrainingCrops:
    """Crops that were decoded into a folder, memory-mapped."""
    names = cache / "identities.json"
    return TrainingCrops(
        np.load(cache / "images.npy", mmap_mode="r"),
        np.load(cache / "labels.npy"),
        np.load(cache / "targets.npy"),
        tuple(json.loads(names.read_text())) if names.exists() else (),
    )


def _read_index(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            rows = list(csv.DictReader(handle))
    except OSError as error:
        raise UserError(f"cannot read the index of training crops {path}: {error}") from None
    missing = {"file", "source", "identity"} - set(rows[0] if rows else ())
    if missing:
        raise UserError(f"{path} lacks the columns {', '.join(sorted(missing))}, or has no row")
    return rows


def _decode(folder: Path, rows: list[dict[str, str]], path: Path) -> NDArray[np.uint8]:
    images = np.lib.format.open_memmap(
        path, mode="w+", dtype=np.uint8, shape=(len(rows), *CROP_SIZE, 3)
    )
    archives: dict[str, zipfile.ZipFile] = {}
    for number, row in enumerate(rows):
        source = row["source"]
        try:
            if source not in archives:
                archives[source] = zipfile.ZipFile(folder / f"{source}.zip")
            data = archives[source].read(row["file"])
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise UserError(f"{folder}/{source}.zip: cannot read {row['file']}: {error}") from None
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        if image is None or image.shape[:2] != CROP_SIZE:
            raise UserError(f"{folder}/{source}.zip: {row['file']} is not a 128×112 JPEG")
        images[number] = image[:, :, ::-1]
    images.flush()
    return images


def save_labels(identities: list[str], cache: Path) -> None:
    """Write each crop's identity as a number in the order of the names, -1: none; and the names."""
    names = sorted({name for name in identities if name})
    numbers = {name: number for number, name in enumerate(names)}
    labels = [numbers.get(name, UNLABELLED) for name in identities]
    np.save(cache / "labels.npy", np.array(labels, np.int64))
    (cache / "identities.json").write_text(json.dumps(names))


def embed_centres(embedder: Embedder, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Embeddings float32 N×D of the centres, in the embedder's size, of uint8 N×128×112×3 crops."""
    height, width = embedder.preprocessing.size
    top, left = (CROP_SIZE[0] - height) // 2, (CROP_SIZE[1] - width) // 2
    faces = crops[:, top : top + height, left : left + width]
    return embedder.embed(np.ascontiguousarray(faces))


def targets_of(images: NDArray[np.uint8], teacher: Teacher | None) -> NDArray[np.float32]:
    """A teacher's unit embeddings float32 N×D of uint8 N×128×112×3 crops; None: N×1 NaN."""
    if teacher is None:
        return np.full((len(images), 1), np.nan, np.float32)
    parts = [teacher(np.asarray(images[i : i + 64])) for i in range(0, len(images), 64)]
    targets = np.concatenate(parts)
    return targets / np.linalg.norm(targets, axis=1, keepdims=True)
