"""How the face of a YouTube Faces frame is cut out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from facebench.base.errors import UserError
from facebench.faces.align.aligners import LFW_MEAN_LANDMARKS, LFW_SIDE, LandmarkAligner
from facebench.faces.align.landmarks import ORDERS
from facebench.faces.align.rules import (
    make_aligner,
    require_face_rule_has_use,
    require_inside,
    require_order_has_use,
)
from facebench.faces.align.template import Matrix, similarity_transform, warp
from facebench.faces.align.yunet import CENTRAL
from facebench.faces.images import without_ending
from facebench.faces.lfw.lists import PairList, some
from facebench.faces.locate import LocatedData
from facebench.faces.types import Aligner, Image
from facebench.faces.ytf.frames import BOXES
from facebench.faces.ytf.lists import Box, person_of, read_boxes
from facebench.faces.ytf.locate import LocatedVideos

# The detector's box grown by this is what LFW's images, and the aligned ones of YouTube Faces, are
# cut by (Huang et al. 2007, Section "detection"; README of YouTube Faces).
_GROWN = 2.2


class LabelledBoxAligner(Aligner):
    """One similarity from the labelled box: the box grown 2.2 times, taken for an LFW image.

    LFW cut its images so, and the mean landmarks of those are the ones that are brought to the
    template; there is no rotation. root: the folder of ``Person.labeled_faces.txt``. A frame
    without a box is a UserError, or with on_missing="count" a failure to acquire.
    """

    def __init__(self, root: Path, people: Sequence[str], on_missing: str = "error") -> None:
        self.root, self.on_missing = root, on_missing
        self._last: tuple[str, dict[str, Box]] = ("", {})  # frames come person by person
        digest = hashlib.sha256()
        for person in sorted(set(people)):
            boxes = self._boxes(person)  # each file is checked here, before the long work
            digest.update(repr([(key, *_numbers(box)) for key, box in boxes.items()]).encode())
        self.signature = (
            f"labelled-box({digest.hexdigest()[:8]},x{_GROWN},lfw-mean-landmarks)->similarity"
        )

    def require(self, keys: Sequence[str]) -> None:
        """UserError with the first few and their number where frames have no box."""
        missing = [key for key in sorted(keys) if self._box(key) is None]
        if missing and self.on_missing == "error":
            raise UserError(
                f"{some(missing)} of {len(keys)} frames have no row in their person's {BOXES[1:]} "
                f"in {self.root}; complete it, or count them as failures to acquire with "
                "--on-missing count"
            )

    def __call__(self, key: str, image: Image, size: tuple[int, int]) -> Image | None:
        """One crop, or None where the frame has no box and these are counted."""
        box = self._box(key)
        if box is None:
            self.require([key])
            return None
        return warp(image, box_matrix(box, size), size)

    def _box(self, key: str) -> Box | None:
        """Of a frame, whose file may have another ending than the list says."""
        person = person_of(key)
        if self._last[0] != person:
            found = {without_ending(name): box for name, box in self._boxes(person).items()}
            self._last = (person, found)
        return self._last[1].get(without_ending(key))

    def _boxes(self, person: str) -> dict[str, Box]:
        return read_boxes(self.root / f"{person}{BOXES}", person)


def box_matrix(box: Box, size: tuple[int, int]) -> Matrix:
    """Similarity 2×3 from a frame to crops of (height, width)."""
    points = np.asarray(LFW_MEAN_LANDMARKS) - LFW_SIDE / 2
    scale = _GROWN * (box.width + box.height) / 2 / LFW_SIDE
    return similarity_transform(points * scale + (box.x, box.y), size)


def ytf_aligner(
    rule: str,
    located: LocatedVideos,
    keys: Sequence[str],
    *,
    landmarks: str | Path | None = None,
    landmarks_order: str = ORDERS[0],
    yunet: str | Path | None = None,
    faces: str = CENTRAL,
    on_missing: str = "error",
) -> Aligner:
    """The aligner that ``--align`` names, for frames that are to be embedded.

    ``auto``: for whole frames the labelled boxes, for ``aligned_images_DB`` the centre crop of
    images that are cut as LFW's are, for rendered videos their template crop; a file of landmarks
    or a detector that was named goes before. UserError: as `make_aligner`, and ``centre`` for
    whole frames, whose faces are anywhere.
    """
    source = located.source
    named = landmarks is not None or yunet is not None or located.landmarks is not None
    if source.framed and rule == "auto" and not named:
        people = [person_of(video) for video in located.pairs.videos()]
        boxes = LabelledBoxAligner(source.root, people, on_missing)
        boxes.require(keys)
        require_face_rule_has_use(faces, "auto")
        require_order_has_use(landmarks_order, "without --landmarks FILE")
        return boxes
    if source.framed and rule in ("centre", "template"):
        raise UserError(
            f"{source.root} holds whole frames, in which the face is not at a known place: leave "
            f"--align {rule} out for the labelled boxes, or use --align landmarks or yunet"
        )
    # The rules that all data sets share see the folder, not the list of pairs.
    shared = LocatedData(
        source, located.folder, PairList(()), located.landmarks, located.notice, located.aligned
    )
    aligner = make_aligner(
        rule,
        shared,
        landmarks=landmarks,
        landmarks_order=landmarks_order,
        yunet=yunet,
        faces=faces,
        on_missing=on_missing,
    )
    if isinstance(aligner, LandmarkAligner):
        aligner.require(keys)
        require_inside(aligner, source, keys, Path(landmarks or located.landmarks or ""))
    return aligner


def _numbers(box: Box) -> tuple[float, float, float, float]:
    return box.x, box.y, box.width, box.height
