"""Mini-batches of pairs of faces, for the verification signal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facebench.errors import UserError
from facebench.training.augment import Batch, Change, augment
from facebench.training.crops import TrainingCrops

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
