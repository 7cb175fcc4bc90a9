"""Faces of other people than a test's: what is fitted on a test's own says too much of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

from facebench.base.errors import UserError
from facebench.embedding.stream import OnMissing
from facebench.faces.align.rules import make_aligner
from facebench.faces.lfw.folder import FlatFolderSource, LfwSource
from facebench.faces.locate import locate_images, own_name
from facebench.faces.people import CROPS, AlignedCrop, people_in
from facebench.faces.types import Aligner, FaceSource


@dataclass(frozen=True, eq=False)
class OtherFaces:
    """Faces that something is fitted on, and who is in each; aligned by landmarks, or crops
    already. option: that named them.
    """

    option: str
    where: Path
    source: FaceSource
    aligner: Aligner
    keys: tuple[str, ...]
    people: tuple[str, ...]

    @classmethod
    def named(cls, option: str, path: Path, on_missing: OnMissing = "error") -> Self:
        """Those of a folder, or of an index of zip files. UserError: what is wrong with them."""
        if not path.is_dir() and path.suffix.lower() != ".csv":
            raise UserError(f"{option} {path}: there is no such folder, or index of zip files")
        try:
            found = _in_lfws_layout(path, on_missing) or _of_people(path, on_missing)
        except UserError as error:
            raise UserError(f"{option} {error}") from None
        return cls(option, path, *found)

    @cached_property
    def label(self) -> str:
        """What records call them, by their contents."""
        return self.source.label(self.keys)

    def require_other_people(self, tested: AbstractSet[str]) -> None:
        """UserError where a person of a test, of these names, is among them."""
        if shared := shared_people(tested, self.people):
            raise UserError(
                f"{self.option} {self.where}: {len(shared):,} people of the test are in "
                f"it (first: {shared[0]}); what is fitted on faces of a test says too much of it: "
                "name faces of others"
            )


def names_in(people: Iterable[str]) -> tuple[str, ...]:
    """Those that name somebody, sorted: numbers name nobody."""
    return tuple(sorted({name for name in people if re.search("[^0-9]", name)}))


def shared_people(tested: AbstractSet[str], people: Iterable[str]) -> list[str]:
    """Which of some people are in a test of people of these names, sorted."""
    return sorted(tested & set(names_in(people)))


_Found = tuple[FaceSource, Aligner, tuple[str, ...], tuple[str, ...]]


def _in_lfws_layout(folder: Path, on_missing: OnMissing) -> _Found | None:
    """Faces as ``--data`` of a protocol reads them; None: the folder is laid out otherwise."""
    if not folder.is_dir() or (folder / "index.csv").is_file():
        return None
    if not any(_reads(source, folder) for source in (LfwSource, FlatFolderSource)):
        return None
    located = locate_images(own_name(folder, folder.resolve().name), folder)
    keys = tuple(located.keys())
    named = tuple(key.split("/")[0] for key in keys)
    if located.aligned or located.landmarks:
        rule = "landmarks" if located.landmarks else "template"
        aligner = make_aligner(rule, located, on_missing=on_missing)
        return located.source, aligner, keys, named
    _require_crop(located.source, keys[0], folder)
    return located.source, AlignedCrop(), keys, named


def _reads(source: Callable[[Path], FaceSource], folder: Path) -> bool:
    try:
        source(folder)
    except UserError:
        return False
    return True


def _of_people(path: Path, on_missing: OnMissing) -> _Found:
    """Faces as ``--data`` of a training reads them: an index and zip files, a folder a person."""
    found = people_in(path, on_missing=on_missing)
    if isinstance(found.aligner, AlignedCrop):
        _require_crop(found.source, found.keys[0], path)
    return found.source, found.aligner, found.keys, found.identities


def _require_crop(source: FaceSource, key: str, where: Path) -> None:
    """UserError where the first image is no aligned crop; the others are looked at when read."""
    try:
        AlignedCrop()(key, source.read(key), CROPS[0])
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
