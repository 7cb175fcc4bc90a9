"""Images in folders: the official LFW layout, and a flat folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from facebench.base.errors import UserError
from facebench.base.opening import IMAGE, plain_bytes
from facebench.faces.images import content_fingerprint, decode
from facebench.faces.types import DataKind, FaceSource, Image, ImageError

# In this order of preference where a folder holds several.
LFW_IMAGE_FOLDERS = ("lfw", "lfw_funneled", "lfw-funneled", "lfw-deepfunneled", "lfw_deepfunneled")
_LFW_FILE = re.compile(r"(.+)_\d{4}\.jpg")


class _Folder(FaceSource):
    """Keys are paths below ``root`` with forward slashes."""

    kind: DataKind = "real"

    def __init__(self, name: str, root: Path) -> None:
        self.name, self.root = name, root

    def read(self, key: str) -> Image:
        """One image, uint8 H×W×3 RGB; ImageError where it is absent, truncated or undecodable."""
        return decode(key, self.encoded(key))

    def encoded(self, key: str) -> bytes:
        """One image's file; ImageError where it is absent or cannot be read."""
        try:
            return plain_bytes(self._path(key), IMAGE)
        except FileNotFoundError as error:
            raise ImageError(key, f"is not in {self.root}") from error
        except OSError as error:
            raise ImageError(key, f"cannot be read ({error.strerror})") from error

    def missing(self, keys: Sequence[str]) -> list[str]:
        """The keys, sorted and once each, for which there is no file."""
        return sorted(key for key in set(keys) if not self._is_there(key))

    def fingerprint(self, keys: Sequence[str]) -> str:
        """``<name>-<16 hex>``: SHA-256 over keys and file contents, whatever their order."""
        return content_fingerprint(self.name, keys, self._bytes)

    def _is_there(self, key: str) -> bool:
        try:
            return self._path(key).is_file()
        except (ImageError, OSError):  # a name that no file can have
            return False

    def _bytes(self, key: str) -> bytes | None:
        try:
            return self.encoded(key)
        except ImageError:
            return None

    def _path(self, key: str) -> Path:
        parts = PurePosixPath(key).parts
        if not parts or key.startswith("/") or ".." in parts or "\0" in key:
            raise ImageError(key, "is not a name of a file below the folder")
        return self.root.joinpath(*parts)


class LfwSource(_Folder):
    """The official LFW layout: ``lfw/Name/Name_0001.jpg``; keys are ``Name/Name_0001.jpg``.

    ``folder`` holds ``lfw`` (or ``lfw_funneled``, ``lfw-deepfunneled``), or the people's folders.
    UserError where it does not.
    """

    def __init__(self, folder: str | Path, name: str = "lfw") -> None:
        super().__init__(name, lfw_image_folder(Path(folder)))

    def keys(self) -> list[str]:
        """Every ``Name/Name_0001.jpg`` there is, sorted."""
        return sorted(f"{person}/{file}" for person, file in _lfw_images(self.root))


class FlatFolderSource(_Folder):
    """LFW's images without the people's folders: ``Name_0001.jpg`` side by side.

    Keys are those of LFW, ``Name/Name_0001.jpg``, so that its lists and landmarks fit and the
    fingerprint is that of the same images in LFW's layout. UserError where the folder holds none.
    """

    def __init__(self, folder: str | Path, name: str = "lfw") -> None:
        super().__init__(name, Path(folder))
        if not self.keys():
            raise UserError(f"{folder} holds no image called as LFW's are (Name_0001.jpg)")

    def keys(self) -> list[str]:
        """``Name/Name_0001.jpg`` of every file ``Name_0001.jpg``, sorted; UserError: unreadable."""
        found = (_LFW_FILE.fullmatch(e.name) for e in _entries(self.root) if e.is_file())
        return sorted(f"{match[1]}/{match[0]}" for match in found if match)

    def _path(self, key: str) -> Path:
        inside = super()._path(key)
        if inside.parent.parent != self.root or not inside.name.startswith(
            f"{inside.parent.name}_"
        ):
            raise ImageError(key, "is not a name of LFW's (Name/Name_0001.jpg)")
        return self.root / inside.name


def folder_itself(data: Path) -> Path:
    """A folder however it was spelt (``.``, relative, through a link), anything else as it is.

    What lies beside a folder, its list or landmarks, is looked for by its name and its parent.
    """
    return data.resolve() if data.is_dir() else data


def lfw_image_folder(folder: Path) -> Path:
    """The folder that holds the people's folders; UserError where there is none."""
    inside = {entry.name for entry in _entries(folder) if entry.is_dir()}
    candidates = [folder / name for name in LFW_IMAGE_FOLDERS if name in inside] + [folder]
    for candidate in candidates:
        if next(_lfw_images(candidate), None) is not None:
            return candidate
    raise UserError(
        f"{folder} holds no images in the layout of LFW (lfw/Name/Name_0001.jpg, or the people's "
        "folders themselves), nor side by side (Name_0001.jpg); point --data at the folder that "
        "holds lfw/"
    )


def _lfw_images(root: Path) -> Iterator[tuple[str, str]]:
    for person in _entries(root):
        if person.is_dir():
            for file in _entries(Path(person.path)):
                match = _LFW_FILE.fullmatch(file.name)
                if match and match[1] == person.name:
                    yield person.name, file.name


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError as error:
        raise UserError(f"cannot read the folder {folder}: {error.strerror}") from error
