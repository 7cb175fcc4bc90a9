"""Passes of a network under trials, each once for a face, and how far its scores lie apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.models.doctor.crops import FaceCrops, PairsOfFaces
from facebench.models.doctor.trial import Trial
from facebench.models.embedders.base import Embedder, unit
from facebench.statistics.checks import FloatArray
from facebench.statistics.intervals.dyadic import influenced_difference
from facebench.statistics.paired import Difference

Score = Callable[[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]]
"""Embeddings N×D and rows of both sides → scores, higher is more alike; such as a similarity's
``pairs``."""

Prepare = Callable[[Trial], Embedder | None]
"""The network under a trial; None: it cannot be had so."""

_BATCH = 32
_UNIT = 100.0  # the paired test takes differences within -1 and 1


class Passes:
    """The embeddings of faces under trials. load: makes a network of a trial; score: of pairs.

    pace: seconds a face so far, with its crop. sign: -1 once scores turned out to be
    distances; normalised: once they turned out to need embeddings of unit length.
    """

    def __init__(self, load: Prepare, crops: FaceCrops, pairs: PairsOfFaces, score: Score) -> None:
        self.crops, self.pairs, self._load, self._score = crops, pairs, load, score
        self._networks: dict[Trial, Embedder | None] = {}
        self._vectors: dict[tuple[Trial, bool], NDArray[np.float32]] = {}
        self._seconds, self._faces = 0.0, 0
        self.sign, self.normalised = 1.0, False

    def network(self, trial: Trial) -> Embedder | None:
        """The network under a trial, or None."""
        key = replace(trial.changed("flip", "none"), alignment="", crop="")
        if key not in self._networks:
            self._networks[key] = self._load(trial)
        return self._networks[key]

    def can(self, trial: Trial) -> bool:
        """Whether the network takes what a trial gives it, tried with one face."""
        try:
            self._plain(trial, 1)
        except UserError:
            return False
        return True

    def vectors(self, trial: Trial, faces: int) -> NDArray[np.float32]:
        """Embeddings of the first faces under the trial's flip rule; UserError: it fails."""
        rule = trial.prepared.flip
        plain = self._plain(trial, faces)
        if rule == "none":
            return plain
        mirrored = self._plain(trial, faces, mirrored=True)
        if rule == "concat":
            return np.concatenate([plain, mirrored], axis=1)
        if rule == "normalised-add":
            return unit(plain) + unit(mirrored)
        return plain + mirrored

    @property
    def pace(self) -> float:
        """See the class."""
        return self._seconds / max(1, self._faces)

    def missing(self, trial: Trial, pairs: int) -> int:
        """Passes of a face that the scores of the first pairs still need."""
        faces, plain = self.pairs.faces_of(pairs), trial.changed("flip", "none")
        sides = (False,) if trial == plain else (False, True)
        known = [self._vectors.get((plain, side)) for side in sides]
        return sum(max(0, faces - (0 if one is None else len(one))) for one in known)

    def scores(self, trial: Trial, pairs: int) -> NDArray[np.float64]:
        """Of the first pairs; of a face that was not found, the lowest of all."""
        faces = self.pairs.faces_of(pairs)
        vectors = self.vectors(trial, faces)
        found = self.scored(unit(vectors) if self.normalised else vectors, pairs)
        there = self.crops.of(trial, faces)[1]
        acquired = there[self.pairs.left[:pairs]] & there[self.pairs.right[:pairs]]
        return np.where(acquired, found, found.min())

    def scored(self, vectors: NDArray[np.float32], pairs: int) -> NDArray[np.float64]:
        """The first pairs' scores by embeddings of the faces."""
        return self.sign * self._score(vectors, self.pairs.left[:pairs], self.pairs.right[:pairs])

    def separation(self, trial: Trial, pairs: int) -> float:
        """d′ of the first pairs; see `separation`."""
        return separation(self.scores(trial, pairs), self.pairs.mated[:pairs])[0]

    def difference(self, base: NDArray[np.float64], other: NDArray[np.float64]) -> Difference:
        """Of d′, other minus base, over people, of scores of the same first pairs."""
        pairs = len(base)
        mated = self.pairs.mated[:pairs]
        (one, of_one), (two, of_two) = separation(base, mated), separation(other, mated)
        sharing, people = self.pairs.sharing(pairs)
        found = influenced_difference(
            (two - one) / _UNIT, (of_two - of_one) / _UNIT, sharing, independent=people
        )
        ends = found.interval
        wide = replace(ends, low=ends.low * _UNIT, high=ends.high * _UNIT)
        return Difference(two - one, wide, found.p_value)

    def _plain(self, trial: Trial, faces: int, mirrored: bool = False) -> NDArray[np.float32]:
        key = (trial.changed("flip", "none"), mirrored)
        known = self._vectors.get(key)
        start = 0 if known is None else len(known)
        if known is not None and start >= faces:
            return known[:faces]
        network = self.network(trial)
        if network is None:
            raise UserError("the network cannot be prepared so")
        began = perf_counter()
        images = self.crops.of(trial, faces)[0][start:]
        if mirrored:
            images = np.ascontiguousarray(images[:, :, ::-1])
        parts = [network.forward(images[at : at + _BATCH]) for at in range(0, len(images), _BATCH)]
        self._seconds += perf_counter() - began
        self._faces += len(images)
        self._vectors[key] = np.concatenate(parts if known is None else [known, *parts])
        return self._vectors[key]


def separation(scores: NDArray[np.float64], mated: NDArray[np.bool_]) -> tuple[float, FloatArray]:
    """d′ of scores, the difference of the means of mated and non-mated ones over the root of their
    mean variance, and the influence float64[n] of every score on it (the delta method).

    It still tells two networks apart where both are right about every pair. 0 where scores are all
    the same.
    """
    own, other = scores[mated], scores[~mated]
    variance = (own.var() + other.var()) / 2
    influence = np.zeros(len(scores))
    if not variance > 1e-18:
        return 0.0, influence
    spread = float(np.sqrt(variance))
    value = float(own.mean() - other.mean()) / spread
    for kind, sign in ((mated, 1.0), (~mated, -1.0)):
        away = scores[kind] - scores[kind].mean()
        bend = value / (4 * variance) * (away**2 - (away**2).mean())
        influence[kind] = (sign * away / spread - bend) / len(away)
    return value, influence
