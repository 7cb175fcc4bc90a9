"""From ``--align`` to an aligner, for faces that lists of templates name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facebench.base.errors import UserError, nearest
from facebench.base.storage import sha256_file
from facebench.faces.align.aligners import CentreCrop, LandmarkAligner, NoAlignment, TemplateCrop
from facebench.faces.align.landmarks import ORDERS
from facebench.faces.align.rules import (
    RULES,
    require_face_rule_has_use,
    require_order_has_use,
)
from facebench.faces.align.yunet import CENTRAL, YuNetAligner
from facebench.faces.ijb.ijbc import FacePoints
from facebench.faces.ijb.images import FaceBoxAligner, YuNetInBox
from facebench.faces.ijb.templates import Boxes
from facebench.faces.lfw.lists import some
from facebench.faces.types import Aligner


@dataclass(frozen=True)
class FaceHints:
    """What the data say of where the faces are.

    boxes: of every face, or None; points: landmarks of every face and the list they come from, or
    None; absent: the list of landmarks that should be there and is not; aligned: the images are
    crops of aligned faces already.
    """

    boxes: Boxes | None = None
    points: tuple[FacePoints, Path] | None = None
    absent: Path | None = None
    aligned: bool = False


def make_template_aligner(
    rule: str,
    hints: FaceHints,
    keys: Sequence[str],
    *,
    landmarks: str | Path | None = None,
    landmarks_order: str = ORDERS[0],
    detector: str | Path | None = None,
    faces: str = CENTRAL,
    on_missing: str = "error",
) -> Aligner:
    """The aligner that a rule names, for these faces.

    ``auto``: ``template`` for aligned crops, ``landmarks`` where the user or the data have them,
    ``yunet`` where a detector is named, ``centre`` where there are boxes. ``centre``: the face box
    where the lists have it, else the image as LFW's are centred; ``yunet``: inside the box where
    there is one. UserError: an unknown rule, a missing file, one without use, ``auto`` where
    nothing says where the faces are, faces without landmarks or box unless ``on_missing`` is
    ``count``.
    """
    if rule not in RULES:
        raise UserError(f"no alignment {rule!r}{nearest(rule, RULES)}; one of {', '.join(RULES)}")
    chosen = _automatic(hints, landmarks, detector) if rule == "auto" else rule
    for option, file, use in (
        ("--landmarks", landmarks, "landmarks"),
        ("--detector", detector, "yunet"),
    ):
        if file is not None and chosen != use:
            raise UserError(f"{option} {file} has no effect with --align {chosen}; leave it out")
    require_face_rule_has_use(faces, chosen)
    if landmarks is None or chosen != "landmarks":
        require_order_has_use(landmarks_order, "without --landmarks FILE")
    if chosen == "landmarks":
        aligner = _landmarks(hints, landmarks, landmarks_order, on_missing)
        aligner.require(keys)
        return aligner
    if chosen == "yunet":
        if detector is None:
            raise UserError("--align yunet needs the detector's ONNX file: --detector FILE")
        yunet = YuNetAligner(detector, faces=faces, on_missing=on_missing)
        if hints.boxes is None:
            return yunet
        _require_boxes(hints.boxes, keys, on_missing)
        return YuNetInBox(hints.boxes, yunet, on_missing)
    if chosen == "centre":
        if hints.boxes is None:
            return CentreCrop()
        _require_boxes(hints.boxes, keys, on_missing)
        return FaceBoxAligner(hints.boxes, on_missing)
    return TemplateCrop() if chosen == "template" else NoAlignment()


def _automatic(hints: FaceHints, landmarks: str | Path | None, detector: str | Path | None) -> str:
    if hints.aligned:
        return "template"
    if landmarks is not None:
        return "landmarks"
    if detector is not None:
        return "yunet"
    if hints.points is not None:
        return "landmarks"
    if hints.boxes is None:  # the image's centre is only a guess: the user has to ask for it
        raise _no_landmarks(hints)
    return "centre"


def _landmarks(
    hints: FaceHints, landmarks: str | Path | None, order: str, on_missing: str
) -> LandmarkAligner:
    if landmarks is not None:
        return LandmarkAligner.from_file(landmarks, on_missing, order)
    if hints.points is None:
        raise _no_landmarks(hints)
    points, path = hints.points
    return LandmarkAligner(points.landmarks, sha256_file(path), on_missing, published=True)


def _no_landmarks(hints: FaceHints) -> UserError:
    if hints.absent is None:
        what = "these data have no landmarks: name a file with --landmarks"
    else:
        what = f"landmarks absent: add {hints.absent}"
    return UserError(f"{what}, or choose --detector YUNET (its ONNX file) or --align centre")


def _require_boxes(boxes: Boxes, keys: Sequence[str], on_missing: str) -> None:
    without = [key for key in keys if not np.isfinite(boxes.get(key, (np.nan,))).all()]
    if without and on_missing == "error":
        raise UserError(
            f"{some(without)} of {len(keys):,} faces have no face box in their list (FACE_X, "
            "FACE_Y, FACE_WIDTH, FACE_HEIGHT); complete it, or count them as failures to acquire "
            "with --on-missing count"
        )
