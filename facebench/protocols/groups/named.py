"""Labels of a column, and what is told of the groups that they make."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from facebench.statistics.groups.labels import GroupLabels
from facebench.statistics.groups.points import GroupStatistics

SIDES = ("_a", "_b")


@dataclass(frozen=True, eq=False)
class NamedLabels:
    """The labels of a column."""

    column: str
    labelled: GroupLabels

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits of a SHA-256 over what the labels are of, and those of every
        comparison.
        """
        labelled = self.labelled
        told = "\n".join((self.column, labelled.of, *labelled.values))
        digest = hashlib.sha256(told.encode())
        for side in (labelled.left, labelled.right):
            digest.update(side.astype("<i8").tobytes())
        return digest.hexdigest()[:16]

    def tensors(self) -> dict[str, NDArray[np.uint32]]:
        """What is kept beside scores: labels from 1, 0 where there is none; the images of labels of
        images.
        """
        labelled = self.labelled
        sides = (labelled.left + 1, labelled.right + 1)
        named = {f"label{end}:{self.column}": x for end, x in zip(SIDES, sides, strict=True)}
        if labelled.of == "images":
            units = (labelled.first, labelled.second)
            named |= {f"image{end}:{self.column}": x for end, x in zip(SIDES, units, strict=True)}
        return {name: side.astype(np.uint32) for name, side in named.items()}


@dataclass(frozen=True, eq=False)
class GroupOutcome:
    """The statistics of the groups of a column, at the thresholds of the protocol's FARs."""

    labels: NamedLabels
    statistics: GroupStatistics
