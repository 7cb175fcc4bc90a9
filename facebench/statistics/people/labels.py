"""Images that are more like another person's than like their own: labels that are likely wrong.

An image's margin is its mean similarity to the other images of its person, less its mean similarity
to those of the person who is nearest among all others. A label is called wrong where the margin is
below a limit that is learned of the same images: some are given the name of another person, by lot,
and the limit is what nine of ten of these have less than, and at most 0. So the share of wrong
labels that is found is known, whatever the model; of the right ones no more than the share of all
images that is called wrong can be called so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facebench.statistics.checks import FloatArray
from facebench.statistics.people.blocks import row_blocks

FOUND = 0.9  # of the labels that are wrong
RENAMED, FEWEST = 1000, 20  # images that are given another name
_OUT = -np.inf


@dataclass(frozen=True, eq=False)
class LabelMargins:
    """own: float64[N], mean similarity to the other images of its person, NaN where it is the only
    one; other: float64[N], to those of the nearest other person; nearest: int64[N], who that is.
    """

    own: FloatArray
    other: FloatArray
    nearest: NDArray[np.int64]

    @property
    def margin(self) -> FloatArray:
        """float64[N]."""
        return np.asarray(self.own - self.other)


@dataclass(frozen=True, eq=False)
class WrongLabels:
    """limit: of the margin; wrong: bool[N]; judged: images of people with two or more; renamed: how
    many the limit is learned of, and found: the share of them that it finds.
    """

    margins: LabelMargins
    limit: float
    wrong: NDArray[np.bool_]
    judged: int
    renamed: int
    found: float


def label_margins(vectors: NDArray[np.floating], people: NDArray[np.int64]) -> LabelMargins:
    """Of vectors N×D of unit length, whose people int64[N] are numbered from 0, each with an image.

    ValueError: fewer than two people.
    """
    counts, means = _means(vectors, people)
    if len(counts) < 2:
        raise ValueError("label_margins: one person has no other to be like")
    own, other = np.empty(len(people)), np.empty(len(people))
    nearest = np.empty(len(people), dtype=np.int64)
    for rows in row_blocks(len(people), len(means)):
        like, who = _like(vectors[rows], means), people[rows]
        every = np.arange(len(who))
        own[rows] = _without_itself(like[every, who], counts[who])
        like[every, who] = _OUT
        nearest[rows] = like.argmax(axis=1)
        other[rows] = like[every, nearest[rows]]
    return LabelMargins(own, other, nearest)


def wrong_labels(
    vectors: NDArray[np.floating], people: NDArray[np.int64], rng: np.random.Generator
) -> WrongLabels | None:
    """The labels that are likely wrong; arguments as of `label_margins`. None: too few images have
    another one of their person, or too few people are there, to learn a limit of.
    """
    counts = np.bincount(people)
    several = np.flatnonzero(counts[people] > 1)
    if len(counts) < 3 or len(several) < FEWEST:
        return None
    chosen = rng.permutation(several)[:RENAMED]
    # By lot among all others: a number below those of all but one, moved past the image's own.
    names = rng.integers(0, len(counts) - 1, len(chosen))
    names += names >= people[chosen]
    renamed = renamed_margins(vectors, people, chosen, names)
    limit = min(0.0, float(np.quantile(renamed, FOUND, method="higher")))
    margins = label_margins(vectors, people)
    with np.errstate(invalid="ignore"):
        wrong = margins.margin < limit
    found = float((renamed < limit).mean())
    return WrongLabels(margins, limit, wrong, len(several), len(chosen), found)


def renamed_margins(
    vectors: NDArray[np.floating],
    people: NDArray[np.int64],
    rows: NDArray[np.int64],
    names: NDArray[np.int64],
) -> FloatArray:
    """float64[n]: the margins that images (rows int64[n]) would have under other names (int64[n]),
    each alone; their own person keeps the other images, of which there must be one.
    """
    counts, means = _means(vectors, people)
    found = np.empty(len(rows))
    for part in row_blocks(len(rows), len(means)):
        images, name = rows[part], names[part]
        like, who, every = _like(vectors[images], means), people[images], np.arange(len(images))
        own = like[every, name].copy()
        like[every, who] = _without_itself(like[every, who], counts[who])
        like[every, name] = _OUT
        found[part] = own - like.max(axis=1)
    return found


def _means(
    vectors: NDArray[np.floating], people: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Images of every person, and the mean of their vectors, which is shorter than one."""
    counts = np.bincount(people)
    order = np.argsort(people, kind="stable")
    means = np.empty((len(counts), vectors.shape[1]), dtype=np.float32)
    for person, rows in enumerate(np.split(order, np.cumsum(counts)[:-1])):
        means[person] = vectors[rows].mean(axis=0, dtype=np.float64)
    return counts, means


def _like(vectors: NDArray[np.floating], means: NDArray[np.float32]) -> FloatArray:
    return np.asarray(vectors @ means.T, dtype=np.float64)


def _without_itself(like: FloatArray, counts: NDArray[np.int64]) -> FloatArray:
    """Mean similarity to a person's images → to those other than the image itself, which is one."""
    others = counts - 1
    return np.where(others > 0, (counts * like - 1) / np.maximum(others, 1), np.nan)
