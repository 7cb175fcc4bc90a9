"""From ``--align`` to an aligner."""

from __future__ import annotations

from pathlib import Path

from facebench.errors import UserError, nearest
from facebench.faces.aligners import CentreCrop, LandmarkAligner, NoAlignment, TemplateCrop
from facebench.faces.locate import LocatedData, LocatedImages
from facebench.faces.types import Aligner
from facebench.faces.yunet import YuNetAligner

RULES = ("auto", "landmarks", "yunet", "centre", "template", "none")


def make_aligner(
    rule: str,
    located: LocatedData | LocatedImages,
    *,
    landmarks: str | Path | None = None,
    yunet: str | Path | None = None,
    score_threshold: float = 0.6,
    on_missing: str = "error",
) -> Aligner:
    """The aligner that a rule names, for the data that was located.

    ``auto``: ``template`` for crops that are aligned already (synthetic, ``.bin``), ``landmarks``
    or ``yunet`` where the user named such a file, ``landmarks`` where the data have one, else
    ``centre``. Whether every image of the list has landmarks is checked here. UserError for an
    unknown rule, a missing file, a file that the rule has no use for, or images without landmarks
    unless ``on_missing="count"``.
    """
    if rule not in RULES:
        raise UserError(f"no alignment {rule!r}{nearest(rule, RULES)}; one of {', '.join(RULES)}")
    chosen = _automatic(located, landmarks, yunet) if rule == "auto" else rule
    _require_use(chosen, located, landmarks, yunet)
    if chosen == "landmarks":
        file = landmarks or located.landmarks
        if file is None:
            raise UserError(
                f"there is no landmarks.txt in {located.folder}; name one with --landmarks, or "
                "choose another --align"
            )
        aligner = LandmarkAligner.from_file(file, on_missing)
        aligner.require(located.keys())
        return aligner
    if chosen == "yunet":
        if yunet is None:
            raise UserError("--align yunet needs the detector's ONNX file: --yunet FILE")
        return YuNetAligner(yunet, score_threshold)
    fixed: dict[str, Aligner] = {
        "centre": CentreCrop(),
        "template": TemplateCrop(),
        "none": NoAlignment(),
    }
    return fixed[chosen]


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
