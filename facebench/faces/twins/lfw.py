"""The LFW twin: synthetic people in the structure and the file layout of LFW's 6,000 pairs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from facebench.faces.synthetic.render import render_jpeg
from facebench.faces.synthetic.seeding import (
    EVALUATION_IDENTITIES,
    RENDERER_VERSION,
    ROLE_TWIN,
    generator,
)
from facebench.faces.twins.writing import whole, write, write_twin
from facebench.faces.types import Progress

FOLDS, PAIRS, IMAGES = 10, 300, 7701
"""Folds, mated (and non-mated) pairs in each, and distinct images in all: LFW's numbers."""

# The fingerprints over the files of the whole twin, as OpenCV's own JPEG encoder writes them, on
# processors with AVX-512 and without, where numpy's functions differ in a last bit: 80 of 7,701
# images do by it, and 111 of 6,000 scores of sparse_074, by 0.0021 at most. A new RENDERER_VERSION
# adds a line.
TWIN_CONTENTS = MappingProxyType({"synthetic-lfw-v1-s0": ("862910eba10fdcc1", "d3413f09e1383375")})

_PEOPLE, _SEVERAL = 428, 168  # people per fold, and how many of them have two images or more

Mated = tuple[str, int, int]
NonMated = tuple[str, int, str, int]
Still = tuple[int, int]  # person (from 1), image number (from 1)


@dataclass(frozen=True, slots=True)
class TwinFold:
    """One fold: 300 mated and 300 non-mated pairs in the order of the file."""

    mated: tuple[Mated, ...]
    non_mated: tuple[NonMated, ...]


@dataclass(frozen=True, slots=True)
class TwinStructure:
    """Which images the twin has (name, number) and which pairs its ten folds hold."""

    seed: int
    images: tuple[tuple[str, int], ...]
    folds: tuple[TwinFold, ...]

    def pairs_text(self) -> str:
        """The pairs in the official pairs.txt format."""
        lines = [f"{FOLDS}\t{PAIRS}"]
        for fold in self.folds:
            lines += ["\t".join(map(str, pair)) for pair in (*fold.mated, *fold.non_mated)]
        return "\n".join(lines) + "\n"


def twin_name(person: int) -> str:
    """The name of the person with this number, counted from 1."""
    return f"Synth_{person:05d}"


def twin_identity(name: str) -> int:
    """The renderer's identity number of a name in the twin."""
    identity = EVALUATION_IDENTITIES.start + int(name.removeprefix("Synth_")) - 1
    if identity not in EVALUATION_IDENTITIES:
        raise ValueError(f"{name} is not a name of the synthetic LFW twin")
    return identity


def twin_fingerprint(seed: int = 0) -> str:
    """The line that names this data set in records."""
    return f"synthetic-lfw-v{RENDERER_VERSION}-s{seed}"


def lfw_twin_structure(seed: int = 0) -> TwinStructure:
    """Ten folds of people of their own, 600 unique pairs each, over exactly 7,701 images."""
    images: list[Still] = []
    folds: list[TwinFold] = []
    first = 1
    for fold in range(FOLDS):
        rng = generator(seed, ROLE_TWIN, fold)
        extra = 1 if fold == 0 else 0  # 10 x 770 + 1
        counts = _image_counts(rng, IMAGES // FOLDS + extra, _PEOPLE + extra)
        people = {first + k: count for k, count in enumerate(counts)}
        mated = _mated_pairs(rng, people)
        shots = [(person, n + 1) for person, count in people.items() for n in range(count)]
        non_mated = _non_mated_pairs(rng, shots, mated)
        folds.append(
            TwinFold(
                tuple((twin_name(a[0]), a[1], b[1]) for a, b in sorted(mated)),
                tuple((twin_name(a[0]), a[1], twin_name(b[0]), b[1]) for a, b in non_mated),
            )
        )
        images += shots
        first += len(people)
    return TwinStructure(seed, tuple((twin_name(p), n) for p, n in images), tuple(folds))


def _image_counts(rng: np.random.Generator, images: int, people: int) -> list[int]:
    """How many images each person of a fold has: most one, some two, a few many, as in LFW."""
    several = [2] * _SEVERAL
    for _ in range(images - people - _SEVERAL):
        # The more images a person has, the likelier the next one: a long tail, cut at thirty.
        weights = np.array([(n - 1) ** 1.1 if n < 30 else 0.0 for n in several])
        several[int(rng.choice(_SEVERAL, p=weights / weights.sum()))] += 1
    counts = several + [1] * (people - _SEVERAL)
    return [counts[int(i)] for i in rng.permutation(people)]


def _mated_pairs(rng: np.random.Generator, people: dict[int, int]) -> set[tuple[Still, Still]]:
    """300 different pairs of one person's images each, the smaller number first."""
    several = [person for person, count in people.items() if count > 1]
    chosen: set[tuple[Still, Still]] = set()
    while len(chosen) < PAIRS:
        person = several[int(rng.integers(len(several)))]
        i, j = sorted((rng.permutation(people[person])[:2] + 1).tolist())
        chosen.add(((person, i), (person, j)))
    return chosen


def _non_mated_pairs(
    rng: np.random.Generator,
    shots: list[Still],
    mated: set[tuple[Still, Still]],
) -> list[tuple[Still, Still]]:
    """300 different pairs of different people that use every image the mated pairs left over."""
    used = {shot for pair in mated for shot in pair}
    slots = [shot for shot in shots if shot not in used]
    slots += [shots[int(i)] for i in rng.integers(len(shots), size=2 * PAIRS - len(slots))]
    slots = [slots[int(i)] for i in rng.permutation(len(slots))]
    left, right = slots[:PAIRS], slots[PAIRS:]
    while True:
        pairs = [(min(a, b), max(a, b)) for a, b in zip(left, right, strict=True)]
        seen: set[tuple[Still, Still]] = set()
        bad = []
        for k, pair in enumerate(pairs):
            if pair[0][0] == pair[1][0] or pair in seen:
                bad.append(k)
            seen.add(pair)
        if not bad:
            return sorted(pairs)
        for k in bad:
            other = int(rng.integers(PAIRS))
            right[k], right[other] = right[other], right[k]


def write_lfw_twin(
    folder: Path,
    seed: int = 0,
    workers: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Write the twin in LFW's layout: lfw/Name/Name_0001.jpg, pairs.txt, COMPLETE.json last.

    Images are 128 x 112, aligned; the 112 x 96 template is their centre. An interrupted call is
    taken up where it stopped. Raises ValueError if the folder holds another twin, and whatever
    OSError the disk gives; progress is called with images done and images in all.
    """
    structure = lfw_twin_structure(seed)
    stamp = {
        "fingerprint": twin_fingerprint(seed),
        "version": RENDERER_VERSION,
        "seed": seed,
        "images": len(structure.images),
        "people": len({name for name, _ in structure.images}),
        "pairs": 2 * PAIRS * FOLDS,
        "alignment": "aligned; centre crop with 8 px margin",
    }
    by_person: dict[str, list[int]] = {}
    for name, number in structure.images:
        by_person.setdefault(name, []).append(number)
    tasks = ((str(folder / "lfw"), seed, name, numbers) for name, numbers in by_person.items())
    lists = {"pairs.txt": structure.pairs_text()}
    write_twin(folder, stamp, _write_person, tasks, lists, workers, progress)


def _write_person(task: tuple[str, int, str, list[int]]) -> int:
    """Write one person's missing images; how many images the person has."""
    root, seed, name, numbers = task
    folder = Path(root) / name
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        path = folder / f"{name}_{number:04d}.jpg"
        if not whole(path):
            write(path, render_jpeg(seed, twin_identity(name), number - 1))
    return len(numbers)
