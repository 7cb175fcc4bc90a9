"""The faces behind a record's comparisons, for contact sheets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from facebench.base.errors import UserError
from facebench.faces.locate import SYNTHETIC
from facebench.faces.types import Aligner, FaceSource, Image, ImageError
from facebench.figures.labels import drawn_name
from facebench.protocols.settings import Settings
from facebench.records.record import Record

if TYPE_CHECKING:
    from matplotlib.figure import SubFigure

    from facebench.protocols.cards import VerificationCard

# Rules of alignment, by how records name them.
_RULES = {
    "centre-crop": "centre",
    "template-crop": "template",
    "landmarks-5pt": "landmarks",
    "none": "none",
}
_SIZE = re.compile(r"\b(\d+)x(\d+)\b")
_USUAL = (112, 112)
_LONGEST = 30  # letters below an image


@dataclass(frozen=True)
class PairFaces:
    """Where the faces of a protocol's comparisons are: their keys, in its order. aligner: cuts them
    to ``size``, height and width, as a model saw them; None: images are drawn whole. people: who
    is in each, by its key, where the list has names.
    """

    source: FaceSource
    left: tuple[str, ...]
    right: tuple[str, ...]
    aligner: Aligner | None = None
    size: tuple[int, int] = _USUAL
    people: Mapping[str, str] = field(default_factory=dict)


FLIPS = "--show-flips"


def require_faces(record: Record, data: str | None, sheet: str = FLIPS) -> None:
    """UserError, before any work, where a record's faces cannot be those of --data.

    sheet: the option that wants them.
    """
    kind = record.protocol.kind
    if kind != "verification":
        raise _no_single_faces(record, sheet)
    if record.data.kind == "synthetic":
        return
    if data is None:
        raise UserError(f"{sheet} needs the faces: name their folder with --data")
    if data == SYNTHETIC:
        raise UserError(
            f"--data {data}: the record of {record.model.id} is of photographs, "
            f"{record.data.fingerprint}; name the folder that was evaluated"
        )


def pair_faces(
    record: Record,
    data: str | None,
    pairs: Path | None = None,
    *,
    sheet: str = FLIPS,
    cut: bool = False,
) -> PairFaces:
    """The faces behind a record's comparisons, from --data and the protocol's list.

    sheet: as of `require_faces`; cut: also how they were cut for the model, where the data tell.
    UserError: a protocol that does not compare single faces, faces that are not there, or other
    faces or comparisons than the record's.
    """
    from facebench.protocols.cards import VerificationCard, load_protocol
    from facebench.protocols.kinds.verification import prepare as prepare_pairs

    require_faces(record, data, sheet)
    card = load_protocol(record.protocol.name)
    if not isinstance(card, VerificationCard):
        raise _no_single_faces(record, sheet)
    if data is None:
        data = SYNTHETIC
    prepared = prepare_pairs(card, data, Settings(pairs=pairs), images=False)
    found = prepared.comparisons
    if found.fingerprint != record.comparisons.fingerprint:
        raise UserError(
            f"--data {data}: its list of comparisons is {found.fingerprint}, the record's "
            f"{record.comparisons.fingerprint}; name the list with --pairs"
        )
    if prepared.faces.source is None or prepared.faces.label != record.data.fingerprint:
        raise UserError(
            f"--data {data}: these faces are {prepared.faces.label}, the record's "
            f"{record.data.fingerprint}; name the folder that was evaluated"
        )
    keys = found.keys
    faces = PairFaces(
        prepared.faces.source,
        tuple(keys[index] for index in found.left),
        tuple(keys[index] for index in found.right),
        people=found.named,
    )
    if not cut:
        return faces
    size = _SIZE.search(record.model.preprocessing)
    return replace(
        faces,
        aligner=_aligner(record, card, data, pairs),
        size=(int(size[1]), int(size[2])) if size else _USUAL,
    )


def _aligner(
    record: Record, card: VerificationCard, data: str, pairs: Path | None
) -> Aligner | None:
    """What cut the faces of a record; None: the data do not tell, e.g. a detector's landmarks."""
    from facebench.protocols.kinds.verification import prepare as prepare_pairs

    rule = _RULES.get(record.alignment.partition("->")[0].partition("(")[0])
    if rule is None:
        return None
    settings = Settings(pairs=pairs, align=rule, on_missing="count")
    try:
        aligner = prepare_pairs(card, data, settings, images=True).faces.aligner
    except UserError:  # no landmarks there
        return None
    return aligner if aligner and aligner.signature == record.alignment else None


def read_face(faces: PairFaces, key: str, sheet: str) -> Image:
    """One face, cut as it was for the model where that is known; UserError: it cannot be read."""
    try:
        image = faces.source.read(key)
    except ImageError as error:
        raise UserError(f"{sheet}: {error}") from None
    found = faces.aligner(key, image, faces.size) if faces.aligner else None
    return image if found is None else found


def draw_pair(
    cell: SubFigure, keys: tuple[str, str], faces: PairFaces, colour: str, sheet: str
) -> None:
    """Two faces side by side, in frames of a colour, their names below."""
    for axes, key in zip(cell.subplots(1, 2), keys, strict=True):
        axes.imshow(read_face(faces, key, sheet))
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_xlabel(short_name(key), fontsize=8)
        for spine in axes.spines.values():
            spine.set(color=colour, linewidth=2)


def short_name(key: str) -> str:
    """The name of an image's file, as matplotlib draws it below the image."""
    name = key.rsplit("/", 1)[-1]
    return drawn_name(name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…")


def _no_single_faces(record: Record, sheet: str) -> UserError:
    return UserError(
        f"--data: {record.protocol.name} ({record.protocol.kind}) does not compare single faces; "
        f"leave it, and {sheet}, out"
    )
