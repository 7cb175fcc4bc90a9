"""One frame of a synthetic video: a head that turns and speaks in front of a cheap camera.

Everything that one sees of a person's appearance and surroundings (hair, glasses, clothes, what
covers the face, the background) stays for a video; pose, expression, light and focus move smoothly
through a few random circumstances; noise and compression are each frame's own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facebench.faces.synthetic.camera import develop, encode
from facebench.faces.synthetic.capture import Capture, sample_capture
from facebench.faces.synthetic.identity import sample_identity
from facebench.faces.synthetic.render import compose
from facebench.faces.synthetic.seeding import ROLE_SCENE, generator

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
