"""Faces with identities, to learn a metric from: folders of people, zip files with an index, and
rendered people.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError, nearest
from facebench.base.opening import (
    ARCHIVE,
    IMAGE,
    folder_entries,
    member_bytes,
    plain_bytes,
    plain_file,
    read_bytes,
    read_list,
    reading,
)
from facebench.embedding.stream import OnMissing
from facebench.faces.align.aligners import LandmarkAligner, TemplateCrop
from facebench.faces.images import SUFFIXES, content_fingerprint, decode, is_image
from facebench.faces.synthetic import RENDERER_VERSION, TRAIN_IDENTITIES, render
from facebench.faces.types import Aligner, DataKind, FaceSource, Image, ImageError
from facebench.lab.data.crops import (
    CROP_SIZE,
    CropFiles,
    Teacher,
    TrainingCrops,
    keep_crops,
    read_index,
)
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
    paths = [folder / key for key in _keys_of_people(folder)]
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


def _keys_of_people(folder: Path) -> list[str]:
    """``identity/image.jpg`` of every image, person by person; UserError: unreadable."""
    return [
        f"{person.name}/{file.name}"
        for person in folder_entries(folder)
        if person.is_dir()
        for file in folder_entries(Path(person.path))
        if is_image(file.name)
    ]


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


_CROPS = ((112, 96), (112, 112), (128, 112))
# Far from the first ones, which networks are trained on.
SYNTHETIC_FIRST, SYNTHETIC_IMAGES, SYNTHETIC_SEED = 500_000, 12, 0


@dataclass(frozen=True, eq=False)
class LabelledFaces:
    """Named images and the identity of each. words: the data in a few words, for cards."""

    source: FaceSource
    aligner: Aligner
    keys: tuple[str, ...]
    identities: tuple[str, ...]
    words: str

    def restricted(self, chosen: Sequence[str], words: str) -> LabelledFaces:
        """Only the images of these identities; words: what they are, for cards."""
        wanted = set(chosen)
        rows = [i for i, identity in enumerate(self.identities) if identity in wanted]
        keys = tuple(self.keys[i] for i in rows)
        identities = tuple(self.identities[i] for i in rows)
        return LabelledFaces(self.source, self.aligner, keys, identities, f"{self.words}, {words}")


class AlignedCrop(TemplateCrop):
    """Crops that are aligned already; UserError for an image of any other size."""

    def __call__(self, key: str, image: Image, size: tuple[int, int]) -> Image:
        """One crop; never None."""
        if image.shape[:2] not in _CROPS:
            height, width = image.shape[:2]
            raise UserError(
                f"{key} is {height}x{width}; an aligned crop is 112x96, 112x112 or 128x112 (height "
                "x width): align the images, or put their landmarks.txt into the folder"
            )
        return super().__call__(key, image, size)


class PeopleFolder(FaceSource):
    """A folder per identity: ``identity/image.jpg``. UserError where there is none."""

    kind: DataKind = "real"

    def __init__(self, folder: Path) -> None:
        self.folder, self.name = folder, folder.resolve().name
        self._keys = sorted(_keys_of_people(folder))
        if not self._keys:
            raise UserError(
                f"{folder} holds no folder per identity with images in it; that, or a folder with "
                "index.csv and zip files, is what a metric is learned from"
            )

    def keys(self) -> list[str]:
        """``identity/image.jpg``, sorted."""
        return list(self._keys)

    def read(self, key: str) -> Image:
        """One image; ImageError where it is absent or undecodable."""
        data = self._bytes(key)
        if data is None:
            raise ImageError(key, f"cannot be read in {self.folder}")
        return decode(key, data)

    def fingerprint(self, keys: Sequence[str]) -> str:
        """Of keys and contents."""
        return content_fingerprint(self.name, keys, self._bytes)

    def _bytes(self, key: str) -> bytes | None:
        try:
            return plain_bytes(self.folder / key, IMAGE)
        except OSError:
            return None


class ZippedCrops(FaceSource):
    """``index.csv`` (columns file, source, identity; others are passed over) and a zip per source.

    Rows without an identity are left out. UserError where index or zip cannot be read.
    """

    kind: DataKind = "real"

    def __init__(self, index: Path) -> None:
        self.folder, self.name = index.parent, index.resolve().parent.name
        self._zips: dict[str, zipfile.ZipFile] = {}
        self._rows: dict[str, tuple[str, str]] = {}
        for row in read_index(index):
            if row["identity"]:
                self._rows[row["file"]] = (row["source"], row["identity"])
        if not self._rows:
            raise UserError(f"{index}: no row has an identity")
        for source in {source for source, _ in self._rows.values()}:
            self._open(source)

    def keys(self) -> list[str]:
        """Files as in the zips, sorted; only those with an identity."""
        return sorted(self._rows)

    def identity(self, key: str) -> str:
        """The identity of an image."""
        return self._rows[key][1]

    def read(self, key: str) -> Image:
        """One image; ImageError where it is absent or undecodable."""
        data = self._bytes(key)
        if data is None:
            raise ImageError(key, f"cannot be read in {self.folder / self._rows[key][0]}.zip")
        return decode(key, data)

    def fingerprint(self, keys: Sequence[str]) -> str:
        """Of keys and contents; by the zips' own checksums."""
        return content_fingerprint(self.name, keys, self._checksum)

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_zips": {}}  # open files do not travel to other processes

    def _open(self, source: str) -> zipfile.ZipFile:
        if source not in self._zips:
            path = self.folder / f"{source}.zip"
            with reading(path, "cannot be read as a zip file"):
                self._zips[source] = zipfile.ZipFile(plain_file(path, ARCHIVE))
        return self._zips[source]

    def _bytes(self, key: str) -> bytes | None:
        try:
            return member_bytes(self._open(self._rows[key][0]), key)
        except OSError:
            return None

    def _checksum(self, key: str) -> bytes | None:
        try:
            info = self._open(self._rows[key][0]).getinfo(key)
        except KeyError:
            return None
        return f"{info.CRC} {info.file_size}".encode()


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
        return _of_people(people, TemplateCrop(), f"{synthetic_identities:,} rendered identities")
    path = Path(data)
    index = path / "index.csv" if path.is_dir() else path
    if index.is_file():
        zipped = ZippedCrops(index)
        keys = tuple(zipped.keys())
        identities = tuple(map(zipped.identity, keys))
        return LabelledFaces(zipped, AlignedCrop(), keys, identities, f"{zipped.name} (index)")
    if not path.is_dir():
        raise UserError(f"{data}: no such folder or index; or give `synthetic`")
    folder, beside = PeopleFolder(path), path / "landmarks.txt"
    file = landmarks or (beside if beside.is_file() else None)
    if file is None:
        return _of_people(folder, AlignedCrop(), folder.name)
    aligner = LandmarkAligner.from_file(file, on_missing)
    aligner.require(folder.keys())
    return _of_people(folder, aligner, folder.name)


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


def _of_people(source: FaceSource, aligner: Aligner, words: str) -> LabelledFaces:
    keys = tuple(source.keys())
    return LabelledFaces(source, aligner, keys, tuple(k.split("/")[0] for k in keys), words)
