"""What can be wrong with single images of faces, without a model: each is read once."""

from __future__ import annotations

import copy
import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from facebench.faces.align.yunet import YuNetAligner
from facebench.faces.images import decode, mapped
from facebench.faces.types import ImageError, Progress

TINY = 32  # pixels of the shorter side; the faces that networks see have 96 and more


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """key, and why the image cannot be used, empty: it can; empty: its file is; shape: height and
    width, where it can be read; digest: SHA-256 of its bytes; faces: how many a detector finds,
    None: none looked.
    """

    key: str
    why: str = ""
    empty: bool = False
    shape: tuple[int, int] = (0, 0)
    digest: bytes = b""
    faces: int | None = None

    @property
    def tiny(self) -> bool:
        """Whether it is too small to show a face well."""
        return not self.why and min(self.shape) < TINY


def inspect_images(
    encoded: Callable[[str], bytes],
    keys: Sequence[str],
    detector: YuNetAligner | None = None,
    progress: Progress | None = None,
) -> Iterator[ImageFacts]:
    """The facts of every image, in order; no more than a few images are in memory.

    encoded: the bytes of one; progress: told of images that were read.
    """
    own, one_at_a_time = threading.local(), threading.Lock()

    def look(key: str) -> ImageFacts:
        try:
            data = encoded(key)
            image = decode(key, data)
        except ImageError as error:
            return ImageFacts(key, error.why, error.why.endswith("an empty file"))
        faces = None
        if detector is not None:
            if not hasattr(own, "detector"):
                with one_at_a_time:  # OpenCV's is one thread's, and is made with its log turned off
                    own.detector = copy.copy(detector)
                    own.detector.ready()
            faces = len(own.detector.found(image).faces)
        return ImageFacts(key, "", False, image.shape[:2], hashlib.sha256(data).digest(), faces)

    for done, (_, facts) in enumerate(mapped(look, keys), 1):
        if progress is not None:
            progress(done, len(keys))
        yield facts
