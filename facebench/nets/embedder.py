"""A loaded model: faces in, embeddings out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

FlipRule = Literal["none", "add", "normalised-add", "concat"]
FLIP_RULES: tuple[str, ...] = get_args(FlipRule)


@dataclass(frozen=True)
class Preprocessing:
    """How a face becomes a network's input: ``(pixel - mean) / scale``, pixels 0 to 255.

    size: height and width in pixels; mean and scale: one value per colour channel, in the network's
    own colour order; flip: what is done with the mirrored face.
    """

    size: tuple[int, int] = (112, 96)
    colour: Literal["rgb", "bgr"] = "rgb"
    mean: tuple[float, float, float] = (127.5, 127.5, 127.5)
    scale: tuple[float, float, float] = (128.0, 128.0, 128.0)
    flip: FlipRule = "none"

    @property
    def signature(self) -> str:
        """The preprocessing in one word list, for signatures and store keys."""
        mean = ",".join(f"{value:g}" for value in self.mean)
        scale = ",".join(f"{value:g}" for value in self.scale)
        height, width = self.size
        return f"{self.colour} {height}x{width} mean={mean} scale={scale} flip={self.flip}"


class Embedder(ABC):
    """A model ready to embed faces.

    id: the name in tables; weights_hash: SHA-256 of what the numbers depend on; precision: the
    arithmetic, e.g. ``float32`` or ``bfloat16``; device: where it runs.
    """

    id: str
    weights_hash: str
    preprocessing: Preprocessing
    precision: str = "float32"
    device: str = "cpu"

    @abstractmethod
    def forward(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """One pass of the network: uint8 N×H×W×3 RGB faces → float32 N×D, no flip."""

    def embed(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embeddings under the flip rule: uint8 N×H×W×3 RGB → float32 N×D (N×2D for ``concat``)."""
        rule = self.preprocessing.flip
        plain = self.forward(faces)
        if rule == "none":
            return plain
        mirrored = self.forward(np.ascontiguousarray(faces[:, :, ::-1]))
        if rule == "concat":
            return np.concatenate([plain, mirrored], axis=1)
        if rule == "normalised-add":
            return _unit(plain) + _unit(mirrored)
        return plain + mirrored

    @property
    def signature(self) -> str:
        """What the embedding of a face depends on, in one line: the key of the embedding store."""
        return f"weights:{self.weights_hash[:16]} {self.preprocessing.signature} {self.precision}"


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(norms > 0, norms, 1), dtype=np.float32)
