"""The kind *video*: pairs of videos in folds, whose frames are pooled."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.base.storage import cache_folder
from facebench.embedding.types import Embeddings
from facebench.faces.lfw.lists import some
from facebench.faces.lfw.remarks import pair_remarks
from facebench.faces.types import Progress
from facebench.faces.ytf.align import ytf_aligner
from facebench.faces.ytf.lists import VideoPairs, person_of, video_of
from facebench.faces.ytf.locate import LocatedVideos, installed_ytf, locate_ytf
from facebench.protocols.cards import VideoCard
from facebench.protocols.frames import check_frames, choose_frames
from facebench.protocols.kinds.verification import verification
from facebench.protocols.outcome import Comparisons, FoldOutcome
from facebench.protocols.prepared import PreparedProtocol, ProtocolFaces
from facebench.protocols.settings import DEFAULTS, Settings
from facebench.similarity.base import Similarity, projected_pairs
from facebench.similarity.pooling import (
    ALL_FRAMES_POOLINGS,
    MeanPooler,
    check_pooling,
    frame_scores,
)

VideoRows = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Of F frames: the positions of their videos, int64 F, and their embeddings, float32 F×D."""


@dataclass(frozen=True, eq=False)
class PreparedVideo(PreparedProtocol):
    """Pairs of videos in folds.

    comparisons: of videos, whose keys are ``Person/0`` and whose subjects are the people; frames:
    by video, keys of the source in the order of time, none where a video is absent and counted.
    """

    card: VideoCard
    comparisons: Comparisons
    frames: Mapping[str, tuple[str, ...]]

    @property
    def published_list(self) -> bool | None:
        """Whether the pairs are the published ones; None for rendered faces, or an own card."""
        if self.faces.kind == "synthetic" or self.card.pairs is None:
            return None
        return self.comparisons.fingerprint == self.card.pairs

    def pooling(self, settings: Settings) -> str:
        """``mean-score, all frames``; UserError for names that are not known or have no use."""
        pooling, frames = self._chosen(settings)
        check_pooling(pooling)
        check_frames(frames)
        if pooling.endswith("+detector"):
            raise UserError(
                f"protocol {self.card.name}: pooling {pooling!r} needs detector scores, and these "
                f"videos have none; choose {pooling.partition('+')[0]!r} or its '+norm'"
            )
        return f"{pooling}, {frames} frames"

    def keys(self, settings: Settings) -> list[str]:
        """The chosen frames of every video."""
        rule = settings.frames or self.card.frames
        videos = self.comparisons.keys
        return sorted(k for v in videos for k in choose_frames(rule, self.frames[v], v))

    def run(
        self, embeddings: Iterable[Embeddings], similarity: Similarity, settings: Settings
    ) -> FoldOutcome:
        """Pool the frames of every video as they come, score the pairs, and take the statistics.

        A frame that was not acquired is left out of its video's mean; a video without any stays
        in the protocol as a failure to acquire, score -inf.
        """
        self.pooling(settings)
        pooling, _ = self._chosen(settings)
        later = self.rows_before_probes(settings)
        right = self.comparisons.right + (self._videos // 2 if later else 0)
        acquired = self._acquired_of(embeddings, later)
        scored = self._by_all_frames if pooling in ALL_FRAMES_POOLINGS else self._by_means
        scores = scored(acquired, similarity, pooling, right)
        statistics = verification(
            self.card,
            self.comparisons,
            scores,
            np.isfinite(scores),
            rule=settings.rule,
            draws=settings.draws,
        )
        return FoldOutcome(self.comparisons, scores, statistics, self.card.spread)

    def _chosen(self, settings: Settings) -> tuple[str, str]:
        return settings.pooling or self.card.pooling, settings.frames or self.card.frames

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {video: position for position, video in enumerate(self.comparisons.keys)}

    def _acquired_of(self, embeddings: Iterable[Embeddings], later: int) -> Iterator[VideoRows]:
        """The acquired frames of every part: the positions of their videos, and their embeddings.

        later: frames before those of the same videos as probes, whose positions come after all
        others; 0: there are none.
        """
        seen = 0
        for part in embeddings:
            there = np.flatnonzero(part.acquired)
            first = len(self.comparisons.keys) if later and seen >= later else 0
            videos = (self._positions[video_of(part.keys[row])] + first for row in there)
            yield np.fromiter(videos, np.int64, len(there)), part.vectors[there]
            seen += len(part.keys)

    def _by_means(
        self,
        frames: Iterable[VideoRows],
        similarity: Similarity,
        pooling: str,
        right: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        left, videos = self.comparisons.left, self._videos
        # To media-mean a video is one medium.
        media = np.arange(videos) if pooling.startswith("media-mean") else None
        pooler = MeanPooler(pooling, similarity, videos, media)
        for groups, vectors in frames:
            if len(groups):
                pooler.add(groups, vectors, None if media is None else groups)
        pooled = pooler.finish(np.float64)
        scores = projected_pairs(pooled.projection, left, right, similarity.low, similarity.high)
        scores[~(pooled.acquired[left] & pooled.acquired[right])] = -np.inf
        return scores

    def _by_all_frames(
        self,
        frames: Iterable[VideoRows],
        similarity: Similarity,
        pooling: str,
        right: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        with closing(FrameFile(self._videos)) as kept:
            for groups, vectors in frames:
                kept.add(groups, vectors)
            return frame_scores(pooling, similarity, kept.read, self.comparisons.left, right)

    @property
    def _videos(self) -> int:
        """How many are pooled: each twice where it is another as a probe."""
        degradation = self.card.degradation
        return len(self.comparisons.keys) * (2 if degradation and degradation.probe_only else 1)


def prepare(
    card: VideoCard,
    data: str | Path | None,
    settings: Settings = DEFAULTS,
    *,
    images: bool,
    progress: Progress | None = None,
) -> PreparedVideo:
    """Find a protocol's videos and pairs. images: False where embeddings are given instead of them;
    the folder is needed all the same, since it tells which frames a video has.

    progress: told of every synthetic frame that is rendered. UserError: what is missing or wrong,
    with on_missing="error" also videos that are absent or have no frame.
    """
    if card.dataset != "ytf":
        raise UserError(
            f"protocol {card.name}: no videos are known for {card.dataset!r} (only ytf)"
        )
    check_pooling(card.pooling)
    check_frames(card.frames)
    if not images and data is None and installed_ytf() is None:
        raise UserError(
            f"protocol {card.name}: embeddings need the folder of the videos, which tells the "
            "frames of each: name it with --data"
        )
    located = locate_ytf(data, pairs=settings.pairs, progress=progress)
    frames = {video: tuple(located.source.frames(video)) for video in located.pairs.videos()}
    if settings.on_missing == "error":
        _require_videos(located, frames)
    keys = sorted(key for video in frames.values() for key in video)
    aligner = None
    if images:
        aligner = ytf_aligner(
            settings.align,
            located,
            keys,
            landmarks=settings.landmarks,
            landmarks_order=settings.landmarks_order,
            yunet=settings.detector,
            faces=settings.faces,
            on_missing=settings.on_missing,
        )
    source = located.source
    faces = ProtocolFaces(
        tuple(keys),
        source.name,
        source.kind,
        source,
        aligner,
        located.notice,
        pair_remarks(located.pairs),
    )
    return PreparedVideo(card, faces, comparisons_of_videos(located.pairs), frames)


def comparisons_of_videos(pairs: VideoPairs) -> Comparisons:
    """The comparisons of a list of pairs of videos; every person is known by name."""
    keys = tuple(pairs.videos())
    position = {video: index for index, video in enumerate(keys)}
    number = {person: index for index, person in enumerate(pairs.people())}
    return Comparisons(
        keys=keys,
        left=np.array([position[pair.left] for pair in pairs.pairs], dtype=np.int64),
        right=np.array([position[pair.right] for pair in pairs.pairs], dtype=np.int64),
        mated=np.array([pair.mated for pair in pairs.pairs], dtype=np.bool_),
        folds=np.array([pair.fold for pair in pairs.pairs], dtype=np.int64),
        subjects=np.array([number[person_of(video)] for video in keys], dtype=np.int64),
    )


def _require_videos(located: LocatedVideos, frames: Mapping[str, tuple[str, ...]]) -> None:
    if empty := sorted(video for video, keys in frames.items() if not keys):
        raise UserError(
            f"{some(empty)} of {len(frames)} videos that the list names are absent from "
            f"{located.source.root} or have no frame; complete the folder, or count them as "
            "failures to acquire with --on-missing count"
        )


class FrameFile:
    """A file of float32 rows without a name, so that it goes with this process, however it ends.

    A video's frames must be added one after the other, as they come in sorted order of keys.
    """

    def __init__(self, groups: int) -> None:
        self._first = np.zeros(groups, dtype=np.int64)
        self._count = np.zeros(groups, dtype=np.int64)
        self._rows = self._width = 0
        self._map: NDArray[np.float32] | None = None
        folder = cache_folder()
        with _disk():
            folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(prefix="frames-", dir=folder)  # noqa: SIM115

    def add(self, groups: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Append frames: the video of each, int64 F, and their embeddings, float32 F×D."""
        for group in groups.tolist():
            if not self._count[group]:
                self._first[group] = self._rows
            self._count[group] += 1
            self._rows += 1
        if len(vectors):
            self._width = vectors.shape[1]
            with _disk():
                self._file.write(np.ascontiguousarray(vectors, dtype=np.float32).tobytes())

    @property
    def faces(self) -> NDArray[np.int64]:
        """How many frames of each video are there: int64 G."""
        return self._count

    def read(self, group: int) -> NDArray[np.float32]:
        """One video's acquired frames, float32 F×D."""
        first, count = int(self._first[group]), int(self._count[group])
        if self._map is None and self._rows:
            with _disk():
                self._file.flush()
            self._map = np.memmap(
                self._file, dtype=np.float32, mode="r", shape=(self._rows, self._width)
            )
        if self._map is None:
            return np.zeros((0, 0), dtype=np.float32)
        return np.array(self._map[first : first + count])

    def close(self) -> None:
        """Give the disk's room back."""
        self._map = None
        self._file.close()


@contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"the embeddings of all frames cannot be kept in {cache_folder()}: "
            f"{error.strerror or error}; make room there, set FACEBENCH_CACHE to another folder, "
            "or choose --pooling mean-score, which keeps none"
        ) from error
