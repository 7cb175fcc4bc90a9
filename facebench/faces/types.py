"""What every reader of faces and every rule of alignment offers to the other rooms."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError

Image = NDArray[np.uint8]
Array = NDArray[np.float64]
Map = NDArray[np.float32]
Progress = Callable[[int, int], None]  # images done, images in all
Check = tuple[bool, str]  # whether it is as it should be, and what was found
DataKind = Literal["real", "synthetic"]


class ImageError(UserError):
    """An image that is absent or cannot be decoded: which one, and why.

    Who reads many counts or lists it; where nobody does, it is the user's one line.
    """

    def __init__(self, key: str, why: str) -> None:
        super().__init__(key, why)  # travels between processes
        self.key, self.why = key, why

    def __str__(self) -> str:
        return f"{self.key}: {self.why}"


class FaceSource(ABC):
    """Named images of faces; picklable, since it travels to the processes that decode."""

    name: str
    kind: DataKind

    @abstractmethod
    def keys(self) -> list[str]:
        """Names of all images, sorted."""

    @abstractmethod
    def read(self, key: str) -> Image:
        """One image, uint8 H×W×3 RGB; ImageError where it is absent, truncated or undecodable."""

    def missing(self, keys: Sequence[str]) -> list[str]:
        """Those of the named images that are absent, found without decoding any."""
        return sorted(set(keys) - set(self.keys()))

    @abstractmethod
    def fingerprint(self, keys: Sequence[str]) -> str:
        """A short text that changes whenever the content of one of these images does."""

    def label(self, keys: Sequence[str], fingerprint: str | None = None) -> str:
        """What records call these images: the fingerprint (taken, or given), or a known name."""
        return self.fingerprint(keys) if fingerprint is None else fingerprint


class Aligner(ABC):
    """A rule that cuts the face out of an image; picklable.

    signature: names it in records; remarks: what it guessed, and what it found wrong, in sentences;
    said: what progress bars add to the name of the data.
    """

    signature: str
    said: str = ""
    remarks: tuple[str, ...] = ()

    @abstractmethod
    def __call__(self, key: str, image: Image, size: tuple[int, int]) -> Image | None:
        """One aligned face, uint8 height×width×3 RGB, or None: the face could not be acquired."""
