"""Training crops from a folder per identity."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facebench.errors import UserError
from facebench.faces.decoding import decode
from facebench.faces.fingerprints import content_fingerprint
from facebench.faces.types import ImageError
from facebench.opening import IMAGE, read_bytes
from facebench.training.crops import (
    CROP_SIZE,
    CropFiles,
    Teacher,
    TrainingCrops,
    keep_crops,
)
from facebench.training.kept_rows import Tell

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
_TEMPLATE = (112, 96)
_MARGIN = 8


def prepare_folders(
    folder: Path, cache: Path, teacher: Teacher | None, tell: Tell | None = None
) -> TrainingCrops:
    """The crops of ``folder/IDENTITY/*.jpg``; decoded once into ``cache``, memory-mapped.

    The images are aligned faces: crops 128 high × 112 wide, whose centre is the 112×96 template,
    or the template itself, whose border is then repeated. Other arguments and errors: see
    `facebench.training.crops.keep_crops`; UserError where there is no image or one of another
    size.
    """
    return keep_crops(people_files(folder), cache, teacher, tell)


def people_files(folder: Path) -> CropFiles:
    """The crops of a folder per identity, as they lie on disk."""
    paths = sorted(p for p in folder.glob("*/*") if p.suffix.lower() in SUFFIXES)
    if not paths:
        raise UserError(
            f"{folder}: neither index.csv nor folders of identities with images in them "
            f"({', '.join(SUFFIXES)})"
        )
    key = content_fingerprint(
        "crops",
        [path.relative_to(folder).as_posix() for path in paths],
        lambda key: read_bytes(folder / key, "the image", IMAGE),
    )
    return CropFiles(tuple(path.parent.name for path in paths), key, lambda row: _crop(paths[row]))


def _crop(path: Path) -> NDArray[np.uint8]:
    try:
        image = decode(str(path), read_bytes(path, "the image", IMAGE))
    except ImageError as error:
        raise UserError(f"not a readable image: {error}") from None
    size = image.shape[:2]
    if size == _TEMPLATE:
        margins = (_MARGIN, _MARGIN, _MARGIN, _MARGIN)
        return np.asarray(cv2.copyMakeBorder(image, *margins, cv2.BORDER_REPLICATE), np.uint8)
    if size != CROP_SIZE:
        raise UserError(
            f"{path}: {size[0]}x{size[1]} (height x width); training takes aligned crops of "
            "128x112, or faces of 112x96"
        )
    return image
