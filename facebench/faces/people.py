"""Faces of named people, as trainings read them: a folder a person, or zip files with an index."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facebench.base.errors import UserError
from facebench.base.opening import (
    ARCHIVE,
    IMAGE,
    folder_entries,
    member_bytes,
    plain_bytes,
    plain_file,
    read_csv,
    reading,
    wrong_line,
)
from facebench.faces.align.aligners import LandmarkAligner, TemplateCrop
from facebench.faces.images import content_fingerprint, decode, is_image
from facebench.faces.locate import own_name
from facebench.faces.types import Aligner, DataKind, FaceSource, Image, ImageError

CROPS = ((112, 96), (112, 112), (128, 112))  # of aligned faces, height and width


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
        if image.shape[:2] not in CROPS:
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
        self.folder, self.name = folder, own_name(folder, folder.resolve().name)
        self._keys = sorted(keys_of_people(folder))
        if not self._keys:
            raise UserError(
                f"{folder} holds no folder per identity with images in it; that, or a folder with "
                "index.csv and zip files, is what is learned from"
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


def people_in(
    path: Path, landmarks: Path | None = None, on_missing: str = "error"
) -> LabelledFaces:
    """The faces of an index CSV, of the folder that holds one as ``index.csv``, or of a folder per
    identity: aligned crops, or landmarks for them.

    landmarks: five points per image of a folder; without, ``landmarks.txt`` in it. on_missing: of
    images that have no row there. UserError where there is nothing usable.
    """
    index = path / "index.csv" if path.is_dir() else path
    if index.is_file():
        zipped = ZippedCrops(index)
        keys = tuple(zipped.keys())
        identities = tuple(map(zipped.identity, keys))
        return LabelledFaces(zipped, AlignedCrop(), keys, identities, f"{zipped.name} (index)")
    if not path.is_dir():
        raise UserError(f"{path}: no such folder or index")
    folder, beside = PeopleFolder(path), path / "landmarks.txt"
    file = landmarks or (beside if beside.is_file() else None)
    if file is None:
        return of_people(folder, AlignedCrop(), folder.name)
    aligner = LandmarkAligner.from_file(file, on_missing)
    aligner.require(folder.keys())
    return of_people(folder, aligner, folder.name)


def of_people(source: FaceSource, aligner: Aligner, words: str) -> LabelledFaces:
    """Faces whose keys begin with their person."""
    keys = tuple(source.keys())
    return LabelledFaces(source, aligner, keys, tuple(k.split("/")[0] for k in keys), words)


def read_index(path: Path) -> list[dict[str, str]]:
    """The rows of an index CSV: file, source and identity, which may be empty.

    UserError: it cannot be read, lacks a column, has no row, or a row names no file.
    """
    needed, expected = ("file", "source", "identity"), "the columns file, source and identity"
    lines = read_csv(path, "the index of training crops", expected)
    _, header = next(lines)
    if missing := sorted(set(needed) - set(header)):
        raise UserError(f"{path} lacks {', '.join(missing)}; expected {expected}")
    rows = []
    for number, fields in lines:
        if not any(fields):
            continue
        row = {name: "" for name in needed} | dict(zip(header, fields, strict=False))
        for name in ("file", "source"):
            if not row[name] or (name == "source" and Path(row[name]).name != row[name]):
                raise wrong_line(path, number, f"{name} {row[name]!r} is no name of a file")
        rows.append({name: row[name] for name in needed})
    if not rows:
        raise UserError(f"{path} has a heading and no row; expected {expected}")
    return rows


def keys_of_people(folder: Path) -> list[str]:
    """``identity/image.jpg`` of every image, person by person; UserError: unreadable."""
    return [
        f"{person.name}/{file.name}"
        for person in folder_entries(folder)
        if person.is_dir()
        for file in folder_entries(Path(person.path))
        if is_image(file.name)
    ]
