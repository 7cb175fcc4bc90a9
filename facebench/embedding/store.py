"""The embedding store: embeddings on disk, in shards that can be trusted or are made again.

A shard is one safetensors file of at most 512 faces with a checksum of its own; it appears
complete or not at all, so a run killed at any moment continues and, with as many threads as before,
ends with the same bytes.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.base.locks import path_lock
from facebench.base.opening import SETTINGS, read_json, tensors_in
from facebench.base.storage import cache_folder, sweep, write_atomically

SHARD = 512  # faces in a shard
VERSION = 2  # of what the files hold and how it was computed
_MANIFEST = "manifest.json"
_SHARES = "shares"  # into how many those who are at work now divide the faces
_KEY = re.compile(r"[0-9a-f]{32}")
_FILE = re.compile(r"manifest\.json|shares|shard-\d{5}\.safetensors|\..*\.part")
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shard:
    """Embeddings of up to 512 faces: vectors float32 n×D (zero where not acquired), acquired."""

    vectors: NDArray[np.float32]
    acquired: NDArray[np.bool_]


@dataclass(frozen=True)
class StoredRun:
    """One entry of the store, for listings: what it holds and how many bytes it takes."""

    key: str
    model: str
    source: str
    faces: int
    stored: int
    bytes: int


@dataclass(frozen=True)
class Cleared:
    """What was removed and what was not. freed: bytes; used: entries that an extraction uses;
    others: folders with files that are not the store's; failed: entries that stay, and why.
    """

    freed: int
    used: int
    others: tuple[Path, ...]
    failed: tuple[tuple[Path, str], ...]


class EmbeddingStore:
    """Embeddings by what they depend on, in a folder (default: ``embeddings`` in the cache)."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder if folder is not None else cache_folder() / "embeddings"

    def entry(self, identity: Mapping[str, str | int], model: str) -> StoreEntry:
        """The entry of all that the numbers depend on; ``model`` is only its label in listings."""
        return StoreEntry(self.folder, {**identity, "store": VERSION, "shard": SHARD}, model)

    def entries(self) -> list[StoredRun]:
        """What the store holds, by model and source."""
        runs = [_describe(folder) for folder in self._folders()]
        return sorted(runs, key=lambda run: (run.model, run.source, run.key))

    def manifests(self) -> list[tuple[Path, dict[str, object]]]:
        """The folder of every entry, and what its manifest says."""
        return [(folder, _manifest_of(folder)) for folder in self._folders()]

    def size(self) -> int:
        """Bytes that the store takes."""
        return sum(_bytes_of(folder) for folder in self._folders())

    def clear(self) -> Cleared:
        """Remove the files of every entry that no running extraction uses, and nothing else."""
        freed, used, others = 0, 0, list[Path]()
        failed: list[tuple[Path, str]] = []
        for folder in self._all_folders():
            if not _is_entry(folder):
                others.append(folder)
                continue
            with path_lock(folder) as lock:
                if not lock.alone():
                    used += 1
                    continue
                size = _bytes_of(folder)
                try:
                    _remove_entry(folder)
                except OSError as error:
                    if error.errno != errno.ENOTEMPTY:
                        failed.append((folder, error.strerror or str(error)))
                    else:
                        others.append(folder)
                freed += size - _bytes_of(folder)
        return Cleared(freed, used, tuple(others), tuple(failed))

    def _folders(self) -> list[Path]:
        return [folder for folder in self._all_folders() if _is_entry(folder)]

    def _all_folders(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        return [path for path in sorted(self.folder.iterdir()) if path.is_dir()]


class StoreEntry:
    """The shards of one extraction. Reading and writing raise UserError where the disk refuses."""

    def __init__(self, parent: Path, identity: Mapping[str, str | int], model: str) -> None:
        self.identity = dict(identity)
        text = json.dumps(self.identity, sort_keys=True)
        self.key = hashlib.sha256(text.encode()).hexdigest()
        self.folder = parent / self.key[:32]
        self.model = model

    @contextlib.contextmanager
    def in_use(self, shares: int | None = None) -> Iterator[None]:
        """Keep ``clear`` away; remove what killed runs left unfinished.

        shares: into how many those who work on these faces now divide them; None: all are made
        here. UserError: others at work divide them into another number, and would leave gaps.
        """
        with _disk(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        with path_lock(self.folder) as lock:
            sweep(self.folder)
            if lock.alone():
                self._agree(shares)
                lock.share()
            else:
                lock.share()
                self._require_agreed(shares)
            self._write_manifest()
            try:
                yield
            finally:
                if lock.alone():  # what was agreed ends with the last of those at work
                    self._agree(None)

    def _agree(self, shares: int | None) -> None:
        path = self.folder / _SHARES
        with _disk(self.folder):
            if shares is None:
                path.unlink(missing_ok=True)
            else:
                write_atomically(path, f"{shares}\n".encode(), durable=False)

    def _require_agreed(self, shares: int | None) -> None:
        if shares is None:
            return
        path, agreed = self.folder / _SHARES, shares
        with contextlib.suppress(OSError, ValueError):
            agreed = int(path.read_text("ascii"))
        if agreed != shares:
            raise UserError(
                f"others are at work on these faces in {agreed} shards, and shards of {shares} "
                f"would leave gaps between theirs: use --shard i/{agreed}, or wait until they are "
                f"done (if nobody is at work, remove {path})"
            )
        self._agree(shares)

    def has(self, number: int) -> bool:
        """Whether a shard is there, intact or not."""
        return self._path(number).exists()

    def present(self) -> int:
        """How many shards are there."""
        return len(list(self.folder.glob("shard-*.safetensors")))

    def read(self, number: int, faces: int) -> Shard | None:
        """Shard ``number`` of ``faces`` faces; None where it is absent, or (told) is not intact."""
        path = self._path(number)
        with _disk(self.folder):
            if not path.exists():
                return None
            data = path.read_bytes()
        shard = self._decode(data, number, faces)
        if shard is None:
            _LOG.warning("%s is damaged; its faces are embedded again", path)
        return shard

    def write(self, number: int, shard: Shard) -> None:
        """Store a shard, complete or not at all."""
        tensors = {
            "vectors": np.ascontiguousarray(shard.vectors, dtype=np.float32),
            "acquired": np.ascontiguousarray(shard.acquired, dtype=np.bool_),
            "checksum": self._checksum(number, shard),
        }
        data = safetensors.numpy.save(tensors)
        with _disk(self.folder):
            try:
                write_atomically(self._path(number), data)
            except FileNotFoundError:  # another run discarded the folder in this very moment
                write_atomically(self._path(number), data)

    def discard(self) -> None:
        """Remove the entry: what it would be continued with cannot become a result."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def discard_if_empty(self) -> None:
        """Remove the entry where no shard was finished: it would only list nothing."""
        if not any(self.folder.glob("shard-*")):
            self.discard()

    def _path(self, number: int) -> Path:
        return self.folder / f"shard-{number:05d}.safetensors"

    def _decode(self, data: bytes, number: int, faces: int) -> Shard | None:
        try:
            tensors = tensors_in(data)
            shard = Shard(tensors["vectors"], tensors["acquired"])
            checksum = tensors["checksum"]
        except (ValueError, KeyError):
            return None
        intact = (
            shard.vectors.ndim == 2
            and shard.vectors.dtype == np.float32
            and shard.acquired.dtype == np.bool_
            and shard.acquired.shape == (faces,) == shard.vectors.shape[:1]
            and np.array_equal(checksum, self._checksum(number, shard))
        )
        return shard if intact else None

    def _checksum(self, number: int, shard: Shard) -> NDArray[np.uint8]:
        """SHA-256 over place and content: a good shard in a wrong place is not trusted either."""
        digest = hashlib.sha256(f"{self.key} {number} {shard.vectors.shape}".encode())
        digest.update(np.ascontiguousarray(shard.vectors, dtype="<f4").tobytes())
        digest.update(np.ascontiguousarray(shard.acquired).tobytes())
        return np.frombuffer(digest.digest(), dtype=np.uint8)

    def _write_manifest(self) -> None:
        """Say what the entry holds; only listings read it, so a damaged one is just replaced."""
        path = self.folder / _MANIFEST
        known = _manifest_of(self.folder)
        if all(known.get(name) == value for name, value in self.identity.items()):
            return
        text = json.dumps({"model": self.model, **self.identity}, sort_keys=True, indent=1)
        with _disk(self.folder):
            write_atomically(path, f"{text}\n".encode())


@contextlib.contextmanager
def _disk(folder: Path) -> Iterator[None]:
    """Turn what the disk refuses into one line."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"the embedding store {folder.parent} cannot be used: {error.strerror or error}; "
            "make room there, or set FACEBENCH_CACHE to another folder, or go without the store"
        ) from error


def _is_entry(folder: Path) -> bool:
    """Whether a folder is one of the store's: by its manifest, or by name while it holds nothing
    else than what an entry begins with.
    """
    if folder.is_symlink() or not _KEY.fullmatch(folder.name):
        return False
    if {"store", "shard"} <= set(_manifest_of(folder)):
        return True
    with contextlib.suppress(OSError):
        return all(_FILE.fullmatch(path.name) for path in folder.iterdir())
    return False


def _remove_entry(folder: Path) -> None:
    """Remove an entry's own files, and its folder where it holds no others; the manifest, by
    which an entry is known, goes last.
    """
    own = [path for path in folder.iterdir() if _FILE.fullmatch(path.name)]
    for path in sorted(own, key=lambda path: path.name == _MANIFEST):
        path.unlink(missing_ok=True)
    folder.rmdir()


def _manifest_of(folder: Path) -> dict[str, object]:
    try:
        manifest = read_json(folder / _MANIFEST, "the manifest", SETTINGS)
    except UserError:
        return {}
    return manifest if isinstance(manifest, dict) else {}


def _describe(folder: Path) -> StoredRun:
    manifest = _manifest_of(folder)
    faces = manifest.get("faces")
    shards = len(list(folder.glob("shard-*.safetensors")))
    total = faces if isinstance(faces, int) else 0
    return StoredRun(
        key=folder.name,
        model=str(manifest.get("model", "?")),
        source=str(manifest.get("source", "?")),
        faces=total,
        stored=min(total, shards * SHARD),
        bytes=_bytes_of(folder),
    )


def _bytes_of(folder: Path) -> int:
    size = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # removed meanwhile
            size += path.stat().st_size
    return size
