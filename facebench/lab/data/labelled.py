"""Faces with identities, to learn a metric from: folders of people, zip files with an index, and
rendered people.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError, nearest
from facebench.base.opening import (
    IMAGE,
    read_bytes,
    read_list,
)
from facebench.embedding.stream import OnMissing
from facebench.faces.align.aligners import TemplateCrop
from facebench.faces.images import SUFFIXES, content_fingerprint, decode
from facebench.faces.people import LabelledFaces, keys_of_people, of_people, people_in
from facebench.faces.synthetic import RENDERER_VERSION, TRAIN_IDENTITIES, render
from facebench.faces.types import DataKind, FaceSource, Image, ImageError
from facebench.lab.data.crops import CROP_SIZE, CropFiles, Teacher, TrainingCrops, keep_crops
from facebench.lab.data.kept_rows import Tell

_TEMPLATE = (112, 96)
_MARGIN = 8


def prepare_folders(
    folder: Path, cache: Path, teacher: Teacher | None, tell: Tell | None = None
) -> TrainingCrops:
    """The crops of ``folder/IDENTITY/*.jpg``; decoded once into ``cache``, memory-mapped.

    The images are aligned faces: crops 128 high × 112 wide, whose centre is the 112×96 template,
    or the template itself, whose border is then repeated. Other arguments and errors: see
    `facebench.lab.data.crops.keep_crops`; UserError where there is no image or one of another
    size.
    """
    return keep_crops(people_files(folder), cache, teacher, tell)


def people_files(folder: Path) -> CropFiles:
    """The crops of a folder per identity, as they lie on disk."""
    paths = [folder / key for key in keys_of_people(folder)]
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


# Far from the first ones, which networks are trained on.
SYNTHETIC_FIRST, SYNTHETIC_IMAGES, SYNTHETIC_SEED = 500_000, 12, 0


class RenderedPeople(FaceSource):
    """Rendered faces, made when they are read: keys are ``identity/image``."""

    kind: DataKind = "synthetic"

    def __init__(self, identities: range, images: int) -> None:
        if not identities or identities[0] not in TRAIN_IDENTITIES:
            raise UserError("choose at least one synthetic identity")
        if identities[-1] not in TRAIN_IDENTITIES:
            most = TRAIN_IDENTITIES.stop - identities.start
            raise UserError(f"there are at most {most:,} synthetic identities to learn from")
        self.identities, self.images = identities, images
        self.name = f"synthetic-people-v{RENDERER_VERSION}-s{SYNTHETIC_SEED}"

    def keys(self) -> list[str]:
        """``identity/image``, sorted as numbers are."""
        return [f"{i:07d}/{n:03d}" for i in self.identities for n in range(self.images)]

    def read(self, key: str) -> Image:
        """One face, 128×112."""
        identity, image = (int(part) for part in key.split("/"))
        return np.asarray(render(SYNTHETIC_SEED, identity, image))

    def fingerprint(self, keys: Sequence[str]) -> str:
        """The renderer's version and the keys settle every pixel."""
        return content_fingerprint(self.name, keys, lambda key: b"rendered")


def labelled_faces(
    data: str,
    landmarks: Path | None = None,
    synthetic_identities: int = 300,
    on_missing: OnMissing = "error",
) -> LabelledFaces:
    """The faces that ``--data`` names: ``synthetic``, an index CSV or the folder that holds one as
    ``index.csv``, or a folder per identity (aligned crops, or landmarks for them).

    landmarks: five points per image of a folder; without, ``landmarks.txt`` in it. on_missing: of
    images that have no row there. UserError where there is nothing usable.
    """
    if data == "synthetic":
        first = SYNTHETIC_FIRST
        people = RenderedPeople(range(first, first + synthetic_identities), SYNTHETIC_IMAGES)
        return of_people(people, TemplateCrop(), f"{synthetic_identities:,} rendered identities")
    return people_in(Path(data), landmarks, on_missing)


def read_identities(path: Path) -> list[str]:
    """Names of identities, one per line, repeated ones once; UserError: unreadable or empty."""
    lines = read_list(path, "the list of identities", "one identity per line")
    return list(dict.fromkeys(line.strip() for line in lines if line.strip()))


def require_identities(wanted: Sequence[str], known: Sequence[str], where: Path) -> None:
    """UserError with the first of the identities that no image has, and the nearest name."""
    there = set(known)
    absent = [name for name in wanted if name not in there]
    if absent:
        raise UserError(
            f"{where}: {len(absent):,} of {len(wanted):,} identities have no image (first: "
            f"{absent[0]!r}{nearest(absent[0], sorted(there))})"
        )
