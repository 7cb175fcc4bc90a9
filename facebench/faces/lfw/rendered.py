"""Rendered faces: never taken for photographs, and never for other rendered faces."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from facebench.base.errors import UserError
from facebench.base.opening import SETTINGS, read_fields
from facebench.faces.images import content_fingerprint
from facebench.faces.lfw.folder import LfwSource
from facebench.faces.lfw.lists import PairList
from facebench.faces.twins import lfw as twin
from facebench.faces.types import DataKind

MARKER = "COMPLETE.json"
_PERSON = twin.twin_name(1).split("_")[0] + "_"


class SyntheticSource(LfwSource):
    """The rendered twin of LFW. ``rendering``: the renderer's version and seed, as its marker says.

    The fingerprint is one of contents, as that of photographs is; only the label trusts a name.
    """

    kind: DataKind = "synthetic"

    def __init__(self, folder: str | Path, rendering: str) -> None:
        super().__init__(folder, "synthetic-lfw")
        self.rendering = rendering

    def label(self, keys: Sequence[str], fingerprint: str | None = None) -> str:
        """``synthetic-lfw-v<version>-s<seed>`` where all files are what this rendering gives, on
        one kind of processor or another.

        Otherwise (changed or absent images, another JPEG encoder, a seed that is not pinned)
        ``+<16 hex>`` of the contents of these keys follows.
        """
        expected = twin.TWIN_CONTENTS.get(self.rendering, ())
        if expected and self._contents(self.keys()) in expected:
            return self.rendering
        own = fingerprint.rsplit("-", 1)[1] if fingerprint else self._contents(keys)
        return f"{self.rendering}+{own}"

    def _contents(self, keys: Sequence[str]) -> str:
        return content_fingerprint("", keys, self._bytes).removeprefix("-")


def marked_as(folder: Path) -> str | None:
    """What the marker of rendered faces in a folder calls them, empty where that is no text; None:
    there is no marker.
    """
    try:
        told = read_fields(folder / MARKER, "a marker", "fingerprint", limit=SETTINGS)
    except UserError:
        return None
    name = told["fingerprint"]
    return name if isinstance(name, str) else ""


def rendering_of(*folders: Path, twin_of: str = "lfw") -> str | None:
    """Version and seed by the marker of rendered faces in one of the folders, or None."""
    for folder in folders:
        name = marked_as(folder)
        if name is not None and name.startswith("synthetic-"):
            known = re.fullmatch(rf"synthetic-{twin_of}-v\d{{1,6}}-s\d{{1,9}}", name)
            return name if known else f"synthetic-{twin_of}-unknown"
    return None


def require_one_kind(
    data: Path,
    images: DataKind,
    listed: DataKind,
    what: str = "faces",
    named: str = "the list names photographs",
) -> None:
    """UserError unless images and the names in their list are both rendered, or both photographs.

    what: the images are; named: what to say of a list of photographs beside rendered images.
    """
    if listed == images:
        return
    if listed == "synthetic":
        raise UserError(
            f"{data} holds synthetic {what} that are not complete or lost their {MARKER}; "
            "use --data synthetic"
        )
    raise UserError(
        f"{data} holds rendered {what} by its {MARKER}, and {named}; the two are never mixed: keep "
        "photographs in a folder of their own"
    )


def kind_of(pairs: PairList, where: str) -> DataKind:
    """What the people of a list are by their names; UserError where it names both kinds."""
    people = {person for pair in pairs.pairs for person in (pair.left_person, pair.right_person)}
    return kind_of_people(people, where)


def kind_of_people(people: set[str], where: str) -> DataKind:
    """What people are by their names; UserError where rendered ones and photographed ones mix."""
    rendered = {person for person in people if person.startswith(_PERSON)}
    if not rendered:
        return "real"
    if photographed := sorted(people - rendered):
        raise UserError(
            f"{where} names synthetic faces ({min(rendered)}, ...) and photographs "
            f"({photographed[0]}, ...); the two are never mixed: evaluate them apart"
        )
    return "synthetic"
