"""Training crops from a folder per identity."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facebench.errors import UserError
from facebench.training.crops import CROP_SIZE, Teacher, TrainingCrops, open_crops, save_labels
from facebench.training.crops import targets_of as targets_of_crops

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
_TEMPLATE = (112, 96)
_MARGIN = 8


def prepare_folders(folder: Path, cache: Path, teacher: Teacher | None) -> TrainingCrops:
    """Decode ``folder/IDENTITY/*.jpg`` once into ``cache`` and open it memory-mapped.

    The images are aligned faces: crops 128 high × 112 wide, whose centre is the 112×96 template,
    or the template itself, whose border is then repeated. Other arguments and errors: see
    `facebench.training.crops.prepare_crops`; UserError where there is no image or one of another
    size.
    """
    cache.mkdir(parents=True, exist_ok=True)
    done = cache / "complete.json"
    if not done.exists():
        paths = sorted(p for p in folder.glob("*/*") if p.suffix.lower() in SUFFIXES)
        if not paths:
            raise UserError(
                f"{folder}: neither index.csv nor folders of identities with images in them "
                f"({', '.join(SUFFIXES)})"
            )
        images = np.lib.format.open_memmap(
            cache / "images.npy", mode="w+", dtype=np.uint8, shape=(len(paths), *CROP_SIZE, 3)
        )
        for number, path in enumerate(paths):
            images[number] = _crop(path)
        images.flush()
        save_labels([path.parent.name for path in paths], cache)
        np.save(cache / "targets.npy", targets_of_crops(images, teacher))
        done.write_text(json.dumps({"crops": len(paths), "folder": str(folder)}))
    return open_crops(cache)


def _crop(path: Path) -> NDArray[np.uint8]:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise UserError(f"{path}: not a readable image")
    size = image.shape[:2]
    if size == _TEMPLATE:
        image = cv2.copyMakeBorder(image, _MARGIN, _MARGIN, _MARGIN, _MARGIN, cv2.BORDER_REPLICATE)
    elif size != CROP_SIZE:
        raise UserError(
            f"{path}: {size[0]}x{size[1]} (height x width); training takes aligned crops of "
            "128x112, or faces of 112x96"
        )
    return np.ascontiguousarray(image[:, :, ::-1])
