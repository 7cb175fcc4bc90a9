"""The faces of a list of pairs under several rules of alignment, cut once each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.faces.align.rules import make_aligner
from facebench.faces.align.template import WarpedAligner, warp
from facebench.faces.locate import LocatedData
from facebench.faces.types import Aligner, Image, ImageError
from facebench.models.doctor.trial import PLAIN, Trial, zoom_of
from facebench.statistics.intervals.bootstrap import Units
from facebench.statistics.intervals.dyadic import Sharing

_Key = tuple[str, str, tuple[int, int]]


@dataclass(frozen=True, eq=False)
class PairsOfFaces:
    """Comparisons of faces: the first n of them are a fair part of the whole for every even n.

    keys: of the faces, in the order in which comparisons need them; left, right: int64[n], rows of
    the keys; mated: bool[n]; folds: int[n]; people: names of both sides, or None: nobody knows.
    """

    keys: tuple[str, ...]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    mated: NDArray[np.bool_]
    folds: NDArray[np.int64]
    people: tuple[NDArray[np.str_], NDArray[np.str_]] | None

    def __len__(self) -> int:
        return len(self.left)

    def faces_of(self, pairs: int) -> int:
        """How many of the faces the first pairs need."""
        return int(max(self.left[:pairs].max(), self.right[:pairs].max())) + 1

    def sharing(self, pairs: int) -> tuple[Sharing, int]:
        """Who is in the first pairs, and the number of people among their first sides."""
        a, b = (None, None) if self.people is None else (side[:pairs] for side in self.people)
        units = Units.of(self.mated[:pairs], a, b, "doctor")
        return Sharing.of(units), int(np.unique(units.first).size)


def pairs_of(located: LocatedData, most: int) -> PairsOfFaces:
    """At most so many pairs of a list, as many mated as not, drawn from all folds alike.

    UserError: there are too few of a kind.
    """
    rng = np.random.default_rng(0)
    listed = located.pairs.pairs
    kinds = [
        [row for row, pair in enumerate(listed) if pair.mated is kind] for kind in (True, False)
    ]
    number = min(most // 2, *map(len, kinds))
    if number < _FEWEST:
        raise UserError(
            f"{located.folder}: its list has {len(kinds[0])} mated and {len(kinds[1])} non-mated "
            f"pairs; the doctor needs {_FEWEST} of each"
        )
    drawn = [rng.permutation(rows)[:number] for rows in kinds]
    chosen = [listed[row] for row in np.stack(drawn, axis=1).ravel()]
    keys = tuple(dict.fromkeys(key for pair in chosen for key in (pair.left_key, pair.right_key)))
    place = {key: row for row, key in enumerate(keys)}
    names = tuple(
        np.array([getattr(pair, f"{side}_person") for pair in chosen]) for side in ("left", "right")
    )
    known = any(name not in place for side in names for name in side)  # as of `comparisons_of`
    return PairsOfFaces(
        keys,
        np.array([place[pair.left_key] for pair in chosen], dtype=np.int64),
        np.array([place[pair.right_key] for pair in chosen], dtype=np.int64),
        np.array([pair.mated for pair in chosen]),
        np.array([pair.fold for pair in chosen], dtype=np.int64),
        (names[0], names[1]) if known else None,
    )


_FEWEST = 8  # mated, and non-mated pairs


class FaceCrops:
    """The faces of pairs by alignment, crop and size, read once each.

    rules: names of ``--align`` that can be tried on these data.
    """

    def __init__(
        self, located: LocatedData, keys: tuple[str, ...], files: dict[str, str | Path | None]
    ) -> None:
        self.located, self.keys, self._files = located, keys, files
        self._aligners: dict[str, Aligner] = {}
        self._cut: dict[_Key, list[Image | None]] = {}
        self.rules = self._possible()

    def _possible(self) -> tuple[str, ...]:
        if self.located.aligned:
            return ("template", "none")
        landmarks = self._files.get("landmarks") or self.located.landmarks
        named = {"landmarks": landmarks, "yunet": self._files.get("yunet")}
        return (*(rule for rule, file in named.items() if file), "centre", "none")

    def aligner(self, rule: str) -> Aligner:
        """Of a rule, as protocols make it; UserError as of `make_aligner`."""
        if rule not in self._aligners:
            self._aligners[rule] = make_aligner(
                rule,
                self.located,
                landmarks=self._files.get("landmarks") if rule == "landmarks" else None,
                yunet=self._files.get("yunet") if rule == "yunet" else None,
                on_missing="count",
            )
        return self._aligners[rule]

    def of(self, trial: Trial, faces: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """The first faces as a trial cuts them, uint8 N×h×w×3 RGB with zeros where there is none,
        and bool N, which there are. UserError: an image that cannot be read.
        """
        size = trial.prepared.size
        found = self._cut.setdefault((trial.alignment, trial.crop, size), [])
        aligner = self.aligner(trial.alignment)
        for key in self.keys[len(found) : faces]:
            try:
                image = self.located.source.read(key)
            except ImageError as error:
                raise UserError(f"{self.located.folder}: cannot read {error}") from None
            found.append(_cropped(aligner, key, image, size, trial.crop))
        there = np.array([face is not None for face in found[:faces]])
        empty = np.zeros((*size, 3), np.uint8)
        return np.stack([empty if face is None else face for face in found[:faces]]), there


def _cropped(
    aligner: Aligner, key: str, image: Image, size: tuple[int, int], crop: str
) -> Image | None:
    if crop == PLAIN or not isinstance(aligner, WarpedAligner):
        return aligner(key, image, size)
    matrix = aligner.matrix(key, image, size)
    if matrix is None:
        return None
    across, down = zoom_of(crop, size)
    middle = np.array([size[1], size[0]]) / 2
    zoom = np.array([[across], [down]])
    wider = matrix * zoom
    wider[:, 2] += middle - zoom[:, 0] * middle
    return warp(image, wider, size)
