"""The IJB-A twin: synthetic people in IJB-A's folders, stills and frames mixed, hard poses."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from facebench.faces.synthetic.camera import develop, encode
from facebench.faces.synthetic.capture import Capture, sample_capture
from facebench.faces.synthetic.identity import sample_identity
from facebench.faces.synthetic.pool import Progress
from facebench.faces.synthetic.render import compose
from facebench.faces.synthetic.seeding import RENDERER_VERSION, ROLE_SCENE, generator
from facebench.faces.synthetic.template_splits import (
    FRAMES,
    SPLITS,
    STILLS,
    SUBJECTS,
    VIDEOS,
    Shot,
    all_shots,
    list_files,
    shot_file,
)
from facebench.faces.synthetic.writing import whole, write, write_twin

TEMPLATE_TWIN = "synthetic-ijba"
# Over all images, as `facebench.faces.ijb_faces.folder_contents` takes it.
TEMPLATE_CONTENTS = MappingProxyType({"synthetic-ijba-v1-s0": "7ff0688f72bc8a10"})
FIRST_IDENTITY = 1_500_000  # of people in no other set
_ROLE_TEMPLATES = 105


def template_twin_fingerprint(seed: int = 0) -> str:
    """The line that names this data set in records."""
    return f"{TEMPLATE_TWIN}-v{RENDERER_VERSION}-s{seed}"


def write_template_twin(
    folder: Path,
    seed: int = 0,
    workers: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Write the twin in IJB-A's layout: ``images``, the lists, COMPLETE.json last.

    Images are 128 × 112, aligned; the box of every face is the whole image. An interrupted call is
    taken up where it stopped. Raises ValueError if the folder holds another twin, and whatever
    OSError the disk gives; progress is called with images done and images in all.
    """
    shots = all_shots()
    stamp = {
        "fingerprint": template_twin_fingerprint(seed),
        "version": RENDERER_VERSION,
        "seed": seed,
        "images": len(shots),
        "people": SUBJECTS,
        "splits": SPLITS,
        "alignment": "aligned; centre crop with 8 px margin",
    }
    size = STILLS + VIDEOS * FRAMES
    tasks = [(str(folder), seed, shots[i : i + size]) for i in range(0, len(shots), size)]
    write_twin(folder, stamp, _write_shots, tasks, list_files(seed), workers, progress)


def shot_jpeg(seed: int, shot: Shot) -> bytes:
    """The JPEG bytes of a still or a frame, the same for the same (version, seed, shot)."""
    identity = FIRST_IDENTITY + shot.subject - 1
    how = _frame_capture(seed, identity, shot) if shot.video else _still_capture(seed, shot)
    # One number for all frames of a video: the scene behind the face stays.
    rng = generator(seed, ROLE_SCENE, identity, shot.medium)
    picture = compose(sample_identity(seed, identity), how, rng)
    return encode(develop(picture, how, rng), how.jpeg)


def _still_capture(seed: int, shot: Shot) -> Capture:
    """A photograph whose face is turned further than in the LFW twin."""
    identity = FIRST_IDENTITY + shot.subject - 1
    how = sample_capture(seed, identity, shot.medium)
    rng = generator(seed, _ROLE_TEMPLATES, identity, shot.medium)
    return replace(
        how,
        yaw=float(np.clip(rng.normal(0, 0.42), -0.62, 0.62)),
        pitch=float(np.clip(rng.normal(0.02, 0.2), -0.36, 0.36)),
    )


def _frame_capture(seed: int, identity: int, shot: Shot) -> Capture:
    """One frame: a head that turns smoothly, a mouth that speaks, blur, and hard compression."""
    how = sample_capture(seed, identity, shot.medium)
    rng = generator(seed, _ROLE_TEMPLATES, identity, shot.medium)
    yaw, swing, phase = rng.normal(0, 0.36), rng.uniform(0.1, 0.35), rng.uniform(0, 2 * math.pi)
    pitch, nod = rng.normal(0.05, 0.15), rng.uniform(0, 0.12)
    small, compression = rng.uniform(0.3, 0.6), int(rng.integers(22, 60))
    turn = phase + 2 * math.pi * shot.frame / (2 * FRAMES)
    return replace(
        how,
        yaw=float(np.clip(yaw + swing * math.sin(turn), -0.62, 0.62)),
        pitch=float(np.clip(pitch + nod * math.cos(1.7 * turn), -0.36, 0.36)),
        mouth_open=float(np.clip(0.5 * math.sin(3.1 * turn), 0.0, 1.0)),
        blur=how.blur + 0.3,
        resolution=min(how.resolution, small),
        jpeg=compression,
    )


def _write_shots(task: tuple[str, int, tuple[Shot, ...]]) -> int:
    """Write one person's missing images; how many images the person has."""
    root, seed, shots = task
    for shot in shots:
        path = Path(root) / "images" / shot_file(shot)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not whole(path):
            write(path, shot_jpeg(seed, shot))
    return len(shots)
