"""A loaded model: faces in, embeddings out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from facebench.errors import UserError

FlipRule = Literal["none", "add", "normalised-add", "concat"]
FLIP_RULES: tuple[str, ...] = get_args(FlipRule)
UNPINNED = "unpinned"  # in place of a hash: code that no hash covers may change the numbers


@dataclass(frozen=True)
class Preprocessing:
    """How a face becomes a network's input: ``(pixel - mean) / scale``, pixels 0 to 255.

    size: height and width in pixels; mean and scale: one value per colour channel, in the network's
    own colour order; flip: what is done with the mirrored face. ValueError for an unknown colour
    order or flip rule.
    """

    size: tuple[int, int] = (112, 96)
    colour: Literal["rgb", "bgr"] = "rgb"
    mean: tuple[float, float, float] = (127.5, 127.5, 127.5)
    scale: tuple[float, float, float] = (128.0, 128.0, 128.0)
    flip: FlipRule = "none"

    def __post_init__(self) -> None:
        for value, allowed in ((self.colour, ("rgb", "bgr")), (self.flip, FLIP_RULES)):
            if value not in allowed:
                raise ValueError(f"{value!r} is none of {', '.join(allowed)}")

    @property
    def signature(self) -> str:
        """The preprocessing in one word list, for signatures and store keys."""
        mean = ",".join(map(_exact, self.mean))
        scale = ",".join(map(_exact, self.scale))
        height, width = self.size
        return f"{self.colour} {height}x{width} mean={mean} scale={scale} flip={self.flip}"


class Embedder(ABC):
    """A model ready to embed faces.

    id: the name in tables; weights_hash: SHA-256 of what the numbers depend on, or `UNPINNED`;
    precision: the arithmetic, e.g. ``float32`` or ``bfloat16``; device: where it runs; variant:
    what else the numbers depend on, e.g. ``output=b layout=nhwc`` (`variant_of`); runtime: library
    and version that computes them, where that is not torch; storable: whether embeddings may be
    kept for later runs, never if unpinned; guessed: what of its input nobody said, e.g. ``colour
    mean scale``; remarks: sentences on that for records.
    """

    id: str
    weights_hash: str = UNPINNED
    preprocessing: Preprocessing
    precision: str = "float32"
    device: str = "cpu"
    variant: str = ""
    runtime: str = ""
    storable: bool = True
    guessed: str = ""
    remarks: tuple[str, ...] = ()

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
            return unit(plain) + unit(mirrored)
        return plain + mirrored

    @property
    def signature(self) -> str:
        """What the embedding of a face depends on, in one line: the key of the embedding store."""
        weights, prepared = self.weights_hash[:16], self.preprocessing.signature
        words = f"weights:{weights} {prepared} {self.precision} {self.variant}"
        return words.rstrip()


def require_complete(embedder: Embedder, where: str) -> None:
    """UserError where an embedder that users wrote lacks an attribute, or it is of another type."""
    for name, kind in (("id", str), ("weights_hash", str), ("preprocessing", Preprocessing)):
        if not isinstance(given := getattr(embedder, name, None), kind):
            says = "none" if given is None else f"a {type(given).__name__}"
            raise UserError(
                f"{where}: an Embedder needs {name!r}, a {kind.__name__}, but "
                f"{type(embedder).__name__} has {says}"
            )


def variant_of(*, output: str | None = None, layout: str | None = None) -> str:
    """A variant in words; None for what the model itself settles."""
    # Quoted, so that no name of an output can look like another choice.
    named = None if output is None else quote(output, safe="/:.,+()[]")
    choices = (("output", named), ("layout", layout))
    return " ".join(f"{name}={value}" for name, value in choices if value is not None)


def _exact(value: float) -> str:
    """The shortest text that reads back as the same number: 127.5, 128."""
    return repr(float(value) + 0.0).removesuffix(".0")


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows scaled to unit length, float32 N×D; rows of zeros stay."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(norms > 0, norms, 1), dtype=np.float32)
