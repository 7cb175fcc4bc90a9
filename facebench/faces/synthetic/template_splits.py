"""Which templates the IJB-A twin has, and which are compared and searched: its lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from facebench.faces.synthetic.seeding import generator

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
