"""Batches of augmented training faces, prepared by a thread while the network works."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.faces.align.aligners import TemplateCrop
from facebench.faces.align.template import TEMPLATE_WIDTH
from facebench.faces.types import Image
from facebench.lab.data.crops import CROP_SIZE, TrainingCrops
from facebench.models.regions import Region, cut, in_colour, region_matrix

FACE_SIZE = (112, 96)
# One crop, uint8 128×112×3 or what is stored instead of it → one face as the network takes it.
Change = Callable[[NDArray[Any], np.random.Generator], NDArray[Any]]


@dataclass(frozen=True)
class Batch:
    """Faces to learn from.

    faces: uint8 N×112×96×3, or as the change makes them; labels: int64 N (-1: none); targets:
    float32 N×D (NaN: none).
    """

    faces: NDArray[Any]
    labels: NDArray[np.int64]
    targets: NDArray[np.float32]


def centre_crop(crops: Image) -> Image:
    """The 112×96 face template out of N×128×112×3 crops; faces of that size stay as they are."""
    return crops if crops.shape[-3:-1] == FACE_SIZE else crops[..., 8:120, 8:104, :]


def augment(crop: Image, rng: np.random.Generator) -> Image:
    """One 128×112×3 crop → one 112×96×3 face, moved, mirrored, relit, blurred or covered at random.

    The margins of the crop hold what a shift of 8 pixels brings in; the augmentation imitates the
    errors of landmark detectors and of cameras. A 112×96 face of a bank, augmented already, is
    mirrored at most.
    """
    if crop.shape[:2] == FACE_SIZE:
        return np.ascontiguousarray(crop[:, ::-1] if rng.random() < 0.5 else crop)
    face = warp_crop(crop, movement(rng), FACE_SIZE)
    if rng.random() < 0.5:
        face = face[:, ::-1]
    return disturb(face, rng)


def movement(rng: np.random.Generator) -> NDArray[np.float64]:
    """A random affine map 2×3 from pixels of a 128×112 crop to those of the 112×96 template."""
    angle, zoom = rng.normal(0, 3.0), np.exp(rng.normal(0, 0.035))
    shift = np.clip(rng.normal(0, 1.5, 2), -5, 5)
    matrix = cv2.getRotationMatrix2D((CROP_SIZE[1] / 2, CROP_SIZE[0] / 2), angle, zoom)
    matrix[:, 2] = matrix[:, 2] + shift - 8
    return np.asarray(matrix, np.float64)


def warp_crop(
    crop: Image,
    matrix: NDArray[np.float64],
    size: tuple[int, int],
    border: int = cv2.BORDER_REPLICATE,
) -> NDArray[Any]:
    """A crop under a 2×3 map, bilinear: uint8 of (height, width); border: how OpenCV goes on."""
    return cv2.warpAffine(crop, matrix, size[::-1], flags=cv2.INTER_LINEAR, borderMode=border)


def disturb(face: NDArray[Any], rng: np.random.Generator) -> Image:
    """One face uint8 H×W×3, relit, grey, blurred or covered at random."""
    if rng.random() < 0.7:
        face = cv2.LUT(np.ascontiguousarray(face), _relight(rng))
    if rng.random() < 0.15:
        face = np.repeat(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)[..., None], 3, 2)
    if rng.random() < 0.15:
        face = _lower_resolution(face, rng.uniform(0.35, 0.8))
    if rng.random() < 0.15:
        face = _cover(face, rng)
    return np.ascontiguousarray(face)


def _relight(rng: np.random.Generator) -> Image:
    levels = np.arange(256, dtype=np.float64)[:, None] / 255
    gamma, gain = np.exp(rng.normal(0, 0.25)), np.exp(rng.normal(0, 0.08, 3))
    table: NDArray[np.float64] = np.clip(levels**gamma * gain + rng.normal(0, 0.03), 0, 1) * 255
    return table.round().astype(np.uint8)[None]


def _lower_resolution(face: Image, factor: float) -> NDArray[Any]:
    small = cv2.resize(face, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, face.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def _cover(face: Image, rng: np.random.Generator) -> Image:
    height, width = rng.integers(12, 45, 2)
    top, left = rng.integers(0, face.shape[0] - height), rng.integers(0, face.shape[1] - width)
    face = face.copy()
    face[top : top + height, left : left + width] = rng.integers(0, 256, 3)
    return face


def batches(
    sources: list[tuple[TrainingCrops, int]],
    seed: int,
    start: int = 0,
    ahead: int = 4,
    change: Change = augment,
    make: Callable[..., Batch] | None = None,
) -> Generator[Batch, None, None]:
    """Endless batches; each takes a stated number of crops from every source, in shuffled epochs.

    ``sources`` pairs crops with their number per batch. Batch ``i`` depends on (seed, i) alone, so
    that a resumed run sees what an undisturbed one would have seen. Identity numbers of different
    sources are kept apart by an offset, in the order of ``sources``. ``change`` makes a crop a
    face; ``make`` composes a batch (`make_batch`).
    """
    compose = make or make_batch
    ready: queue.Queue[Batch | BaseException] = queue.Queue(ahead)
    stop = threading.Event()

    def produce() -> None:
        step = start
        while not stop.is_set():
            batch: Batch | BaseException
            try:
                batch = compose(sources, seed, step, change)
            except BaseException as error:  # raised where the batch is awaited, not lost here
                batch = error
            step += 1
            while not stop.is_set():
                try:
                    ready.put(batch, timeout=0.2)
                    break
                except queue.Full:
                    continue

    thread = threading.Thread(target=produce, daemon=True)
    thread.start()
    try:
        while True:
            batch = ready.get()
            if isinstance(batch, BaseException):
                raise batch
            yield batch
    finally:
        stop.set()
        thread.join()


def make_batch(
    sources: list[tuple[TrainingCrops, int]], seed: int, step: int, change: Change = augment
) -> Batch:
    """Batch number ``step`` of the sequence that ``seed`` fixes; ``change`` makes crops faces."""
    rng = np.random.default_rng([seed, 1, step])
    faces, labels, targets, offset = [], [], [], 0
    width = max(crops.targets.shape[1] for crops, _ in sources)
    for number, (crops, count) in enumerate(sources):
        rows = epoch_rows(len(crops.images), count, step, [seed, 2, number])
        faces += [change(crops.images[row], rng) for row in rows]
        own = crops.labels[rows]
        labels.append(np.where(own >= 0, own + offset, own))
        target = np.full((count, width), np.nan, np.float32)
        target[:, : crops.targets.shape[1]] = crops.targets[rows]
        targets.append(target)
        offset += crops.classes
    return Batch(np.stack(faces), np.concatenate(labels), np.concatenate(targets))


def epoch_rows(total: int, count: int, step: int, key: list[int]) -> NDArray[np.int64]:
    """Rows of one batch: consecutive places in an endless chain of shuffled epochs."""
    places = np.arange(step * count, (step + 1) * count)
    rows = np.empty(count, np.int64)
    for epoch in np.unique(places // total):
        order = np.random.default_rng([*key, int(epoch)]).permutation(total)
        here = places // total == epoch
        rows[here] = order[places[here] % total]
    return rows


MATED = 0.5


def make_pair_batch(
    sources: list[tuple[TrainingCrops, int]], seed: int, step: int, change: Change = augment
) -> Batch:
    """Batch number ``step``: rows 2i and 2i+1 are a pair, mated with probability one half.

    ``sources`` pairs crops with their number of *pairs* per batch; only crops with an identity are
    taken. The batch depends on (seed, step) alone. UserError where a source has fewer than two
    identities.

    Source: Sun, Wang, Tang 2015, Section 5 (64 pairs in each mini-batch); the share of mated pairs
    is not in the paper.
    """
    rng = np.random.default_rng([seed, 3, step])
    faces, labels, targets, offset = [], [], [], 0
    width = max(crops.targets.shape[1] for crops, _ in sources)
    for crops, count in sources:
        rows = pair_rows(crops.labels, count, rng)
        faces += [change(np.asarray(crops.images[int(row)]), rng) for row in rows]
        labels.append(crops.labels[rows] + offset)
        target = np.full((len(rows), width), np.nan, np.float32)
        target[:, : crops.targets.shape[1]] = crops.targets[rows]
        targets.append(target)
        offset += crops.classes
    return Batch(np.stack(faces), np.concatenate(labels), np.concatenate(targets))


def pair_rows(labels: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Rows of ``count`` pairs, int64 2·count; the first of each is drawn evenly over the crops."""
    known = np.flatnonzero(labels >= 0)
    if len(np.unique(labels[known])) < 2:
        raise UserError("pairs need training data with at least two identities in every source")
    rows = np.empty(2 * count, np.int64)
    for i in range(count):
        first = rng.choice(known)
        same = known[labels[known] == labels[first]]
        mates = same[same != first]
        others = known[labels[known] != labels[first]]
        mated = rng.random() < MATED and len(mates)
        rows[2 * i : 2 * i + 2] = first, rng.choice(mates if mated else others)
    return rows


_MIRROR = np.array([[-1.0, 0.0, TEMPLATE_WIDTH - 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])


def region_change(region: Region) -> Change:
    """The augmentation of `facebench.lab.data.augment`, followed by the cut of a region.

    The face is moved and mirrored before the region is cut, as an ensemble mirrors the whole
    canvas: a region left of the middle sees the right side of every other face, mirrored.
    """
    into = region_matrix(region)

    def change(crop: Image, rng: np.random.Generator) -> Image:
        moved = np.vstack([movement(rng), (0.0, 0.0, 1.0)])
        if rng.random() < 0.5:
            moved = _MIRROR @ moved
        face = disturb(warp_crop(crop, into @ moved, region.size), rng)
        return in_colour(face, region.colour)

    return change


def regions_of(crops: Image, region: Region) -> NDArray[np.uint8]:
    """A region of N×128×112×3 training crops as the embedder would cut it: uint8 N×h×w×3."""
    align = TemplateCrop()
    return cut(np.stack([align("", crop, region.canvas) for crop in crops]), region)
