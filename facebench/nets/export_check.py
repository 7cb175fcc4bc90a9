"""Whether an exported program gives the embeddings of the model that it was exported from."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from facebench.faces.synthetic import EVALUATION_IDENTITIES, render_many
from facebench.nets.embedder import Embedder

# Other runtimes add the same products in another order; float32 keeps 7 digits of each sum.
TOLERANCE = 1e-4
LEAST_COSINE = 1 - 1e-5


@dataclass(frozen=True)
class EmbeddingCheck:
    """Two models on the same faces. largest: of the absolute differences; magnitude: the largest
    number of the first model's embeddings; cosine: the lowest of the same face in both.
    """

    faces: int
    largest: float
    magnitude: float
    cosine: float

    @property
    def equal(self) -> bool:
        """Differences within `TOLERANCE` of the magnitude, cosines at least `LEAST_COSINE`."""
        return self.largest <= TOLERANCE * self.magnitude and self.cosine >= LEAST_COSINE

    @property
    def text(self) -> str:
        """The numbers and the tolerance in one line."""
        return (
            f"embeddings of {self.faces} rendered faces: "
            f"{'the same' if self.equal else 'NOT THE SAME'}; largest difference "
            f"{self.largest:.2g} at magnitude {self.magnitude:.3g} (allowed "
            f"{TOLERANCE * self.magnitude:.2g}), lowest cosine {self.cosine:.7f} (at least "
            f"{LEAST_COSINE:.5f})"
        )


def compare_embeddings(one: Embedder, other: Embedder, faces: NDArray[np.uint8]) -> EmbeddingCheck:
    """Embeddings under each model's flip rule, compared: uint8 N×H×W×3 RGB faces.

    Also checked is that a face has the same embedding alone and in a batch.
    """
    want = one.embed(faces).astype(np.float64)
    got = other.embed(faces).astype(np.float64)
    if want.shape != got.shape:
        return EmbeddingCheck(len(faces), float("inf"), float(np.abs(want).max()), 0.0)
    alone = other.embed(faces[:1]).astype(np.float64)
    largest = max(np.abs(got - want).max(), np.abs(alone - want[:1]).max())
    lengths = np.linalg.norm(want, axis=1) * np.linalg.norm(got, axis=1)
    cosines = (want * got).sum(axis=1) / np.where(lengths > 0, lengths, 1)
    cosines[(want == got).all(axis=1)] = 1  # rows of zeros, too
    return EmbeddingCheck(
        len(faces), float(largest), float(np.abs(want).max()), float(cosines.min())
    )


def twin_faces(size: tuple[int, int], count: int = 32) -> NDArray[np.uint8]:
    """The first faces of the first people of the synthetic twin, uint8 count×height×width×3.

    Scaled to the size without regard to its shape: for arithmetic, not for accuracy.
    """
    keys = [(EVALUATION_IDENTITIES.start + person, 1) for person in range(count)]
    drawn = render_many(0, keys, workers=1)
    height, width = size
    return np.stack([cv2.resize(face, (width, height)) for face in drawn])
