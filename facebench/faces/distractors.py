"""Images of any folder, and those of two folders as one source: a gallery and its distractors."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from pathlib import Path

from facebench.base.errors import UserError
from facebench.faces.lfw.folder import AnyFolder
from facebench.faces.lfw.rendered import rendering_of
from facebench.faces.types import FaceSource, Image


class Crowd(FaceSource):
    """A source, but some of its keys, the distractors, are images of another folder.

    UserError: there is no such folder, or one of the two is rendered and the other is not.
    """

    def __init__(
        self, source: FaceSource, folder: str | Path, distractors: Collection[str]
    ) -> None:
        self.source, self.name, self.kind = source, source.name, source.kind
        self.others = any_folder(folder, "--distractors")
        self.distractors = frozenset(distractors)
        if self.others.kind != self.kind:
            raise UserError(
                f"the distractors in {folder} are {_WORDS[self.others.kind]}, and the other faces "
                f"{_WORDS[self.kind]}; the two are never mixed"
            )

    def keys(self) -> list[str]:
        """Names of all images, sorted."""
        return sorted({*self.source.keys(), *self.distractors})

    def read(self, key: str) -> Image:
        """One image; ImageError as of the source."""
        return self._of(key).read(key)

    def missing(self, keys: Sequence[str]) -> list[str]:
        """Those that are absent, sorted."""
        own, others = self._apart(keys)
        return sorted([*self.source.missing(own), *self.others.missing(others)])

    def fingerprint(self, keys: Sequence[str]) -> str:
        """``<name>-<16 hex>`` over the fingerprints of both."""
        own, others = self._apart(keys)
        both = self.source.fingerprint(own), self.others.fingerprint(others)
        return f"{self.name}-{hashlib.sha256(' '.join(both).encode()).hexdigest()[:16]}"

    def _of(self, key: str) -> FaceSource:
        return self.others if key in self.distractors else self.source

    def _apart(self, keys: Sequence[str]) -> tuple[list[str], list[str]]:
        own = [key for key in keys if key not in self.distractors]
        return own, [key for key in keys if key in self.distractors]


_WORDS = {"real": "photographs", "synthetic": "rendered"}


def any_folder(folder: str | Path, option: str) -> AnyFolder:
    """The images below a folder. UserError: there is none; option: that named it."""
    path = Path(folder)
    if not path.is_dir():
        raise UserError(f"there is no folder {folder}; check {option}")
    found = AnyFolder(path.resolve().name, path)
    if rendering_of(path) is not None:
        found.kind = "synthetic"
    return found
