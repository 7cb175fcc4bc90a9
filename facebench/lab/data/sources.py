"""Training data by what a user writes: ``FOLDER[:WEIGHT]`` and ``synthetic[:WEIGHT]``, mixed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.faces.synthetic import RENDERER_VERSION
from facebench.lab.data.apart import Apart, identities_near, require_sources
from facebench.lab.data.augment import centre_crop
from facebench.lab.data.crops import (
    UNLABELLED,
    CropImages,
    RenderedCrops,
    Sources,
    Teacher,
    TrainingCrops,
    key_of,
    prepare_crops,
)
from facebench.lab.data.kept_rows import Tell
from facebench.lab.data.labelled import prepare_folders

SYNTHETIC = "synthetic"
SYNTHETIC_IDENTITIES, SYNTHETIC_IMAGES = 1200, 14
HELD_OUT_IDENTITIES, HELD_OUT_SHARE, HELD_OUT_SEED = 30, 0.02, 7


@dataclass(frozen=True)
class DataSpec:
    """One source of training faces and its weight in the mixture."""

    place: str
    weight: float = 1.0

    @property
    def synthetic(self) -> bool:
        """Whether its faces are rendered."""
        return self.place == SYNTHETIC


@dataclass(frozen=True)
class TrainingData:
    """What is learned from, and what is held out.

    sources: crops with their number per batch; held_out: crops of identities and images that
    nothing is trained on, for correlations and for verification errors; unseen: names of the real
    identities among them of whom nothing is learned, e.g. to learn a metric from; real: keys of the
    whole sources that are not rendered; teacher: what the targets are of, its signature; left_out:
    how many identities were left out altogether, since they look like people that a network will be
    judged on; strangers: of every held-out crop, whether nothing is learned of its person either,
    who is real, or rendered where all are (None: of all that have one).
    """

    sources: Sources
    held_out: TrainingCrops
    unseen: tuple[str, ...] = ()
    real: tuple[str, ...] = ()
    teacher: str = ""
    left_out: int = 0
    strangers: NDArray[np.bool_] | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """What a training on these data depends on, by their contents, as JSON."""
        return {
            "learned": [[key_of(crops), count] for crops, count in self.sources],
            "held_out": key_of(self.held_out),
            "teacher": self.teacher,
        }

    def require_people(self, given: Sequence[str]) -> None:
        """UserError where identification would be learned from a single identity, whose softmax is
        always right. given: the sources, as a user names them.
        """
        if self.classes == 1:
            apart = f", {' and '.join(self.unseen)} being held out" if self.unseen else ""
            raise UserError(
                f"--data {' '.join(given)}: one identity is left to learn{apart}; identification "
                "needs two at least: bring more people, or a recipe without the loss `identity`"
            )

    @property
    def classes(self) -> int:
        """Number of identities learned."""
        return sum(crops.classes for crops, _ in self.sources)

    @property
    def embedding(self) -> int:
        """Dimension of the teacher's embedding, 1 where there is none."""
        width: int = max(crops.targets.shape[1] for crops, _ in self.sources)
        return width

    def held_out_faces(self, most: int = 2048, size: int = 32):  # type: ignore[no-untyped-def]
        """uint8 N×112×96×3 batches of the held-out crops' centres."""
        total = len(self.held_out.images)
        rows = np.linspace(0, total - 1, min(most, total)).astype(np.int64)
        for begin in range(0, len(rows), size):
            yield faces_of(self.held_out, rows[begin : begin + size])


def faces_of(crops: TrainingCrops, rows: Sequence[int] | NDArray[np.int64]) -> NDArray[np.uint8]:
    """The 112×96 face templates of some crops, uint8 N×112×96×3."""
    images = np.stack([np.asarray(crops.images[int(row)]) for row in rows])
    return np.ascontiguousarray(centre_crop(images))


def parse_source(text: str) -> DataSpec:
    """``../faces:3`` → folder and weight 3; UserError where the weight is no positive number."""
    place, colon, tail = text.rpartition(":")
    if not colon or not place:
        return DataSpec(text)
    try:
        weight = float(tail)
    except ValueError:
        return DataSpec(text)  # a folder with a colon in its name
    if not 0 < weight < float("inf"):
        raise UserError(f"--data {text}: the weight after the colon must be a positive number")
    return DataSpec(place, weight)


def training_data(
    given: Sequence[str],
    batch: int,
    cache: Path,
    teacher: Teacher | None = None,
    *,
    identities: int = SYNTHETIC_IDENTITIES,
    images: int = SYNTHETIC_IMAGES,
    hold_out: int | None = None,
    tell: Tell | None = None,
    apart_from: Apart | None = None,
) -> TrainingData:
    """Sources mixed by weight into batches of ``batch`` (faces, or pairs), and what is held out.

    given: as a user writes them. cache: decoded crops and the teacher's embeddings are kept there.
    identities, images: of the synthetic source. hold_out: identities held out of every source,
    None: 30, or a tenth where it has fewer than 300; of a real one they are drawn, with 2% of the
    other crops, the same in every run. tell: of waiting for another process. apart_from:
    whose likes are left out altogether (`apart.identities_near`). UserError where a folder is not
    there or holds nothing to learn from, or would have too few identities left.
    """
    specs = [parse_source(text) for text in given]
    if not specs:
        raise UserError(f"name training data with --data: a folder, or `{SYNTHETIC}`")
    counts = _counts([spec.weight for spec in specs], batch)
    sources: Sources = []
    apart: list[tuple[TrainingCrops, NDArray[np.int64]]] = []
    strangers: list[NDArray[np.bool_]] = []
    unseen: set[str] = set()
    seen: set[str] = set()
    real: list[str] = []
    named: set[str] = set()
    left_out = 0
    for number, (spec, count) in enumerate(zip(specs, counts, strict=True)):
        crops = _open(spec, cache, teacher, identities, images, tell)
        if len(crops.images) < 4:
            raise UserError(f"--data {spec.place}: {len(crops.images)} faces are too few")
        whole = crops.key
        named |= set(crops.sources)
        if apart_from is not None and not spec.synthetic:
            near = identities_near(crops, apart_from)
            crops = _without(crops, near)
            left_out += len(near)
        rng = np.random.default_rng([HELD_OUT_SEED, number])
        people, held = split(crops, rng, hold_out, spec)
        learned = np.setdiff1d(np.arange(len(crops.labels)), held)
        if not spec.synthetic:
            apart_here = {crops.names[person] for person in people}
            unseen |= apart_here
            seen |= set(crops.names) - apart_here
            real.append(whole)
        sources.append((_rows(crops, learned, renumber=True), count))
        apart.append((crops, held))
        # Rendered people are easier to tell apart, and would make real ones look so.
        judged = not spec.synthetic or all(one.synthetic for one in specs)
        strangers.append(np.isin(crops.labels[held], people) & judged)
    if apart_from is not None:
        require_sources(apart_from, named)
    held_out = joined([_rows(crops, rows) for crops, rows in apart])
    # Whoever is held out of one source and learned from another is not unseen.
    return TrainingData(
        sources,
        held_out,
        tuple(sorted(unseen - seen)),
        tuple(real),
        "" if teacher is None else teacher.signature,
        left_out,
        np.concatenate(strangers),
    )


def split(
    crops: TrainingCrops, rng: np.random.Generator, hold_out: int | None, spec: DataSpec
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Identities held out, and all rows that are: theirs, and a share of the other crops.

    Rendered people have no order, so the last are taken; their other images are all learned.
    """
    tenth = max(1, crops.classes // 10) if crops.classes > 1 else 0
    count = min(HELD_OUT_IDENTITIES, tenth) if hold_out is None else hold_out
    if hold_out and crops.classes - hold_out < 2:
        raise UserError(
            f"--hold-out {hold_out}: --data {spec.place} has {crops.classes} identities; leave at "
            "least 2 to learn"
        )
    if spec.synthetic:
        people = np.arange(crops.classes - count, crops.classes, dtype=np.int64)
        return people, np.flatnonzero(np.isin(crops.labels, people))
    people = rng.permutation(crops.classes)[:count]
    held = np.isin(crops.labels, people) | (rng.random(len(crops.labels)) < HELD_OUT_SHARE)
    return people, np.flatnonzero(held)


def _open(
    spec: DataSpec,
    cache: Path,
    teacher: Teacher | None,
    identities: int,
    images: int,
    tell: Tell | None,
) -> TrainingCrops:
    if spec.synthetic:
        rendered = RenderedCrops(0, identities, images)
        nothing = np.full((len(rendered), 1), np.nan, np.float32)
        key = f"{SYNTHETIC}-v{RENDERER_VERSION}-s{rendered.seed}-{identities}x{images}"
        return TrainingCrops(rendered, rendered.labels, nothing, key=key)
    folder = Path(spec.place)
    if not folder.is_dir():
        raise UserError(f"--data {spec.place}: no such folder (or write `{SYNTHETIC}`)")
    prepare = prepare_crops if (folder / "index.csv").is_file() else prepare_folders
    return prepare(folder, cache, teacher, tell)


class _Chosen:
    """Some of the images, without copying them."""

    def __init__(self, images: CropImages, rows: NDArray[np.int64]) -> None:
        self.images, self.rows = images, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: int) -> NDArray[np.uint8]:
        return self.images[int(self.rows[row])]


class _Chained:
    """The images of several sources, one after the other."""

    def __init__(self, parts: Sequence[CropImages]) -> None:
        self.parts = parts
        self.ends = np.cumsum([len(part) for part in parts])

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, row: int) -> NDArray[np.uint8]:
        number = int(np.searchsorted(self.ends, row, side="right"))
        begin = int(self.ends[number - 1]) if number else 0
        return self.parts[number][row - begin]


def _rows(crops: TrainingCrops, rows: NDArray[np.int64], renumber: bool = False) -> TrainingCrops:
    labels = crops.labels[rows]
    if renumber:
        known = np.unique(labels[labels != UNLABELLED])
        labels = np.where(labels == UNLABELLED, UNLABELLED, np.searchsorted(known, labels))
    chosen = hashlib.sha256(f"{key_of(crops)} {renumber} {rows.tolist()}".encode())
    key = f"crops-{chosen.hexdigest()[:16]}"
    return TrainingCrops(_Chosen(crops.images, rows), labels, crops.targets[rows], key=key)


def _without(crops: TrainingCrops, identities: list[int]) -> TrainingCrops:
    """All crops but those of some identities; the others are numbered anew and keep their names."""
    rows = np.flatnonzero(~np.isin(crops.labels, identities))
    kept = np.setdiff1d(np.arange(crops.classes), identities)
    names = tuple(crops.names[identity] for identity in kept) if crops.names else ()
    return replace(_rows(crops, rows, renumber=True), names=names)


def joined(parts: list[TrainingCrops]) -> TrainingCrops:
    """Crops of several sources one after the other, their identities kept apart by an offset."""
    labels, offset = [], 0
    width = max(part.targets.shape[1] for part in parts)
    for part in parts:
        labels.append(np.where(part.labels == UNLABELLED, UNLABELLED, part.labels + offset))
        offset += part.classes
    targets = np.full((len(images := _Chained([part.images for part in parts])), width), np.nan)
    begin = 0
    for part in parts:
        end = begin + len(part.targets)
        targets[begin:end, : part.targets.shape[1]] = part.targets
        begin = end
    key = "+".join(key_of(part) for part in parts)
    return TrainingCrops(images, np.concatenate(labels), targets.astype(np.float32), key=key)


def _counts(weights: Sequence[float], batch: int) -> list[int]:
    """Whole numbers in the ratio of the weights with the sum ``batch``, each at least 1."""
    if batch < len(weights):
        raise UserError(f"a mini-batch of {batch} has no room for {len(weights)} sources")
    shares = np.array(weights) / sum(weights) * batch
    counts = np.maximum(np.floor(shares).astype(int), 1)
    while counts.sum() > batch:
        counts[np.argmax(counts)] -= 1
    for number in np.argsort(-(shares - counts), kind="stable")[: batch - counts.sum()]:
        counts[number] += 1
    return [int(count) for count in counts]
