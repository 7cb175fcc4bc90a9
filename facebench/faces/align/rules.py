"""From ``--align`` to an aligner."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from facebench.base.errors import UserError, nearest
from facebench.faces.align.aligners import (
    INSIDE,
    CentreCrop,
    LandmarkAligner,
    NoAlignment,
    TemplateCrop,
)
from facebench.faces.align.landmarks import ORDERS, check_order
from facebench.faces.align.template import share_inside, similarity_transform
from facebench.faces.align.yunet import CENTRAL, YuNetAligner, check_face_rule
from facebench.faces.locate import LocatedData, LocatedImages
from facebench.faces.types import Aligner, FaceSource, ImageError

RULES = ("auto", "landmarks", "yunet", "centre", "template", "none")
_SIZE = (112, 112)  # of the crops that are thought of
_LOOKED_AT = 9  # images whose size is compared with their landmarks before the long work


class GuessedCentre(CentreCrop):
    """The rule ``centre`` where nothing says where the faces are."""

    remarks = (
        "no landmarks: faces are guessed to be where LFW's are in its images; --landmarks FILE or "
        "--detector YUNET finds them, --align centre says that they are there",
    )


def make_aligner(
    rule: str,
    located: LocatedData | LocatedImages,
    *,
    landmarks: str | Path | None = None,
    landmarks_order: str = ORDERS[0],
    yunet: str | Path | None = None,
    score_threshold: float = 0.6,
    faces: str = CENTRAL,
    on_missing: str = "error",
) -> Aligner:
    """The aligner that a rule names, for the data that was located.

    ``auto``: ``template`` for crops that are aligned already (synthetic, ``.bin``), ``landmarks``
    or ``yunet`` where the user named such a file, ``landmarks`` where the data have one, else
    ``centre``, which is a guess and is remarked. Whether every image of the list has landmarks, and
    whether these are in the images, is checked here. faces: which of several a detector takes, see
    `YuNetAligner`. UserError for an unknown rule, a missing file,
    a file that the rule has no use for, landmarks of other images, or images without landmarks
    unless ``on_missing="count"``.
    """
    if rule not in RULES:
        raise UserError(f"no alignment {rule!r}{nearest(rule, RULES)}; one of {', '.join(RULES)}")
    chosen = _automatic(located, landmarks, yunet) if rule == "auto" else rule
    _require_use(chosen, located, landmarks, yunet)
    require_face_rule_has_use(faces, chosen)
    if chosen == "landmarks":
        file = landmarks or located.landmarks
        if file is None:
            raise UserError(
                f"there is no landmarks.txt in {located.folder}; name one with --landmarks, or "
                "choose another --align"
            )
        aligner = LandmarkAligner.from_file(file, on_missing, landmarks_order)
        aligner.require(located.keys())
        require_inside(aligner, located.source, located.keys(), Path(file))
        return aligner
    require_order_has_use(landmarks_order, f"with --align {chosen}")
    if chosen == "yunet":
        if yunet is None:
            raise UserError("--align yunet needs the detector's ONNX file: --yunet FILE")
        return YuNetAligner(yunet, score_threshold, faces, on_missing)
    if rule == "auto" and chosen == "centre":
        return GuessedCentre()
    fixed: dict[str, Aligner] = {
        "centre": CentreCrop(),
        "template": TemplateCrop(),
        "none": NoAlignment(),
    }
    return fixed[chosen]


def require_inside(
    aligner: LandmarkAligner, source: FaceSource, keys: Sequence[str], path: Path
) -> None:
    """UserError where most crops of the images that are looked at lie outside their images."""
    there = [key for key in keys if key in aligner.landmarks]
    outside, seen = [], 0
    for key in there[:: max(1, len(there) // _LOOKED_AT)]:
        try:
            height, width = source.read(key).shape[:2]
        except ImageError:
            continue
        seen += 1
        points = aligner.landmarks[key]
        if share_inside(similarity_transform(points, _SIZE), _SIZE, (height, width)) < INSIDE:
            x, y = points.mean(0)
            outside.append(f"{key} at {x:.0f}, {y:.0f} of {width}×{height} pixels")
    if 2 * len(outside) > seen:
        raise UserError(
            f"{path}: the faces lie outside their images in {len(outside)} of {seen} that were "
            f"looked at ({outside[0]}); write landmarks in pixels of the images of {source.name} "
            "as they are there"
        )


def require_order_has_use(order: str, where: str) -> None:
    """UserError where an order of landmarks is named and none are read."""
    check_order(order)
    if order != ORDERS[0]:
        raise UserError(f"--landmarks-order {order} has no effect {where}; leave it out")


def require_face_rule_has_use(faces: str, chosen: str) -> None:
    """UserError where no detector looks for faces, and which of several is taken was said."""
    check_face_rule(faces)
    if faces != CENTRAL and chosen != "yunet":
        raise UserError(
            f"--faces {faces} has no effect with --align {chosen}, which finds no faces; name "
            "--detector YUNET, or leave it out"
        )


def _require_use(
    chosen: str,
    located: LocatedData | LocatedImages,
    landmarks: str | Path | None,
    yunet: str | Path | None,
) -> None:
    why = f"with --align {chosen}"
    if located.aligned and chosen == "template":
        why = f"on the faces of {located.folder}, which are aligned crops already"
    for option, file, rule in (
        ("--landmarks", landmarks, "landmarks"),
        ("--detector", yunet, "yunet"),
    ):
        if file is not None and chosen != rule:
            raise UserError(f"{option} {file} has no effect {why}; leave it out")


def _automatic(
    located: LocatedData | LocatedImages, landmarks: str | Path | None, yunet: str | Path | None
) -> str:
    if located.aligned:
        return "template"
    if landmarks is not None:
        return "landmarks"
    if yunet is not None:
        return "yunet"
    return "centre" if located.landmarks is None else "landmarks"
