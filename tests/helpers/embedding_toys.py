"""A small world for extraction: JPEGs in a folder, a fixed crop, a linear map as the network."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from facebench.faces.types import Aligner, FaceSource, Image, ImageError
from facebench.models.embedders.base import Embedder, Preprocessing

SIZE = (14, 12)


def write_faces(folder: Path, count: int, seed: int = 0) -> list[str]:
    """Write count small JPEGs; returns their keys, sorted."""
    rng = np.random.default_rng(seed)
    keys = [
        f"P{number // 4:04d}/P{number // 4:04d}_{number % 4:04d}.jpg" for number in range(count)
    ]
    for key in keys:
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), rng.integers(0, 256, (20, 16, 3), dtype=np.uint8))
    return keys


class FolderFaces(FaceSource):
    name, kind = "toy", "real"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keys(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*.jpg"))

    def read(self, key: str) -> Image:
        try:
            data = (self.folder / key).read_bytes()
        except FileNotFoundError as error:
            raise ImageError(key, "no such file") from error
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
        if image is None or not data.endswith(b"\xff\xd9"):
            raise ImageError(key, "truncated")
        return image

    def fingerprint(self, keys: Sequence[str]) -> str:
        digest = hashlib.sha256()
        for key in keys:
            try:
                digest.update((self.folder / key).read_bytes())
            except FileNotFoundError as error:
                raise ImageError(key, "no such file") from error
        return f"toy-{digest.hexdigest()[:16]}"


class LookingFaces(FolderFaces):
    """A source that can say what is absent without reading."""

    def missing(self, keys: Sequence[str]) -> list[str]:
        return [key for key in keys if not (self.folder / key).is_file()]


class BlindFaces(FolderFaces):
    """A source whose fingerprint does not look at contents, as that of synthetic faces."""

    def fingerprint(self, keys: Sequence[str]) -> str:
        return "blind"


class DyingFaces(FolderFaces):
    """Its reading process is gone, as if the system had killed it."""

    def read(self, key: str) -> Image:
        os._exit(9)


class Crop(Aligner):
    def __init__(self, hidden: frozenset[str] = frozenset()) -> None:
        self.hidden = hidden
        self.signature = f"crop({len(hidden)} hidden)"

    def __call__(self, key: str, image: Image, size: tuple[int, int]) -> Image | None:
        return None if key in self.hidden else image[: size[0], : size[1]]


class Linear(Embedder):
    """Pixels times a fixed matrix; notes the batches it saw, and can be slow or broken."""

    id, weights_hash = "linear", "f" * 64
    preprocessing = Preprocessing(size=SIZE)

    def __init__(self, delay: float = 0.0, nan_after: int | None = None) -> None:
        self.delay, self.nan_after = delay, nan_after
        self.batches: list[int] = []
        rng = np.random.default_rng(7)
        self.matrix = rng.standard_normal((SIZE[0] * SIZE[1] * 3, 8)).astype(np.float32)

    def forward(self, faces: Image) -> np.ndarray:
        time.sleep(self.delay)
        self.batches.append(len(faces))
        vectors = faces.reshape(len(faces), -1).astype(np.float32) @ self.matrix
        if self.nan_after is not None and sum(self.batches) > self.nan_after:
            vectors[0, 3] = np.nan
        return vectors
