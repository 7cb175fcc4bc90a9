"""The ``.bin`` files in which LFW, CFP-FP, AgeDB-30, CALFW and CPLFW circulate.

A pickle of (JPEG byte strings or uint8 arrays of them, labels); images 2i and 2i+1 are pair i and
label i says whether they are mated. The images are 112×112 crops, aligned already.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.base.opening import GIB, plain_bytes, size_words
from facebench.faces.bin.pickle import PlainArray, PlainPickleError, loads
from facebench.faces.images import content_fingerprint, decode
from facebench.faces.lfw.lists import Pair, PairList
from facebench.faces.types import DataKind, FaceSource, Image, ImageError

MAX_BYTES = 2 * GIB  # far above any that circulates
FOLDS = 10
_Many = Sequence[Any] | NDArray[np.generic]


class BinSource(FaceSource):
    """The images of a ``.bin`` file; keys are ``"000000"``, ``"000001"``, ...

    Picklable: another process reads the file again. UserError where the file is not what it
    should be; nothing in it is ever called (``plain_pickle``).
    """

    kind: DataKind = "real"

    def __init__(self, path: str | Path, name: str | None = None) -> None:
        self.path = Path(path)
        self.name = name or self.path.stem.lower().replace("_", "-")
        self._images: list[bytes] | None
        self._images, self.labels = read_bin(self.path)
        self._count = len(self._images)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_images": None}

    def keys(self) -> list[str]:
        """``"000000"`` up to the number of images."""
        return [f"{number:06d}" for number in range(self._count)]

    def read(self, key: str) -> Image:
        """One image, uint8 H×W×3 RGB; ImageError where it is absent, truncated or undecodable."""
        return decode(key, self.encoded(key))

    def encoded(self, key: str) -> bytes:
        """One image's file; ImageError where it is absent."""
        data = self._bytes(key)
        if data is None:
            raise ImageError(key, f"is not in {self.path}")
        return data

    def missing(self, keys: Sequence[str]) -> list[str]:
        """The keys, sorted and once each, that the file does not have."""
        return sorted(set(keys) - set(self.keys()))

    def fingerprint(self, keys: Sequence[str]) -> str:
        """``<name>-<16 hex>``: SHA-256 over keys and contents of those images."""
        return content_fingerprint(self.name, keys, self._bytes)

    def pairs(self) -> PairList:
        """Images 2i and 2i+1 as comparison i, in ten contiguous folds.

        The folds are those of scikit-learn's ``KFold(10, shuffle=False)``, as in the evaluation
        the files come from. The people are not named in the file: a mated pair shares a subject
        of its own, and every other image is a subject of its own.
        """
        sizes = [len(part) for part in np.array_split(np.arange(len(self.labels)), FOLDS)]
        folds = np.repeat(np.arange(FOLDS), sizes).tolist()
        pairs = []
        for number, (mated, fold) in enumerate(zip(self.labels, folds, strict=True)):
            left, right = f"{2 * number:06d}", f"{2 * number + 1:06d}"
            pairs.append(Pair(left, right, mated, fold, left, left if mated else right))
        return PairList(tuple(pairs))

    def _bytes(self, key: str) -> bytes | None:
        if self._images is None:
            self._images = read_bin(self.path)[0]
        if len(key) != 6 or not key.isdecimal() or int(key) >= len(self._images):
            return None
        return self._images[int(key)]


def read_bin(path: Path) -> tuple[list[bytes], list[bool]]:
    """Image files and labels of a ``.bin`` file; UserError where it is not one."""
    try:
        data = plain_bytes(path, MAX_BYTES)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    try:
        images, labels = _two_lists(loads(data))
        if len(images) != 2 * len(labels) or len(labels) < FOLDS:
            raise UserError(
                f"{path} has {len(images)} images and {len(labels)} labels; expected two images "
                f"for every label and at least {FOLDS} labels"
            )
        return list(_image_files(images)), _mated(labels)
    except PlainPickleError as error:
        raise UserError(
            f"{path} is no .bin file of face pairs ({error}); expected a pickle of JPEG byte "
            "strings and labels, and nothing of it was executed"
        ) from error


def _two_lists(value: object) -> tuple[_Many, _Many]:
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise PlainPickleError("it is not a pair of images and labels")
    images, labels = (_as_list(part) for part in value)
    return images, labels


def _as_list(part: object) -> _Many:
    if isinstance(part, PlainArray) and part.items is not None:
        return part.items
    if isinstance(part, PlainArray) and part.value is not None and _is_row(part.value):
        return part.value.ravel()  # not as a list, which takes eight times as much
    if not isinstance(part, (list, tuple)):
        raise PlainPickleError("images or labels are not a list")
    return part


def _image_files(images: _Many) -> Iterator[bytes]:
    """Image by image; one that stands in several pairs is kept once, as it is in the file.

    PlainPickleError as soon as all together are longer than a file may be.
    """
    kept: dict[int, bytes] = {}
    total = 0
    for number, image in enumerate(images):
        row = image.value if isinstance(image, PlainArray) else image
        if isinstance(row, np.ndarray) and _is_row(row) and row.dtype == np.uint8:
            row = row.ravel().data  # OpenCV's encoder once gave columns
        if not isinstance(row, (bytes, memoryview)):
            what = type(row).__name__
            if isinstance(row, np.ndarray):
                what = f"an array {'×'.join(map(str, row.shape))} of {row.dtype}"
            raise PlainPickleError(
                f"image {number} is {what}, neither a byte string nor a row of uint8"
            )
        total += len(row)
        if total > MAX_BYTES:
            raise PlainPickleError(
                f"it repeats images until they have more than {size_words(MAX_BYTES)}"
            )
        if id(image) not in kept:
            kept[id(image)] = bytes(row)
        yield kept[id(image)]


def _is_row(array: NDArray[np.generic]) -> bool:
    """Whether an array has one axis, others of length 1 apart."""
    return array.ndim > 0 and array.size == max(array.shape)


def _mated(labels: _Many) -> list[bool]:
    """Labels of whatever type of numbers: 1 is mated, and 0 or, in all of them, −1 is not."""
    found = []
    for number, label in enumerate(labels):
        if isinstance(label, np.generic):
            label = label.item()
        if isinstance(label, PlainArray) and label.value is not None and label.value.size == 1:
            label = label.value.item()
        if not isinstance(label, (bool, int, float)) or label not in (-1, 0, 1):
            shown = f"{label!r:.20}" if isinstance(label, (int, float, str, bytes)) else "no number"
            raise PlainPickleError(f"label {number} is {shown}, neither true nor false")
        found.append(int(label))
    if {-1, 0} <= set(found):
        raise PlainPickleError("labels are −1, 0 and 1, and only two of these mean true and false")
    return [label == 1 for label in found]
