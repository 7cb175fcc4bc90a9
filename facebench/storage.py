"""Where facebench keeps things, and how it writes them: complete or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from pathlib import Path
from typing import Literal

Workspace = Literal["models", "protocols", "reports"]
_BLOCK = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT)


def cache_folder() -> Path:
    """Folder of everything that can be made again: ``$FACEBENCH_CACHE`` or ~/.cache/facebench."""
    return Path(os.environ.get("FACEBENCH_CACHE") or Path.home() / ".cache" / "facebench")


def data_folder() -> Path:
    """Folder of installed data sets: ``$FACEBENCH_DATA`` or ``data`` in the cache folder."""
    return Path(os.environ.get("FACEBENCH_DATA") or cache_folder() / "data")


def workspace_folders(kind: Workspace) -> list[Path]:
    """Folders that may hold cards of a kind: the working directory's first, then the shipped ones.

    The shipped ones lie beside the package in a checkout and inside it in an installed wheel.
    """
    package = Path(__file__).resolve().parent
    places = [Path.cwd() / kind, package / "workspace" / kind, package.parent / kind]
    found: list[Path] = []
    for place in places:
        if place.is_dir() and not any(place.samefile(other) for other in found):
            found.append(place)
    return found


def result_folders() -> list[Path]:
    """Folders of results kept in git: the working directory's first, then the shipped ones."""
    return [folder / "results" for folder in workspace_folders("reports")]


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that it appears complete or not at all (aside, fsync, rename).

    Makes missing parent folders. OSError (a full disk, say) names the file and leaves nothing
    behind. A link stays, and the file that it leads to is written. Devices and streams, such as
    /dev/stdout, are written to, never replaced.
    """
    try:
        _write(*_behind_links(path), data)
    except OSError as error:
        if error.errno and (error.filename is None or error.errno in _FULL):
            # It names none, or the file aside, which nobody knows.
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def _write(path: Path, stream: bool, data: bytes) -> None:
    if stream:
        path.write_bytes(data)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _behind_links(path: Path) -> tuple[Path, bool]:
    """What links lead to, and whether it is to be written in place: a device, pipe or open file."""
    place = path.absolute()
    for _ in range(40):  # links may go round
        if not place.is_symlink():
            break
        if place.parts[1:2] in (("dev",), ("proc",)):  # /dev/stdout -> /proc/self/fd/1 -> a file
            return place, True
        place = Path(os.path.normpath(place.parent / os.readlink(place)))
    return place, place.exists() and not place.is_file() and not place.is_dir()


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
