"""``facebench data check FOLDER``: what is wrong with a folder of people's faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.evaluation.candidate import candidate_of
from facebench.evaluation.folders.embedded import UnitFaces, unit_faces
from facebench.faces.align.yunet import YuNetAligner
from facebench.faces.faults import (
    KINDS,
    TINY_RULE,
    FolderFaults,
    ImageFault,
    faults_of_images,
    lonely_people,
)
from facebench.faces.images import decode
from facebench.faces.inspection import inspect_images
from facebench.faces.lfw.folder import FlatFolderSource, LfwSource, PeopleSource
from facebench.faces.locate import locate_images, own_name
from facebench.faces.types import Aligner, DataKind, FaceSource, Image, Progress
from facebench.models.embedders.base import Embedder
from facebench.models.embedders.options import ModelOptions
from facebench.protocols.prepared import chosen_aligner
from facebench.protocols.settings import DEFAULTS, Settings
from facebench.statistics.people.labels import FOUND, wrong_labels
from facebench.statistics.people.likeness import Strangers, alike_pairs

if TYPE_CHECKING:
    from facebench.models.zoo import AnyModel

_MOST = 1000  # pairs of the same face, and likely wrong labels, that are listed
_COPIES, _AS_ALIKE = 200, 0.05  # images that are copied; the share that is less alike to its copy
_STRANGERS = 20_000  # pairs of two people whose similarities are looked at
_MODEL, _DETECTOR = "name a model with --model", "name a YuNet file with --detector"


def check_folder(
    folder: str | Path,
    model: AnyModel | None = None,
    *,
    options: ModelOptions | None = None,
    settings: Settings = DEFAULTS,
    progress: Progress | None = None,
) -> FolderFaults:
    """Look at every image of a folder per person, and with a model at who is in it.

    model: as of `evaluate`, for faces that are the same and labels that are likely wrong; settings:
    how faces are found and cut for it, and with ``detector`` counted in every image; its seed draws
    what the rules are learned of. progress: told of images that were read. UserError: no such
    folder, no images in it.
    """
    if not Path(folder).is_dir():
        raise UserError(f"there is no folder {folder}; name one with a folder for each person")
    settings = replace(settings, on_missing="count")
    located = locate_images(own_name(folder, Path(folder).resolve().name), folder)
    source, keys = located.source, located.keys()
    assert isinstance(source, LfwSource | FlatFolderSource | PeopleSource)
    candidate = None if model is None else candidate_of(model, options)
    aligner = None if candidate is None else chosen_aligner(located, settings)
    detector = None if settings.detector is None else YuNetAligner(settings.detector)
    facts = list(inspect_images(source.encoded, keys, detector, progress))
    whole = [one.key for one in facts if not one.why]
    faults = [*faults_of_images(facts), *lonely_people(whole)]
    rules, more = [TINY_RULE], dict[str, int]()
    unseen = [] if detector else [f"several faces or none: {_DETECTOR}"]
    if candidate is None:
        unseen.append(f"the same face, and likely wrong labels: {_MODEL}")
    elif whole:
        assert candidate.embedder is not None and aligner is not None
        faces = unit_faces(candidate.embedder, source, aligner, whole, settings)
        looked = _Looked(faces, candidate.embedder, source, aligner, settings)
        same = {(f.other, f.image) for f in faults if f.kind == "same file"}
        found, more["same face"], rule = looked.same_faces(same)
        faults += found
        rules.append(rule)
        labels, more["wrong label"], rule = looked.wrong_labels()
        faults += labels
        rules += [rule, *aligner.remarks]
    faults.sort(key=lambda fault: KINDS.index(fault.kind))
    return FolderFaults(
        source.name,
        source.label(keys),
        len(keys),
        len({key.split("/")[0] for key in keys}),
        tuple(faults),
        tuple(rules),
        tuple(unseen),
        source,
        {kind: count for kind, count in more.items() if count},
    )


class _Looked:
    """The faces of a folder through a model, and what it says of them."""

    def __init__(
        self,
        faces: UnitFaces,
        embedder: Embedder,
        source: LfwSource | FlatFolderSource | PeopleSource,
        aligner: Aligner,
        settings: Settings,
    ) -> None:
        self.faces, self.embedder, self.source = faces, embedder, source
        self.aligner, self.settings = aligner, settings
        self.rng = np.random.default_rng(settings.seed)

    def same_faces(self, known: set[tuple[str, str]]) -> tuple[list[ImageFault], int, str]:
        """Pairs that are as alike as an image and its copy; known: equal files, which are told."""
        copies, strangers = self._likeness_of_copies(), self._strangers()
        limit = max(float(np.quantile(copies, _AS_ALIKE)), strangers.reached_by(1.0))
        keys, who = self.faces.keys, self.faces.people
        pairs, scores, total = alike_pairs(self.faces.vectors, limit, _MOST + len(known))
        found = []
        for (one, two), score in zip(pairs.tolist(), scores.tolist(), strict=True):
            if (keys[one], keys[two]) in known:
                total -= 1
                continue
            other = ", of another person" if who[one] != who[two] else ""
            what = f"{score:.3f} like {keys[one]}{other}"
            found.append(ImageFault("same face", keys[two], what, keys[one], score))
        found = found[:_MOST]
        share, expected = float(np.mean(copies >= limit)), strangers.expected(limit)
        number = "less than 0.01" if expected < 0.01 else f"{expected:.2g}"
        rule = (
            f"same face: a similarity of {limit:.3f} or more, which {share:.0%} of {len(copies)} "
            "images here have with their own copy at half the size and JPEG quality 50; of "
            f"{strangers.pairs:,} pairs of two people {number} are expected there by a normal fit"
        )
        return found, max(0, total - len(found)), rule

    def wrong_labels(self) -> tuple[list[ImageFault], int, str]:
        """Images that are more like another person's."""
        faces = self.faces
        found = wrong_labels(faces.vectors, faces.people, self.rng)
        if found is None:
            return [], 0, "wrong label: not looked for, as too few people have two images or more"
        margins = found.margins
        order = np.flatnonzero(found.wrong)
        order = order[np.argsort(margins.margin[order], kind="stable")]
        faults = []
        for row in order[:_MOST].tolist():
            name = faces.names[margins.nearest[row]]
            what = f"{margins.own[row]:.3f} like its own, {margins.other[row]:.3f} like {name}"
            faults.append(
                ImageFault("wrong label", faces.keys[row], what, name, float(margins.margin[row]))
            )
        share = len(order) / found.judged
        rule = (
            "wrong label: more like another person's images than like its own, by more than "
            f"{-found.limit:.3f} in the mean; that finds {found.found:.0%} of {found.renamed:,} "
            f"images here that were given another name by lot (aim: {FOUND:.0%}), and of the "
            f"rightly named at most {share:.2%}, {len(order):,} of {found.judged:,}, can be false "
            "alarms"
        )
        return faults, len(order) - len(faults), rule

    def _likeness_of_copies(self) -> NDArray[np.float64]:
        """Of some images to their copies, sorted."""
        rows = np.sort(self.rng.permutation(len(self.faces.keys))[:_COPIES])
        keys = [self.faces.keys[row] for row in rows.tolist()]
        # Read here: a few images are not worth the start of other processes.
        here = replace(self.settings, workers=0, progress=False)
        copies = unit_faces(
            self.embedder, _Copies(self.source), self.aligner, keys, here, kept=False
        )
        place = {key: row for row, key in zip(rows.tolist(), keys, strict=True)}
        originals = self.faces.vectors[[place[key] for key in copies.keys]]
        return np.sort(np.sum(originals.astype(np.float64) * copies.vectors, axis=1))

    def _strangers(self) -> Strangers:
        """The similarities of two people's images, of some pairs by lot."""
        faces, count = self.faces, len(self.faces.keys)
        one, two = self.rng.integers(0, count, (2, _STRANGERS))
        apart = faces.people[one] != faces.people[two]
        left = faces.vectors[one[apart]].astype(np.float64)
        scores = np.sum(left * faces.vectors[two[apart]], axis=1)
        sizes = np.bincount(faces.people)
        return Strangers.of(scores, (count**2 - int(sizes @ sizes)) // 2)


class _Copies(FaceSource):
    """The images of a source, each made half as large, then as large as it was, then a JPEG."""

    kind: DataKind = "real"

    def __init__(self, source: LfwSource | FlatFolderSource | PeopleSource) -> None:
        self.source, self.name = source, f"copies of {source.name}"

    def keys(self) -> list[str]:
        """Those of the source."""
        return self.source.keys()

    def missing(self, keys: Sequence[str]) -> list[str]:
        """Those that the source lacks."""
        return self.source.missing(keys)

    def read(self, key: str) -> Image:
        """The copy of an image; ImageError as of the source."""
        image = self.source.read(key)
        height, width = image.shape[:2]
        half = (max(1, width // 2), max(1, height // 2))
        small = cv2.resize(image, half, interpolation=cv2.INTER_AREA)
        again = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
        done = cv2.imencode(".jpg", again[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 50])[1]
        return decode(key, done.tobytes())

    def fingerprint(self, keys: Sequence[str]) -> str:
        """That of the source, marked; copies are never kept."""
        return f"copies-{self.source.fingerprint(keys)}"
