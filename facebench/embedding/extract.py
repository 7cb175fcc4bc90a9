"""Faces in, embeddings out: batched, read ahead, resumable."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from facebench.embedding.loading import FaceBatch, FaceBatches, leave_if_rerun, read_ahead
from facebench.embedding.profile import ExtractionProfile
from facebench.embedding.progress import progress_bar, summarise
from facebench.embedding.store import SHARD, EmbeddingStore, Shard, StoreEntry
from facebench.embedding.types import Embeddings
from facebench.embedding.unreadable import (
    UnusableFacesError,
    absent_faces,
    faces_refused,
    fingerprint_of,
)
from facebench.errors import UserError
from facebench.faces.types import Aligner, FaceSource
from facebench.nets.embedder import UNPINNED, Embedder, require_complete
from facebench.nets.outputs import failed

OnMissing = Literal["error", "count"]


def extract(
    embedder: Embedder,
    source: FaceSource,
    keys: Sequence[str],
    aligner: Aligner,
    *,
    on_missing: OnMissing = "error",
    batch: int = 32,
    workers: int = 1,
    store: EmbeddingStore | None = None,
    progress: bool = True,
    profile: ExtractionProfile | None = None,
    fingerprint: str | None = None,
) -> Embeddings:
    """Embeddings of distinct keys of a source, in the order asked for.

    on_missing: ``error`` refuses absent or unreadable images, ``count`` makes them failures to
    acquire; a face that the aligner does not find is one in both. batch: faces per pass of the
    network; workers: processes that read and warp (0: none); store: where finished shards are kept
    and looked up (never those of an embedder that is not storable); progress: bar and summary on
    standard error; profile: receives the timings.
    fingerprint: the source's over these keys where the caller has just taken it (it reads every
    file).

    The numbers do not depend on the order of keys, on workers, or on what was stored before: keys
    are sorted, cut into shards of 512, and every shard is batched from its own start.

    UserError: unreadable images (the first few and their number), an embedding with NaN or infinity
    or of another width than the others (in these cases nothing stays in the store), a model that
    fails, a disk that refuses. ValueError: repeated keys.
    """
    if len(set(keys)) != len(keys):
        raise ValueError("extract needs distinct keys; a face is embedded once")
    if batch < 1 or workers < 0:
        raise UserError(f"batch must be at least 1 and workers at least 0, not {batch}, {workers}")
    if on_missing not in ("error", "count"):
        raise UserError(f"on_missing must be 'error' or 'count', not {on_missing!r}")
    if workers:
        leave_if_rerun()
    require_complete(embedder, "the model")
    if not embedder.storable or embedder.weights_hash == UNPINNED:
        store = None
    run = ExtractionProfile()
    job = _Extraction(
        embedder, source, aligner, sorted(keys), on_missing, batch, workers, run, fingerprint
    )
    with run.timed("total"):
        result = _in_order(job.run(store, progress), job.keys, keys)
    run.failed = int(np.count_nonzero(~result.acquired))
    if progress:
        summarise(job.title, run)
    if profile is not None:
        profile.add(run)
    return result


@dataclass
class _Extraction:
    """One call of extract: its choices, and where the time goes."""

    embedder: Embedder
    source: FaceSource
    aligner: Aligner
    keys: list[str]
    on_missing: OnMissing
    batch: int
    workers: int
    profile: ExtractionProfile
    known: str | None = None  # the fingerprint over all keys
    gone: set[str] = field(default_factory=set)  # absent images, which the store's key knows of
    widths: set[int] = field(default_factory=set)  # lengths of the embeddings so far

    @property
    def title(self) -> str:
        return f"{self.embedder.id} on {self.source.name}"

    def run(self, store: EmbeddingStore | None, progress: bool) -> list[Shard]:
        """All shards in order, from the store or embedded now."""
        absent = absent_faces(self.source, self.keys)
        self._refuse(absent)
        if store is None:
            return self._complete(None, progress)
        with self.profile.timed("store"):
            entry = store.entry(self._identity(absent), self.embedder.id)
        with entry.in_use():
            try:
                return self._complete(entry, progress)
            except UnusableFacesError:
                entry.discard()
                raise
            except UserError:
                entry.discard_if_empty()
                raise

    def _complete(self, entry: StoreEntry | None, progress: bool) -> list[Shard]:
        numbers = range(-(-len(self.keys) // SHARD))
        shards = {} if entry is None else self._stored(entry, numbers)
        known = sum(len(shard.acquired) for shard in shards.values())
        self.profile.from_store += known
        pending = [number for number in numbers if number not in shards]
        with progress_bar(self.title, known, len(self.keys), progress) as advance:
            for number, shard, lasting in self._embed(pending, advance):
                shards[number] = shard
                if entry is not None and lasting:
                    with self.profile.timed("store"):
                        entry.write(number, shard)
        return [shards[number] for number in numbers]

    def _stored(self, entry: StoreEntry, numbers: Sequence[int]) -> dict[int, Shard]:
        with self.profile.timed("store"):
            found = {
                number: entry.read(number, len(self._shard_keys(number))) for number in numbers
            }
        shards = {number: shard for number, shard in found.items() if shard is not None}
        self.widths |= {s.vectors.shape[1] for s in shards.values() if s.acquired.any()}
        return shards

    def _embed(
        self, pending: Sequence[int], advance: Callable[[int], None]
    ) -> Iterator[tuple[int, Shard, bool]]:
        """Number, shard, and whether it may be stored: an image that is there and cannot be read
        may be mended unseen where a fingerprint does not look at contents (synthetic faces).

        After the first refusal faces are only read, so that all of them can be told.
        """
        plan = {number: self._batches(self._shard_keys(number)) for number in pending}
        batches = [keys for shard in plan.values() for keys in shard]
        size = self.embedder.preprocessing.size
        reading = read_ahead(FaceBatches(self.source, self.aligner, size, batches), self.workers)
        errors: list[tuple[str, str]] = []
        with closing(reading):
            for number, shard in plan.items():
                parts: list[tuple[NDArray[np.float32], NDArray[np.bool_]]] = []
                unread: set[str] = set()
                for keys in shard:
                    with self.profile.timed("waiting"):
                        faces = next(reading)
                    unread.update(key for key, _ in faces.errors)
                    if self.on_missing == "error":
                        errors.extend(faces.errors)
                    if not errors:
                        parts.append((self._vectors(keys, faces), faces.acquired))
                    advance(len(keys))
                if not errors:
                    yield number, _shard(parts), unread <= self.gone
        self._refuse(errors)

    def _vectors(self, keys: Sequence[str], batch: FaceBatch) -> NDArray[np.float32]:
        """Embeddings of a batch's acquired faces, float32 K×D, all finite."""
        if not len(batch.faces):
            return np.zeros((0, 0), dtype=np.float32)
        with self.profile.timed("network"):
            vectors = self._answer(batch.faces)
        self.profile.embedded += len(batch.faces)
        self.widths.add(vectors.shape[1])
        if len(self.widths) > 1:
            raise UnusableFacesError(
                f"model {self.embedder.id} gives embeddings of {min(self.widths)} numbers for some "
                f"faces and of {max(self.widths)} for others; it must give as many for every face"
            )
        broken = ~np.isfinite(vectors).all(axis=1)
        if broken.any():
            present = [key for key, acquired in zip(keys, batch.acquired, strict=True) if acquired]
            first, count = present[int(np.argmax(broken))], np.count_nonzero(broken)
            raise UnusableFacesError(
                f"model {self.embedder.id} gives NaN or infinity for the face {first} "
                f"({count} of {broken.size} in its batch); check its weights, precision and "
                "preprocessing"
            )
        return vectors

    def _answer(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What the model gives for faces, float32 K×D; code of a user's own may do anything."""
        try:
            answer = np.asarray(self.embedder.embed(faces))
        except UserError as error:  # its own refusal of what it computes
            raise UnusableFacesError(str(error)) from None
        except Exception as error:
            raise failed(self.embedder.id, error, len(faces)) from error
        if answer.ndim != 2 or len(answer) != len(faces) or not answer.size:
            raise UserError(
                f"model {self.embedder.id} gave an array {answer.shape} for {len(faces)} "
                "faces; it must give one row of numbers per face"
            )
        if answer.dtype.kind != "f":
            raise UserError(
                f"model {self.embedder.id} gave {answer.dtype} numbers; it must give floats"
            )
        with np.errstate(over="ignore"):
            return answer.astype(np.float32, copy=False)

    def _identity(self, absent: Sequence[tuple[str, str]]) -> dict[str, str | int]:
        """Everything that the bits of the result depend on."""
        gone = {key for key, _ in absent}
        if self.known is not None and not gone:
            fingerprint, self.gone = self.known, gone
        else:
            fingerprint, self.gone = fingerprint_of(self.source, self.keys, gone, self._refuse)
        return {
            "embedder": self.embedder.signature,
            "weights": self.embedder.weights_hash,
            "device": self.embedder.device,
            "torch": str(torch.__version__),
            "opencv": cv2.__version__,
            "runtime": self.embedder.runtime,
            "aligner": self.aligner.signature,
            "source": self.source.name,
            "fingerprint": fingerprint,
            "keys": _hash_of(self.keys),
            "unreadable": _hash_of(sorted(self.gone)),
            "faces": len(self.keys),
            "batch": self.batch,
            "on_missing": self.on_missing,
        }

    def _refuse(self, errors: Sequence[tuple[str, str]]) -> None:
        if errors and self.on_missing == "error":
            raise faces_refused(self.source, errors, len(self.keys))

    def _shard_keys(self, number: int) -> list[str]:
        return self.keys[number * SHARD : (number + 1) * SHARD]

    def _batches(self, keys: Sequence[str]) -> list[Sequence[str]]:
        return [keys[start : start + self.batch] for start in range(0, len(keys), self.batch)]


def _shard(parts: Sequence[tuple[NDArray[np.float32], NDArray[np.bool_]]]) -> Shard:
    """Join batches, with zero rows for faces that were not acquired."""
    acquired = np.concatenate([part for _, part in parts])
    rows = [vectors for vectors, _ in parts if len(vectors)]
    vectors = np.zeros((len(acquired), rows[0].shape[1] if rows else 0), dtype=np.float32)
    if rows:
        vectors[acquired] = np.concatenate(rows)
    return Shard(vectors, acquired)


def _in_order(shards: Sequence[Shard], stored: Sequence[str], asked: Sequence[str]) -> Embeddings:
    """Join shards and put their rows in the order asked for."""
    dimension = max((shard.vectors.shape[1] for shard in shards), default=0)
    vectors = np.zeros((len(stored), dimension), dtype=np.float32)
    acquired = np.zeros(len(stored), dtype=np.bool_)
    start = 0
    for shard in shards:
        end = start + len(shard.acquired)
        if shard.acquired.any():  # a shard without any face does not know the dimension
            vectors[start:end] = shard.vectors
        acquired[start:end] = shard.acquired
        start = end
    place = {key: row for row, key in enumerate(stored)}
    rows = np.array([place[key] for key in asked], dtype=np.int64)
    return Embeddings(tuple(asked), vectors[rows], acquired[rows])


def _hash_of(lines: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
