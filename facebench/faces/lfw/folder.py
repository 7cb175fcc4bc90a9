"""Images in folders: the official LFW layout, and a flat folder."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from facebench.base.errors import UserError
from facebench.base.opening import IMAGE, folder_entries, plain_bytes
from facebench.faces.images import SUFFIXES, content_fingerprint, decode, is_image
from facebench.faces.types import DataKind, FaceSource, Image, ImageError

# In this order of preference where a folder holds several.
LFW_IMAGE_FOLDERS = ("lfw", "lfw_funneled", "lfw-funneled", "lfw-deepfunneled", "lfw_deepfunneled")
_LFW_FILE = re.compile(
    rf"((.+)_(?:\d{{4}}|[1-9]\d{{4,5}}))(?:{'|'.join(map(re.escape, SUFFIXES))})", re.IGNORECASE
)
_WRAPPED = 3  # folders that an archive may be unpacked into, one in the other
_Files = dict[str, list[str]]  # images of a folder, by name without ending


class _Folder(FaceSource):
    """Keys are paths below ``root`` with forward slashes.

    An image may have another ending than its key says (``.png``, ``.JPG``).
    """

    kind: DataKind = "real"

    def __init__(self, name: str, root: Path) -> None:
        self.name, self.root = name, root
        self._listed: dict[Path, _Files] = {}

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_listed": {}}

    def read(self, key: str) -> Image:
        """One image, uint8 H×W×3 RGB; ImageError where it is absent, truncated or undecodable."""
        return decode(key, self.encoded(key))

    def encoded(self, key: str) -> bytes:
        """One image's file; ImageError where it is absent or cannot be read.

        UserError, here and in what follows: it is there twice, with two endings.
        """
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
        """The file of a key, which need not be there."""
        named = self._named(key)
        return named if named.exists() else self._of_any_ending(named)

    def _named(self, key: str) -> Path:
        parts = PurePosixPath(key).parts
        if not parts or key.startswith("/") or ".." in parts or "\0" in key:
            raise ImageError(key, "is not a name of a file below the folder")
        return self.root.joinpath(*parts)

    def _of_any_ending(self, named: Path) -> Path:
        """The image of that name with whatever ending; the name itself where there is none."""
        folder = named.parent
        if folder not in self._listed:
            self._listed[folder] = image_files(folder) if folder.is_dir() else {}
        return folder / one_file(folder, self._listed[folder].get(named.stem, [named.name]))


class LfwSource(_Folder):
    """The official LFW layout: ``lfw/Name/Name_0001.jpg``; keys are ``Name/Name_0001.jpg``.

    ``folder`` holds ``lfw`` (or ``lfw_funneled``, ``lfw-deepfunneled``), or the people's folders.
    Lists give no endings: an image may have another one, and its key is the same. UserError where
    there is no image.
    """

    def __init__(self, folder: str | Path, name: str = "lfw") -> None:
        super().__init__(name, lfw_image_folder(Path(folder)))

    def keys(self) -> list[str]:
        """Every ``Name/Name_0001.jpg`` there is, sorted."""
        return sorted(set(_lfw_images(self.root)))

    def _path(self, key: str) -> Path:
        return self._of_any_ending(self._named(key))


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
        found = (_LFW_FILE.fullmatch(e.name) for e in folder_entries(self.root) if e.is_file())
        return sorted({f"{match[2]}/{match[1]}.jpg" for match in found if match})

    def _path(self, key: str) -> Path:
        inside = self._named(key)
        if inside.parent.parent != self.root or not inside.name.startswith(
            f"{inside.parent.name}_"
        ):
            raise ImageError(key, "is not a name of LFW's (Name/Name_0001.jpg)")
        return self._of_any_ending(self.root / inside.name)


class PeopleSource(_Folder):
    """A folder for each person, with images of any names: ``Ann/IMG 12.png``, also deeper.

    Keys are paths below the folder that holds the people's. UserError, of `keys`: unreadable.
    """

    def __init__(self, folder: str | Path, name: str) -> None:
        super().__init__(name, _people_folder(Path(folder)))

    def keys(self) -> list[str]:
        """Every image in a person's folder, sorted."""
        people = [Path(e.path) for e in folder_entries(self.root) if e.is_dir()]
        return sorted(file.relative_to(self.root).as_posix() for file in _images_below(people))


class AnyFolder(_Folder):
    """Images of any names, at any depth. Keys are paths below the folder."""

    def keys(self) -> list[str]:
        """Every image, sorted; UserError: unreadable."""
        return sorted(f.relative_to(self.root).as_posix() for f in _images_below([self.root]))


def _people_folder(folder: Path) -> Path:
    """The folder with the people's folders: it, or the one that is all it holds, as unpacked."""
    for place in _unwrapped(folder):
        inside = [Path(entry.path) for entry in folder_entries(place) if entry.is_dir()]
        if any(is_image(e.name) for person in inside for e in folder_entries(person)):
            return place
    return folder


def _images_below(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        for entry in folder_entries(folder):
            if entry.is_dir(follow_symlinks=False):
                yield from _images_below([Path(entry.path)])
            elif is_image(entry.name):
                yield Path(entry.path)


def folder_itself(data: Path) -> Path:
    """A folder however it was spelt (``.``, relative, through a link), anything else as it is.

    What lies beside a folder, its list or landmarks, is looked for by its name and its parent.
    """
    return data.resolve() if data.is_dir() else data


def image_files(folder: Path) -> _Files:
    """The names of a folder's images, sorted, by name without ending; UserError: unreadable."""
    found: _Files = {}
    for entry in folder_entries(folder):
        if is_image(entry.name):
            found.setdefault(Path(entry.name).stem, []).append(entry.name)
    return found


def one_file(folder: Path, names: Sequence[str]) -> str:
    """The name of an image; UserError where it is there with several endings."""
    if len(names) > 1:
        raise UserError(
            f"{folder} holds one image with several endings, and nothing says which counts: "
            f"{', '.join(names)}; keep one of them there"
        )
    return names[0]


def lfw_image_folder(folder: Path) -> Path:
    """The folder that holds the people's folders; UserError where there is none."""
    inside = {e.name.lower(): e.name for e in folder_entries(folder) if e.is_dir()}
    candidates = [folder / inside[name] for name in LFW_IMAGE_FOLDERS if name in inside]
    for candidate in (*candidates, folder):
        for place in _unwrapped(candidate):
            if next(_lfw_images(place), None) is not None:
                return place
    raise UserError(
        f"{folder} holds no images in the layout of LFW (lfw/Name/Name_0001.jpg, or the people's "
        "folders themselves), nor side by side (Name_0001.jpg); point --data at the folder that "
        "holds lfw/"
    )


def _unwrapped(folder: Path) -> Iterator[Path]:
    """A folder and, where another one is all that it holds, that one, as archives unpack."""
    for _ in range(_WRAPPED):
        yield folder
        inside = [entry.path for entry in folder_entries(folder) if entry.is_dir()]
        if len(inside) != 1:
            return
        folder = Path(inside[0])


def _lfw_images(root: Path) -> Iterator[str]:
    """Keys of the images in the people's folders below ``root``, in no order."""
    for person in folder_entries(root):
        if person.is_dir():
            for file in folder_entries(Path(person.path)):
                match = _LFW_FILE.fullmatch(file.name)
                if match and match[2] == person.name:
                    yield f"{person.name}/{match[1]}.jpg"
