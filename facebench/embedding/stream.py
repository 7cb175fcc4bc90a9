"""Faces in, embeddings out, part by part: batched, read ahead, resumable, in bounded memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.base.processes import leave_if_rerun
from facebench.base.version import torch_version
from facebench.embedding.loading import FaceBatch, FaceBatches, read_ahead
from facebench.embedding.missing import (
    UnusableFacesError,
    absent_faces,
    faces_refused,
    fingerprint_of,
)
from facebench.embedding.progress import progress_bar, summarise
from facebench.embedding.store import SHARD, EmbeddingStore, Shard, StoreEntry
from facebench.embedding.types import Embeddings, ExtractionProfile
from facebench.faces.types import Aligner, FaceSource
from facebench.models.embedders.base import UNPINNED, Embedder, failed, require_complete


def answer_of(embedder: Embedder, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the model gives for K faces, uint8 K×h×w×3: float32 K×D.

    UnusableFacesError: the model's own refusal of what it computes. UserError: it fails, or gives
    anything but K rows of floats; code of a user's own may do anything.
    """
    try:
        answer = np.asarray(embedder.embed(faces))
    except UserError as error:  # its own refusal of what it computes
        raise UnusableFacesError(str(error)) from None
    except (Exception, SystemExit) as error:
        raise failed(embedder.id, error, len(faces)) from error
    if answer.ndim != 2 or len(answer) != len(faces) or not answer.size:
        raise UserError(
            f"model {embedder.id} gave an array {answer.shape} for {len(faces)} "
            "faces; it must give one row of numbers per face"
        )
    if answer.dtype.kind != "f":
        raise UserError(f"model {embedder.id} gave {answer.dtype} numbers; it must give floats")
    with np.errstate(over="ignore"):
        return answer.astype(np.float32, copy=False)


OnMissing = Literal["error", "count"]


def stream(
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
) -> Generator[Embeddings, None, None]:
    """Embeddings of distinct keys of a source, sorted by key, in parts of 512.

    Arguments, numbers and errors are those of `facebench.embedding.extract.extract`, and so is what
    the store keeps; but only one part is in memory at a time. Absent images are refused before the
    first part; an image that is there and turns out to be unreadable, or an embedding that is not
    finite, may be refused after other parts were given. A part in which no face was acquired may
    have vectors of width 0. profile receives the timings after the last part, without the time that
    the caller spends between parts.
    """
    job = Extraction(
        embedder,
        source,
        aligner,
        sorted(keys),
        on_missing,
        batch,
        workers,
        known=fingerprint,
    )
    return _parts(job, store if job.storable else None, progress, profile)


def _parts(
    job: Extraction,
    store: EmbeddingStore | None,
    progress: bool,
    profile: ExtractionProfile | None,
) -> Generator[Embeddings, None, None]:
    run, start = job.profile, 0
    with closing(job.run(store, progress)) as shards:
        while True:
            with run.timed("total"):
                shard = next(shards, None)
            if shard is None:
                break
            end = start + len(shard.acquired)
            run.failed += int(np.count_nonzero(~shard.acquired))
            yield Embeddings(tuple(job.keys[start:end]), shard.vectors, shard.acquired)
            start = end
    if progress:
        summarise(job.title, run)
    if profile is not None:
        profile.add(run)


@dataclass
class Extraction:
    """One call of extract: its choices, and where the time goes.

    keys: sorted; known: the fingerprint over all of them, where it was taken already; gone: absent
    images, which the store's key knows of; widths: lengths of the embeddings so far.
    """

    embedder: Embedder
    source: FaceSource
    aligner: Aligner
    keys: list[str]
    on_missing: OnMissing
    batch: int
    workers: int
    profile: ExtractionProfile = field(default_factory=ExtractionProfile)
    known: str | None = None
    gone: set[str] = field(default_factory=set)
    widths: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        if len(set(self.keys)) != len(self.keys):
            raise ValueError("extract needs distinct keys; a face is embedded once")
        if self.batch < 1 or self.workers < 0:
            raise UserError(
                f"batch must be at least 1 and workers at least 0, not {self.batch}, {self.workers}"
            )
        if self.on_missing not in ("error", "count"):
            raise UserError(f"on_missing must be 'error' or 'count', not {self.on_missing!r}")
        if self.workers:
            leave_if_rerun()
        require_complete(self.embedder, "the model")

    @property
    def title(self) -> str:
        """What is said of it while it runs."""
        return f"{self.embedder.id} on {self.source.name}{self.aligner.said}"

    @property
    def storable(self) -> bool:
        """Whether the store may keep what this model gives."""
        return self.embedder.storable and self.embedder.weights_hash != UNPINNED

    @property
    def numbers(self) -> range:
        """The numbers of all shards."""
        return range(-(-len(self.keys) // SHARD))

    def run(self, store: EmbeddingStore | None, progress: bool) -> Generator[Shard, None, None]:
        """All shards in order, from the store or embedded now."""
        if store is None:
            self._refuse(absent_faces(self.source, self.keys))
            yield from self._complete(None, self.numbers, progress)
            return
        with self.kept(self.entry(store)) as entry:
            yield from self._complete(entry, self.numbers, progress)

    def entry(self, store: EmbeddingStore) -> StoreEntry:
        """Where the store keeps these faces. UserError: images that cannot be used."""
        absent = absent_faces(self.source, self.keys)
        self._refuse(absent)
        with self.profile.timed("store"):
            return store.entry(self._identity(absent), self.embedder.id)

    @contextmanager
    def kept(self, entry: StoreEntry, shares: int | None = None) -> Iterator[StoreEntry]:
        """The entry in use, and gone where the faces turn out to be unusable.

        shares: into which the work is divided, as of `StoreEntry.in_use`.
        """
        with entry.in_use(shares):
            try:
                yield entry
            except UnusableFacesError:
                entry.discard()
                raise
            except UserError:
                entry.discard_if_empty()
                raise

    def make(
        self, entry: StoreEntry, numbers: Sequence[int], progress: bool
    ) -> Generator[Shard, None, None]:
        """Some shards in the order of their numbers, those that the entry lacks embedded now."""
        yield from self._complete(entry, numbers, progress)

    def _complete(
        self, entry: StoreEntry | None, numbers: Sequence[int], progress: bool
    ) -> Generator[Shard, None, None]:
        stored = set() if entry is None else self._stored(entry, numbers)
        known = sum(len(self.shard_keys(number)) for number in stored)
        faces = sum(len(self.shard_keys(number)) for number in numbers)
        self.profile.from_store += known
        pending = [number for number in numbers if number not in stored]
        with (
            progress_bar(self.title, known, faces, progress) as advance,
            closing(self._embed(pending, advance)) as embedded,
        ):
            for number in numbers:
                if entry is not None and number in stored:
                    yield self._read(entry, number)
                    continue
                shard, lasting = next(embedded)
                if entry is not None and lasting:
                    with self.profile.timed("store"):
                        entry.write(number, shard)
                yield shard

    def _stored(self, entry: StoreEntry, numbers: Sequence[int]) -> set[int]:
        """Shards that are in the store and intact. They are read again when their turn comes: to
        keep them would be to hold all embeddings in memory.
        """
        intact = set()
        for number in numbers:
            with self.profile.timed("store"):
                shard = entry.read(number, len(self.shard_keys(number)))
            if shard is not None:
                intact.add(number)
                if shard.acquired.any():
                    self.widths.add(shard.vectors.shape[1])
        return intact

    def _read(self, entry: StoreEntry, number: int) -> Shard:
        with self.profile.timed("store"):
            shard = entry.read(number, len(self.shard_keys(number)))
        if shard is None:
            raise UserError(
                f"the embedding store {entry.folder.parent} changed while it was read; run again"
            )
        return shard

    def _embed(
        self, pending: Sequence[int], advance: Callable[[int], None]
    ) -> Generator[tuple[Shard, bool], None, None]:
        """Every pending shard, and whether it may be stored: an image that is there and cannot be
        read may be mended unseen where a fingerprint does not look at contents (synthetic faces).

        After the first refusal faces are only read, so that all of them can be told.
        """
        plan = [self._batches(self.shard_keys(number)) for number in pending]
        batches = [keys for shard in plan for keys in shard]
        if batches:
            self.embedder.ready()
        size = self.embedder.preprocessing.size
        reading = read_ahead(FaceBatches(self.source, self.aligner, size, batches), self.workers)
        errors: list[tuple[str, str]] = []
        with closing(reading):
            for shard in plan:
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
                    yield _shard(parts), unread <= self.gone
        self._refuse(errors)

    def _vectors(self, keys: Sequence[str], batch: FaceBatch) -> NDArray[np.float32]:
        """Embeddings of a batch's acquired faces, float32 K×D, all finite."""
        if not len(batch.faces):
            return np.zeros((0, 0), dtype=np.float32)
        with self.profile.timed("network"):
            vectors = answer_of(self.embedder, batch.faces)
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
            "device": self.embedder.device.partition(":")[0],  # not which of several
            "torch": torch_version(),
            "opencv": cv2.__version__,
            "runtime": self.embedder.runtime,
            "aligner": self.aligner.signature,  # tells degraded crops from others
            "source": f"{self.source.name}{self.aligner.said}",
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

    def shard_keys(self, number: int) -> list[str]:
        """The faces of a shard."""
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


def _hash_of(lines: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
