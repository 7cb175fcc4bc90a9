"""Where facebench keeps things, and how it writes them: complete or not at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import wraps
from pathlib import Path
from typing import Any, Literal, ParamSpec, Self, TypeVar

from facebench.base.errors import UserError
from facebench.base.locks import Lock, path_lock
from facebench.base.opening import ARRAY, is_stray, plain_file, require_kind

Workspace = Literal["models", "protocols", "reports"]
Asked = ParamSpec("Asked")
Kept = TypeVar("Kept")
_KEPT: ContextVar[dict[Any, Any] | None] = ContextVar("kept", default=None)
_BLOCK = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT)
_ASIDE, _PART = ".facebench-", ".part"  # around the random name of what is not complete


def cache_folder() -> Path:
    """Folder of everything that can be made again: ``$FACEBENCH_CACHE``, or ``facebench`` in
    ``$XDG_CACHE_HOME`` where that is an absolute path, or in ~/.cache.

    UserError where neither a variable nor a home is known.
    """
    named = _named("FACEBENCH_CACHE")
    if named is not None:
        return named
    caches = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not caches.is_absolute():  # the XDG specification: a relative one is to be ignored
        caches = _with_home("~/.cache", "no home folder is known")
    return caches / "facebench"


def data_folder() -> Path:
    """Folder of installed data sets: ``$FACEBENCH_DATA`` or ``data`` in the cache folder."""
    return _named("FACEBENCH_DATA") or cache_folder() / "data"


def _named(variable: str) -> Path | None:
    """A folder by the environment, where a ``~`` that no shell replaced is the home, too."""
    text = os.environ.get(variable)
    return _with_home(text, f"{variable}={text}: there is no such home") if text else None


def _with_home(text: str, otherwise: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise UserError(f"{otherwise}; set FACEBENCH_CACHE to a folder") from None


def working_folder() -> Path:
    """The folder in which the process runs: the one place where the library asks for it.

    Cards (``models``, ``protocols``, ``reports``), results and the code of one's own models are
    looked for there before the shipped ones; nothing is written there unasked.
    """
    return Path.cwd()


def workspace_folders(kind: Workspace) -> list[Path]:
    """Folders that may hold cards of a kind: the working directory's first, then the shipped ones.

    The shipped ones lie beside the package in a checkout and inside it in an installed wheel.
    """
    package = Path(__file__).resolve().parents[1]
    places = [working_folder() / kind, package / "workspace" / kind, package.parent / kind]
    found: list[Path] = []
    for place in places:
        if place.is_dir() and not any(place.samefile(other) for other in found):
            found.append(place)
    return found


@contextlib.contextmanager
def files_as_they_are() -> Iterator[None]:
    """Around work during which no card changes: functions that are `kept` answer once for the same
    arguments. Inside of another one it is that one's.
    """
    if _KEPT.get() is not None:
        yield
        return
    token = _KEPT.set({})
    try:
        yield
    finally:
        _KEPT.reset(token)


def kept(function: Callable[Asked, Kept]) -> Callable[Asked, Kept]:
    """The function, whose answers are kept within `files_as_they_are`; elsewhere it is as it was.

    Its arguments must be hashable, and nobody may change what it returns. Errors are not kept.
    """

    @wraps(function)
    def asked(*args: Asked.args, **kwargs: Asked.kwargs) -> Kept:
        answers = _KEPT.get()
        if answers is None:
            return function(*args, **kwargs)
        key = function, args, tuple(sorted(kwargs.items()))
        if key not in answers:
            answers[key] = function(*args, **kwargs)
        found: Kept = answers[key]
        return found

    return asked


@kept
def toml_files(kind: Workspace, *folders: str) -> dict[str, Path]:
    """TOML files of a kind by name, those of the working directory first: {name: path}, sorted.

    folders: below those of the kind, where not directly in them; the first goes before the others.
    """
    found: dict[str, Path] = {}
    for place in workspace_folders(kind):
        for folder in folders or (".",):
            for path in (place / folder).glob("*.toml"):
                if not is_stray(path.name):
                    found.setdefault(path.stem, path)
    return dict(sorted(found.items()))


def result_folders() -> list[Path]:
    """Folders of results kept in git: the working directory's first, then the shipped ones."""
    return [folder / "results" for folder in workspace_folders("reports")]


def write_atomically(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write a file so that it appears complete or not at all (aside, fsync, rename).

    Makes missing parent folders. A new file has the mode that the umask leaves, one that is there
    keeps its own. OSError (a full disk, say) names the file and leaves nothing behind; what a
    writer left in the folder that was killed is removed. A link stays, and the file that it leads
    to is written. Devices and streams, such as /dev/stdout, are written to, never replaced.
    durable: False spares the fsync, where a file that a power cut emptied is made again.
    """
    with _naming(path):
        _publish({path: data}, durable, streams=True)


def write_together(files: Mapping[Path, bytes]) -> None:
    """Write files, each as `write_atomically` does, and none before all are complete aside.

    So a full disk changes nothing, and only a process killed between two renames leaves some new
    and some old. They appear in their order. OSError for a pipe or a device at one of the names:
    what is kept together is read again, and a writer would wait for a pipe's reader.
    """
    _publish(files, durable=True, streams=False)


def others_in_place(files: Mapping[Path, bytes]) -> list[Path]:
    """Which of the files are there already with other contents.

    So a command that refuses to replace goes on where it was killed: what it wrote is no other.
    """
    return [path for path, data in files.items() if path.exists() and not _holds(path, data)]


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False


@contextlib.contextmanager
def temporary_folder(place: Path | None = None) -> Iterator[Path]:
    """An empty folder, removed at the end of the block; place: where, None: among the system's.

    Those of processes that were killed are removed first.
    """
    place = place or Path(tempfile.gettempdir())
    sweep(place)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_ASIDE, suffix=_PART, dir=place))
        with path_lock(folder) as lock:
            lock.alone()
            if not folder.exists():  # swept before it was locked
                continue
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
        return


def sweep(folder: Path) -> None:
    """Remove what writers left in a folder that were killed; what a living one writes stays."""
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        if name.startswith(_ASIDE) and name.endswith(_PART):
            part = folder / name
            with path_lock(part) as lock:
                if lock.alone():
                    _remove(part)


def _publish(files: Mapping[Path, bytes], durable: bool, streams: bool) -> None:
    with contextlib.ExitStack() as stack:
        parts: list[_Part] = []
        for path, data in files.items():
            with _naming(path):
                place, stream = _behind_links(path)
                if stream and not streams:
                    require_kind(path, os.stat(place))
                if stream:
                    place.write_bytes(data)
                    continue
                parts.append(stack.enter_context(_Part(path, place)))
                parts[-1].write(data, durable)
        for part in parts:
            with _naming(part.path):
                part.publish()


class _Part:
    """A file aside that becomes ``place``; locked while its writer lives, which tells `sweep`."""

    def __init__(self, path: Path, place: Path) -> None:
        self.path, self._place, self._published = path, place, False
        place.parent.mkdir(parents=True, exist_ok=True)
        sweep(place.parent)
        self._aside, self._handle = _new_part(place.parent)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._published:
            with contextlib.suppress(OSError):
                self._aside.unlink()
        os.close(self._handle)

    def write(self, data: bytes, durable: bool) -> None:
        with contextlib.suppress(OSError):  # there is none, or the file system knows no modes
            os.chmod(self._aside, stat.S_IMODE(self._place.stat().st_mode))
        with open(self._handle, "wb", closefd=False) as file:
            file.write(data)
        if durable:
            os.fsync(self._handle)

    def publish(self) -> None:
        os.replace(self._aside, self._place)
        self._published = True


def _new_part(folder: Path) -> tuple[Path, int]:
    """A new file, open and locked, whose name `sweep` knows."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    while True:
        path = folder / f"{_ASIDE}{secrets.token_hex(4)}{_PART}"
        try:
            handle = os.open(path, flags, 0o666)  # less the umask
        except FileExistsError:
            continue
        Lock(handle).alone()
        if os.fstat(handle).st_nlink:
            return path, handle
        os.close(handle)  # swept before it was locked


def _remove(part: Path) -> None:
    with contextlib.suppress(OSError):
        if part.is_dir() and not part.is_symlink():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Let errors name the file, where they name none, or the one aside, which nobody knows."""
    try:
        yield
    except OSError as error:
        known = error.filename is not None and not str(error.filename).endswith(_PART)
        if error.errno and (not known or error.errno in _FULL):
            raise OSError(error.errno, error.strerror, str(path)) from error
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
    with plain_file(path, ARRAY) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
