"""The twin of YouTube Faces: synthetic people in videos, in the official layout and ten splits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facebench.faces.synthetic.capture import Capture, sample_capture
from facebench.faces.synthetic.identity import sample_identity
from facebench.faces.synthetic.render import compose, develop, encode
from facebench.faces.synthetic.seeding import RENDERER_VERSION, ROLE_SCENE, generator
from facebench.faces.twins.lfw import twin_identity, twin_name
from facebench.faces.twins.writing import whole, write, write_twin
from facebench.faces.types import Progress

FOLDS, PAIRS = 10, 20
"""Folds, and mated (and non-mated) pairs of videos in each."""

# The fingerprints over all frames, with AVX-512 and without, as those of the twin of LFW.
YTF_TWIN_CONTENTS = MappingProxyType(
    {"synthetic-ytf-v1-s0": ("f1591c8c6f382be2", "35da26cfb23aee87")}
)

FIRST_PERSON = 100_001  # nobody of the LFW twin, whose people are the first few thousand
_VIDEOS = (3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1)  # of each person of a fold
_FRAMES = (16, 20)  # in a video: least and most
_ROLE_SPLITS = 108
_IMAGES = "aligned_images_DB"


@dataclass(frozen=True, slots=True)
class TwinVideo:
    """A video of one person: its number from 0, that of its first frame, and how many it has."""

    person: str
    number: int
    first: int
    frames: int

    @property
    def name(self) -> str:
        """``Person/0``, as the splits name it."""
        return f"{self.person}/{self.number}"

    def files(self) -> list[str]:
        """The files of the frames below `aligned_images_DB`, in the order of time."""
        numbers = range(self.first, self.first + self.frames)
        return [f"{self.name}/aligned_detect_{self.number}.{frame}.jpg" for frame in numbers]


@dataclass(frozen=True, slots=True)
class YtfTwin:
    """The videos there are, and the text of ``splits.txt``."""

    videos: tuple[TwinVideo, ...]
    splits: str


def ytf_twin_fingerprint(seed: int = 0) -> str:
    """The line that names this data set in records."""
    return f"synthetic-ytf-v{RENDERER_VERSION}-s{seed}"


def ytf_twin_structure(seed: int = 0) -> YtfTwin:
    """Ten folds of people of their own, 20 + 20 different pairs of videos each."""
    videos: list[TwinVideo] = []
    lines = ["split number, pair number, first name, second name, is same"]
    person = FIRST_PERSON
    for fold in range(1, FOLDS + 1):
        rng = generator(seed, _ROLE_SPLITS, fold)
        own: list[TwinVideo] = []
        for count in _VIDEOS:
            firsts = rng.integers(1, 2000, count).tolist()
            frames = rng.integers(_FRAMES[0], _FRAMES[1] + 1, count).tolist()
            numbers = range(count)
            own += [TwinVideo(twin_name(person), n, firsts[n], frames[n]) for n in numbers]
            person += 1
        mated = [(a.name, b.name) for a, b in combinations(own, 2) if a.person == b.person]
        rows = [(*pair, 1) for pair in mated] + [(*pair, 0) for pair in _others(rng, own)]
        lines += [f"{fold}, {n}, {a}, {b}, {same}" for n, (a, b, same) in enumerate(rows, 1)]
        videos += own
    return YtfTwin(tuple(videos), "\n".join(lines) + "\n")


def _others(rng: np.random.Generator, videos: list[TwinVideo]) -> list[tuple[str, str]]:
    """20 different pairs of different people's videos, every video in at least one of them."""
    single = [k for k, video in enumerate(videos) if video.number == 0]
    while True:
        order = rng.permutation(len(videos)).tolist()
        order += rng.permutation(single).tolist()[: 2 * PAIRS - len(order)]
        pairs = {(min(a, b), max(a, b)) for a, b in zip(order[:PAIRS], order[PAIRS:], strict=True)}
        strangers = all(videos[a].person != videos[b].person for a, b in pairs)
        if len(pairs) == PAIRS and strangers:
            return [(videos[a].name, videos[b].name) for a, b in sorted(pairs)]


def write_ytf_twin(
    folder: Path, seed: int = 0, workers: int | None = None, progress: Progress | None = None
) -> None:
    """Write the twin: aligned_images_DB/Person/0/aligned_detect_0.1.jpg, splits.txt, COMPLETE.json.

    Frames are 128 × 112, aligned; the 112 × 96 template is their centre. An interrupted call is
    taken up where it stopped. Raises ValueError if the folder holds another twin, and whatever
    OSError the disk gives; progress is called with frames done and frames in all.
    """
    twin = ytf_twin_structure(seed)
    total = sum(video.frames for video in twin.videos)
    stamp = {
        "fingerprint": ytf_twin_fingerprint(seed),
        "version": RENDERER_VERSION,
        "seed": seed,
        "images": total,
        "videos": len(twin.videos),
        "people": len({video.person for video in twin.videos}),
        "pairs": 2 * PAIRS * FOLDS,
        "alignment": "aligned; centre crop with 8 px margin",
    }
    tasks = ((str(folder / _IMAGES), seed, video) for video in twin.videos)
    lists = {"splits.txt": twin.splits}
    write_twin(folder, stamp, _write_video, tasks, lists, workers, progress)


def _write_video(task: tuple[str, int, TwinVideo]) -> int:
    """Write one video's missing frames; how many frames it has."""
    root, seed, video = task
    (Path(root) / video.name).mkdir(parents=True, exist_ok=True)
    identity = twin_identity(video.person)
    for frame, file in enumerate(video.files()):
        path = Path(root) / file
        if not whole(path):
            write(path, frame_jpeg(seed, identity, video.number, frame, video.frames))
    return video.frames


_ROLE_PATH, _ROLE_GRAIN = 106, 107
_STOPS = 4  # circumstances that a video passes through
_VIDEOS_EACH = 1000  # a person's videos are numbered below; image numbers are apart from stills'
_DRIFT = 0.45  # how far light and exposure go towards another circumstance's


def frame_jpeg(seed: int, identity: int, video: int, frame: int, frames: int) -> bytes:
    """The JPEG bytes of a frame, from 0 to frames - 1, of a video, from 0 to 999.

    The same for the same (version, seed, identity, video, frame, frames).
    """
    how = frame_capture(seed, identity, video, frame, frames)
    # The same numbers for all frames: the strands of the hair and the room do not change.
    scene = generator(seed, ROLE_SCENE, identity, _first_image(video))
    picture = compose(sample_identity(seed, identity), how, scene)
    grain = generator(seed, _ROLE_GRAIN, identity, video, frame)
    return encode(develop(picture, how, grain), how.jpeg)


def frame_capture(seed: int, identity: int, video: int, frame: int, frames: int) -> Capture:
    """The circumstances of one frame: a point of the video's smooth path, and a poor camera's."""
    first = _first_image(video)
    stops = [sample_capture(seed, identity, first + stop) for stop in range(_STOPS)]
    weights = _weights(frame / max(1, frames - 1))
    rng = generator(seed, _ROLE_PATH, identity, video)
    turn, nod = rng.normal(0, 0.27), rng.normal(0, 0.11)
    poorness, resolution = rng.uniform(0.3, 1.0), rng.uniform(0.2, 0.46)
    own = generator(seed, _ROLE_PATH, identity, video, 1 + frame)
    light = _drifting([stop.light for stop in stops], weights)
    return replace(
        stops[0],
        yaw=float(np.clip(1.15 * _along([s.yaw for s in stops], weights) + turn, -0.62, 0.62)),
        pitch=float(np.clip(1.15 * _along([s.pitch for s in stops], weights) + nod, -0.36, 0.36)),
        shift=_along([s.shift for s in stops], weights),
        scale=float(_along([s.scale for s in stops], weights)),
        roll=float(_along([s.roll for s in stops], weights)),
        smile=float(_along([s.smile for s in stops], weights)),
        mouth_open=float(_along([s.mouth_open for s in stops], weights)),
        brow_raise=float(_along([s.brow_raise for s in stops], weights)),
        eye_opening=float(_along([s.eye_opening for s in stops], weights)),
        gaze=_along([s.gaze for s in stops], weights),
        light=light / np.linalg.norm(light),
        ambient=float(_drifting([s.ambient for s in stops], weights)),
        exposure=float(_drifting([s.exposure for s in stops], weights)),
        blur=0.25 + 0.9 * poorness * own.uniform(0.6, 1.0),
        motion=0.0,
        noise=3.0 + 8.0 * poorness * own.uniform(0.7, 1.0),
        resolution=resolution,
        jpeg=int(38 - 26 * poorness + own.integers(-4, 5)),
    )


def _first_image(video: int) -> int:
    """Number of the image that a video's first circumstance is: far from those of stills."""
    if not 0 <= video < _VIDEOS_EACH:
        raise ValueError(f"video {video}: a person has videos from 0 to {_VIDEOS_EACH - 1}")
    return 100_000 + _STOPS * video


def _weights(at: float) -> NDArray[np.float64]:
    """Shares of the stops at a time from 0 to 1: cosine ramps from each stop to the next."""
    place = at * (_STOPS - 1)
    low = min(int(place), _STOPS - 2)
    share = (1 - math.cos(math.pi * (place - low))) / 2
    weights = np.zeros(_STOPS)
    weights[low], weights[low + 1] = 1 - share, share
    return weights


def _along(values: Sequence[ArrayLike], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weighted mean of the stops' numbers or vectors."""
    return np.asarray(weights @ np.asarray(values, dtype=np.float64))


def _drifting(values: Sequence[ArrayLike], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The first stop's value, moved a part of the way to the others'."""
    start = np.asarray(values[0], dtype=np.float64)
    return start + _DRIFT * (_along(values, weights) - start)
