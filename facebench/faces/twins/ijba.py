"""The IJB-A twin: synthetic people in IJB-A's folders, stills and frames mixed, hard poses."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from facebench.faces.synthetic.capture import Capture, sample_capture
from facebench.faces.synthetic.identity import sample_identity
from facebench.faces.synthetic.render import compose, develop, encode
from facebench.faces.synthetic.seeding import RENDERER_VERSION, ROLE_SCENE, generator
from facebench.faces.twins.writing import whole, write, write_twin
from facebench.faces.types import Progress

TEMPLATE_TWIN = "synthetic-ijba"
# Over all images, as `facebench.faces.ijb.images.folder_contents` takes it.
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


SPLITS, SUBJECTS = 3, 120
STILLS, VIDEOS, FRAMES = 6, 2, 5  # of every person: 6 stills, 2 videos of 5 frames
TESTED, ENROLLED = 80, 55  # people of a split's test half, and those in its gallery
NON_MATED = 3_000  # comparisons of a split; the FAR 0.001 is three of them
_HEADER = (
    "TEMPLATE_ID,SUBJECT_ID,FILE,MEDIA_ID,SIGHTING_ID,FRAME,FACE_X,FACE_Y,FACE_WIDTH,FACE_HEIGHT,"
    "RIGHT_EYE_X,RIGHT_EYE_Y,LEFT_EYE_X,LEFT_EYE_Y,NOSE_BASE_X,NOSE_BASE_Y"
)
_ROLE_SPLITS = 106


@dataclass(frozen=True, slots=True)
class Shot:
    """One image. subject, from 1; medium, from 0 within the subject; frame of a video, else 0."""

    subject: int
    medium: int
    frame: int
    video: bool


@dataclass(frozen=True, slots=True)
class TwinTemplate:
    """A template: its number in the split, whose it is, and which of the person's media."""

    number: int
    subject: int
    media: tuple[int, ...]


def all_shots() -> tuple[Shot, ...]:
    """All images, person by person."""
    return tuple(shot for subject in range(1, SUBJECTS + 1) for shot in _shots(subject))


def shot_file(shot: Shot) -> str:
    """The image's path below the folder of images; the names tell that these are rendered."""
    if shot.video:
        return f"frame/synth_{shot.subject:03d}_{shot.medium}_{shot.frame + 1:02d}.jpg"
    return f"img/synth_{shot.subject:03d}_{shot.medium}.jpg"


def list_files(seed: int = 0) -> dict[str, str]:
    """All lists of the 1:1 and 1:N protocols: {path below the folder: text}."""
    files: dict[str, str] = {}
    order = [int(n) + 1 for n in generator(seed, _ROLE_SPLITS).permutation(SUBJECTS)]
    for split in range(1, SPLITS + 1):
        rng = generator(seed, _ROLE_SPLITS, split)
        # Every person is tested in two splits and trained on in one, so that all images are used.
        start = (split - 1) * (SUBJECTS - TESTED)
        training = order[start : start + SUBJECTS - TESTED]
        tested = [int(n) for n in rng.permutation([n for n in order if n not in training])]
        train = _train(training)
        templates = _verification_templates(rng, tested)
        folder = f"IJB-A_11_sets/split{split}"
        files[f"{folder}/train_{split}.csv"] = _metadata(train)
        files[f"{folder}/verify_metadata_{split}.csv"] = _metadata(templates)
        files[f"{folder}/verify_comparisons_{split}.csv"] = _comparisons(rng, templates)
        gallery, probes = _search_templates(rng, tested)
        folder = f"IJB-A_1N_sets/split{split}"
        files[f"{folder}/train_{split}.csv"] = _metadata(train)
        files[f"{folder}/search_gallery_{split}.csv"] = _metadata(gallery)
        files[f"{folder}/search_probe_{split}.csv"] = _metadata(probes)
    return files


def _shots(subject: int) -> tuple[Shot, ...]:
    stills = [Shot(subject, medium, 0, False) for medium in range(STILLS)]
    frames = [
        Shot(subject, STILLS + video, frame, True)
        for video in range(VIDEOS)
        for frame in range(FRAMES)
    ]
    return tuple(stills + frames)


def _train(subjects: Sequence[int]) -> list[TwinTemplate]:
    every = tuple(range(STILLS + VIDEOS))
    return [TwinTemplate(number, who, every) for number, who in enumerate(subjects, 1)]


def _verification_templates(
    rng: np.random.Generator, subjects: Sequence[int]
) -> list[TwinTemplate]:
    """Four a person, which share no medium and leave none out: 1 to 12 images each."""
    found: list[TwinTemplate] = []
    for subject in subjects:
        media = [int(n) for n in rng.permutation(STILLS)]
        videos = [STILLS + int(n) for n in rng.permutation(VIDEOS)]
        cut = 2 + int(rng.integers(3))
        parts = [media[:1], media[1:cut], videos[:1], media[cut:] + videos[1:]]
        if rng.random() < 0.25:
            parts = [media[:1], media[1:2], media[2:4], media[4:] + videos]
        for part in parts:
            found.append(TwinTemplate(len(found) + 1, subject, tuple(sorted(part))))
    return found


def _comparisons(rng: np.random.Generator, templates: Sequence[TwinTemplate]) -> str:
    """All mated comparisons, and `NON_MATED` different non-mated ones, in a drawn order."""
    pairs = [
        (one.number, other.number)
        for i, one in enumerate(templates)
        for other in templates[i + 1 :]
        if one.subject == other.subject
    ]
    chosen: set[tuple[int, int]] = set()
    while len(chosen) < NON_MATED:
        i, j = sorted(int(n) for n in rng.integers(len(templates), size=2))
        if templates[i].subject != templates[j].subject:
            chosen.add((templates[i].number, templates[j].number))
    pairs += sorted(chosen)
    return "".join(f"{pairs[int(n)][0]},{pairs[int(n)][1]}\n" for n in rng.permutation(len(pairs)))


def _search_templates(
    rng: np.random.Generator, subjects: Sequence[int]
) -> tuple[list[TwinTemplate], list[TwinTemplate]]:
    """A gallery of one template a person for the enrolled, and probes of one medium of everybody.

    The gallery has 2 stills and a video of a person, whose other 5 media are probes; of the people
    who are not enrolled all 8 media are probes.
    """
    gallery: list[TwinTemplate] = []
    probes: list[TwinTemplate] = []
    for place, subject in enumerate(subjects):
        media = [int(n) for n in rng.permutation(STILLS + VIDEOS)]
        videos = [medium for medium in media if medium >= STILLS]
        stills = [medium for medium in media if medium < STILLS]
        if place < ENROLLED:
            shown = tuple(sorted([*stills[:2], videos[0]]))
            gallery.append(TwinTemplate(len(gallery) + 1, subject, shown))
            media = [medium for medium in media if medium not in shown]
        for medium in media:
            probes.append(TwinTemplate(1_001 + len(probes), subject, (medium,)))
    return gallery, probes


def _metadata(templates: Iterable[TwinTemplate]) -> str:
    """Rows in the official order; landmarks are blank."""
    lines = [_HEADER]
    for template in templates:
        for shot in _shots(template.subject):
            if shot.medium in template.media:
                medium = 100 * template.subject + shot.medium
                frame = str(shot.frame + 1) if shot.video else ""
                lines.append(
                    f"{template.number},{template.subject},{shot_file(shot)},{medium},"
                    f"{100 * medium + shot.frame},{frame},0,0,112,128,,,,,,"
                )
    return "\n".join(lines) + "\n"
