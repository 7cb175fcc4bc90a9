"""What is found wrong with a folder of people's faces, and what is only said of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from facebench.faces.inspection import TINY, ImageFacts
from facebench.faces.types import FaceSource

FaultKind = Literal[
    "unreadable", "empty", "tiny", "no face", "same file", "same face", "wrong label",
    "several faces", "one image",
]  # fmt: skip
NOTED = ("several faces", "one image")
"""Kinds that are no fault by themselves: such folders are evaluated as they are."""
KINDS: tuple[FaultKind, ...] = (
    *("unreadable", "empty", "tiny", "no face", "same file", "same face", "wrong label"),
    *("several faces", "one image"),
)


@dataclass(frozen=True)
class ImageFault:
    """One finding: its kind, the image, in words what was found, the other image (the same file or
    face) or person (of a wrong label), and a similarity or margin where a model gave one.
    """

    kind: FaultKind
    image: str
    what: str
    other: str = ""
    value: float | None = None

    @property
    def person(self) -> str:
        """Whose image it is, by its folder."""
        return self.image.split("/")[0]


@dataclass(frozen=True, eq=False)
class FolderFaults:
    """A folder that was looked at. name, fingerprint: as records say them; rules: by which findings
    are called so, in sentences; unseen: what was not looked for, and what would look for it;
    source: of the images, for a contact sheet; more: how many there are beyond those listed.
    """

    name: str
    fingerprint: str
    images: int
    people: int
    faults: tuple[ImageFault, ...]
    rules: tuple[str, ...]
    unseen: tuple[str, ...]
    source: FaceSource
    more: dict[str, int]

    @property
    def wrong(self) -> bool:
        """Whether anything is more than noted."""
        return any(fault.kind not in NOTED for fault in self.faults)

    def count(self, kind: FaultKind) -> int:
        """How many there are of a kind, listed or not."""
        listed = sum(fault.kind == kind for fault in self.faults)
        return listed + self.more.get(kind, 0)

    def rows(self) -> list[dict[str, str | float | None]]:
        """A line for every finding, for CSV and JSON."""
        return [
            {
                "kind": fault.kind,
                "fault": "noted" if fault.kind in NOTED else "wrong",
                "person": fault.person,
                "image": "" if fault.kind == "one image" else fault.image,
                "other": fault.other,
                "value": fault.value,
                "what": fault.what,
            }
            for fault in self.faults
        ]


def faults_of_images(facts: Iterable[ImageFacts]) -> Iterator[ImageFault]:
    """Of images by themselves, and of the same bytes under several names."""
    first: dict[bytes, str] = {}
    for one in facts:
        if one.why:
            yield ImageFault("empty" if one.empty else "unreadable", one.key, one.why)
            continue
        if one.tiny:
            height, width = one.shape
            yield ImageFault("tiny", one.key, f"{width}×{height} pixels")
        if one.faces == 0:
            yield ImageFault("no face", one.key, "the detector finds none")
        elif one.faces is not None and one.faces > 1:
            yield ImageFault("several faces", one.key, f"the detector finds {one.faces}")
        original = first.setdefault(one.digest, one.key)
        if original != one.key:
            where = "" if _person(original) == _person(one.key) else ", of another person"
            yield ImageFault("same file", one.key, f"the bytes of {original}{where}", original)


def lonely_people(keys: Sequence[str]) -> Iterator[ImageFault]:
    """People with one image, of those that can be read."""
    counts = Counter(map(_person, keys))
    for key in keys:
        if counts[_person(key)] == 1:
            yield ImageFault("one image", key, "no mated pair can be made of one")


TINY_RULE = f"tiny: the shorter side has less than {TINY} pixels"


def _person(key: str) -> str:
    return key.split("/")[0]
