"""The kind *video*: pairs of videos in folds, whose frames are pooled."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError, nearest
from facebench.base.storage import cache_folder
from facebench.embedding.types import Embeddings
from facebench.faces.lfw.lists import some
from facebench.faces.lfw.remarks import pair_remarks
from facebench.faces.locate import Progress
from facebench.faces.types import Aligner, DataKind
from facebench.faces.ytf.align import ytf_aligner
from facebench.faces.ytf.frames import YtfSource
from facebench.faces.ytf.lists import VideoPairs, person_of
from facebench.faces.ytf.locate import LocatedVideos, installed_ytf, locate_ytf
from facebench.protocols.cards import VideoCard
from facebench.protocols.outcome import Comparisons, FoldOutcome
from facebench.protocols.prepared import Choices, Embed, PreparedRun
from facebench.protocols.verification import FaceFiles, verification
from facebench.similarity.base import Similarity, projected_pairs
from facebench.similarity.pooling import (
    ALL_FRAMES_POOLINGS,
    MeanPooler,
    check_pooling,
    frame_scores,
)


@dataclass(frozen=True)
class PreparedVideo(PreparedRun):
    """A protocol on videos with its frames.

    comparisons: of videos, whose keys are ``Person/0`` and whose subjects are the people; frames:
    by video, keys of the source in the order of time, none where a video is absent and counted.
    """

    card: VideoCard
    comparisons: Comparisons
    source: YtfSource
    aligner: Aligner | None
    name: str
    kind: DataKind
    told: str | None
    frames: Mapping[str, tuple[str, ...]]
    list_remarks: tuple[str, ...] = ()

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """Every frame of every video of the comparisons, sorted."""
        return tuple(sorted(key for frames in self.frames.values() for key in frames))

    @property
    def published_list(self) -> bool | None:
        """Whether the pairs are the published ones; None for rendered faces, or an own card."""
        if self.kind == "synthetic" or self.card.pairs is None:
            return None
        return self.comparisons.fingerprint == self.card.pairs

    @cached_property
    def contents(self) -> str | None:
        """Fingerprint over the contents of the frames, as the embedding store wants it."""
        return self.source.fingerprint(self.keys)

    @cached_property
    def label(self) -> str:
        """What records call the frames."""
        return self.source.label(self.keys, self.contents)

    def pooling(self, choices: Choices) -> str:
        """``mean-score, all frames``; UserError for names that are not known or have no use."""
        pooling, frames = self._chosen(choices)
        check_pooling(pooling)
        check_frames(frames)
        if pooling.endswith("+detector"):
            raise UserError(
                f"protocol {self.card.name}: pooling {pooling!r} needs detector scores, and these "
                f"videos have none; choose {pooling.partition('+')[0]!r} or its '+norm'"
            )
        return f"{pooling}, {frames} frames"

    def run(self, embed: Embed, similarity: Similarity, choices: Choices) -> FoldOutcome:
        """Pool the frames of every video as they come, score the pairs, and take the statistics.

        A frame that was not acquired is left out of its video's mean; a video without any stays
        in the protocol as a failure to acquire, score -inf.
        """
        self.pooling(choices)
        pooling, rule = self._chosen(choices)
        group_of = {
            key: group
            for group, video in enumerate(self.comparisons.keys)
            for key in choose_frames(rule, self.frames[video], video)
        }
        if pooling in ALL_FRAMES_POOLINGS:
            scores = self._by_all_frames(embed, similarity, pooling, group_of)
        else:
            scores = self._by_means(embed, similarity, pooling, group_of)
        statistics = verification(
            self.card,
            self.comparisons,
            scores,
            np.isfinite(scores),
            rule=choices.rule,
            draws=choices.draws,
        )
        return FoldOutcome(self.comparisons, scores, statistics)

    def _chosen(self, choices: Choices) -> tuple[str, str]:
        return choices.pooling or self.card.pooling, choices.frames or self.card.frames

    def _by_means(
        self, embed: Embed, similarity: Similarity, pooling: str, group_of: Mapping[str, int]
    ) -> NDArray[np.float64]:
        videos, left, right = (
            len(self.comparisons.keys),
            self.comparisons.left,
            self.comparisons.right,
        )
        # To media-mean a video is one medium.
        media = np.arange(videos) if pooling.startswith("media-mean") else None
        pooler = MeanPooler(pooling, similarity, videos, media)
        for part in embed.stream(sorted(group_of)):
            there = np.flatnonzero(part.acquired)
            if len(there):
                groups = np.array([group_of[part.keys[row]] for row in there], dtype=np.int64)
                own = None if media is None else groups
                pooler.add(groups, part.vectors[there], own)
        pooled = pooler.finish(np.float64)
        scores = projected_pairs(pooled.projection, left, right, similarity.low, similarity.high)
        scores[~(pooled.acquired[left] & pooled.acquired[right])] = -np.inf
        return scores

    def _by_all_frames(
        self, embed: Embed, similarity: Similarity, pooling: str, group_of: Mapping[str, int]
    ) -> NDArray[np.float64]:
        with closing(FrameFile(group_of, len(self.comparisons.keys))) as frames:
            for part in embed.stream(sorted(group_of)):
                frames.add(part)
            left, right = self.comparisons.left, self.comparisons.right
            return frame_scores(pooling, similarity, frames.read, left, right)


def prepare(
    card: VideoCard, files: FaceFiles, *, images: bool, progress: Progress | None = None
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
    if not images and files.data is None and installed_ytf() is None:
        raise UserError(
            f"protocol {card.name}: embeddings need the folder of the videos, which tells the "
            "frames of each: name it with --data"
        )
    located = locate_ytf(files.data, pairs=files.pairs, progress=progress)
    frames = {video: tuple(located.source.frames(video)) for video in located.pairs.videos()}
    if files.on_missing == "error":
        _require_videos(located, frames)
    keys = sorted(key for video in frames.values() for key in video)
    aligner = None
    if images:
        aligner = ytf_aligner(
            files.align,
            located,
            keys,
            landmarks=files.landmarks,
            landmarks_order=files.landmarks_order,
            yunet=files.detector,
            on_missing=files.on_missing,
        )
    source = located.source
    return PreparedVideo(
        card,
        comparisons_of_videos(located.pairs),
        source,
        aligner,
        source.name,
        source.kind,
        located.notice,
        frames,
        pair_remarks(located.pairs),
    )


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


_RULE = re.compile(r"(every|first|random)-([1-9]\d{0,5})")
_EXAMPLES = ("all", "every-5", "first-50", "random-20")


def check_frames(rule: str) -> None:
    """UserError where a rule is none of ``all``, ``every-K``, ``first-K``, ``random-K``, K ≥ 1."""
    if rule == "all" or _RULE.fullmatch(rule):
        return
    kinds = ("all", "every-K", "first-K", "random-K")
    raise UserError(
        f"unknown rule for frames {rule!r}{nearest(rule, _EXAMPLES)} (one of {', '.join(kinds)}, "
        "K a number from 1 up)"
    )


def choose_frames(rule: str, frames: Sequence[str], video: str) -> list[str]:
    """The frames that a rule takes of a video's, given in the order of time, and left in it.

    ``every-K``: the first of each K; ``first-K``: the K earliest; ``random-K``: K without
    repetition, drawn for this video's name alone, so the same in every list and run. A video of
    fewer frames gives all it has. UserError: an unknown rule.
    """
    check_frames(rule)
    match = _RULE.fullmatch(rule)
    if match is None:
        return list(frames)
    kind, count = match[1], int(match[2])
    if kind == "every":
        return list(frames[::count])
    if kind == "first" or count >= len(frames):
        return list(frames[:count])
    seed = int.from_bytes(hashlib.sha256(video.encode()).digest()[:8], "little")
    drawn = np.random.default_rng(seed).choice(len(frames), size=count, replace=False)
    return [frames[place] for place in np.sort(drawn).tolist()]


class FrameFile:
    """A file of float32 rows without a name, so that it goes with this process, however it ends.

    A video's frames must be added one after the other, as they come in sorted order of keys.
    """

    def __init__(self, group_of: Mapping[str, int], groups: int) -> None:
        self._group_of = group_of
        self._first = np.zeros(groups, dtype=np.int64)
        self._count = np.zeros(groups, dtype=np.int64)
        self._rows = self._width = 0
        self._map: NDArray[np.float32] | None = None
        folder = cache_folder()
        with _disk():
            folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(prefix="frames-", dir=folder)  # noqa: SIM115

    def add(self, part: Embeddings) -> None:
        """Append the acquired frames of a part."""
        for key in (k for k, there in zip(part.keys, part.acquired, strict=True) if there):
            group = self._group_of[key]
            if not self._count[group]:
                self._first[group] = self._rows
            self._count[group] += 1
            self._rows += 1
        vectors = part.vectors[part.acquired]
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
