"""Templates: several faces that are matched as one, and which of them are compared."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facebench.base.opening import wrong_line

FaceBox = tuple[float, float, float, float]
Boxes = dict[str, FaceBox]


@dataclass(frozen=True, eq=False)
class TemplateSet:
    """The templates of one list, and the faces of each.

    ids: int64[G], the list's numbers, ascending; subjects: int64[G], people, or None where the list
    does not say; keys: F faces, sorted, each once however many templates hold it. A row is a face
    in a template: row_template, row_face, row_medium: int64[R], positions in ids, keys and
    medium_template int64[M], which names the template of each medium (a medium in two templates
    counts as two). path: of the list, for messages.
    """

    path: Path
    ids: NDArray[np.int64]
    subjects: NDArray[np.int64] | None
    keys: tuple[str, ...]
    row_template: NDArray[np.int64]
    row_face: NDArray[np.int64]
    row_medium: NDArray[np.int64]
    medium_template: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def _position(self) -> NDArray[np.int32]:
        """int32[largest id + 1]: position of every id; -1 where no template has it."""
        table = np.full(int(self.ids[-1]) + 1, -1, dtype=np.int32)
        table[self.ids] = np.arange(len(self.ids), dtype=np.int32)
        return table

    def positions(self, ids: NDArray[np.integer], where: Path, first: int = 1) -> NDArray[np.int32]:
        """int32[n]: positions of template numbers; row i stands in line ``first`` + i of ``where``.

        UserError with file and line: a number that no template has. It is never read as template 0.
        """
        table = self._position
        known = ids < len(table)
        found = table[np.where(known, ids, 0)]
        found[~known] = -1
        if (absent := np.flatnonzero(found < 0)).size:
            line = int(absent[0])
            raise wrong_line(
                where,
                first + line,
                f"template {ids[line]} has no face in {self.path.name}; "
                "complete one of the two lists",
            )
        return found

    def chosen(
        self, ids: NDArray[np.int64], subjects: NDArray[np.int64], path: Path
    ) -> TemplateSet:
        """Only these templates, int64[G] ascending and all known, of these people; path: of the
        list that names them.
        """
        number = np.full(len(self), -1, dtype=np.int64)
        number[np.searchsorted(self.ids, ids)] = np.arange(len(ids))
        kept = number[self.row_template] >= 0
        faces, row_face = np.unique(self.row_face[kept], return_inverse=True)
        media, row_medium = np.unique(self.row_medium[kept], return_inverse=True)
        return TemplateSet(
            path,
            ids,
            subjects,
            tuple(self.keys[face] for face in faces.tolist()),
            number[self.row_template[kept]],
            row_face,
            row_medium,
            number[self.medium_template[media]],
        )

    def digest(self) -> bytes:
        """SHA-256 over the faces, their templates and media, and the people, if known."""
        total = hashlib.sha256("\n".join(self.keys).encode())
        for array in (self.ids, self.subjects, self.row_template, self.row_face, self.row_medium):
            # Lengths keep numbers of one list from being read as another's.
            total.update(b"\nunknown" if array is None else f"\n{len(array)}:".encode())
            total.update(b"" if array is None else array.astype("<i8").tobytes())
        return total.digest()


@dataclass(frozen=True, eq=False)
class TemplatePairs:
    """Comparisons of one split: left, right: int32[n], positions of templates; mated: bool[n]."""

    templates: TemplateSet
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    mated: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.mated)

    def digest(self) -> bytes:
        """SHA-256 over templates, comparisons and labels."""
        total = hashlib.sha256(self.templates.digest())
        for array in (self.left, self.right):
            total.update(array.astype("<i4").tobytes())
        total.update(self.mated.tobytes())
        return total.digest()


@dataclass(frozen=True, eq=False)
class TemplateSearch:
    """One split's gallery, one template per person, and its probes; subjects are known in both."""

    gallery: TemplateSet
    probes: TemplateSet

    def digest(self) -> bytes:
        """SHA-256 over both."""
        return hashlib.sha256(self.gallery.digest() + self.probes.digest()).digest()


def template_set(
    path: Path,
    template: NDArray[np.int64],
    subject: NDArray[np.int64] | None,
    medium: NDArray[np.int64],
    faces: Sequence[str],
    first: int,
) -> TemplateSet:
    """The templates of rows: template, subject, medium int64[R] and R face keys.

    Row i stands in line ``first`` + i; a face that stands twice in one template counts twice.
    UserError with file and line: a template of two people.
    """
    ids, row_template = np.unique(template, return_inverse=True)
    keys = tuple(sorted(set(faces)))
    position = {key: number for number, key in enumerate(keys)}
    row_face = np.fromiter((position[key] for key in faces), np.int64, len(faces))
    width = int(medium.max()) + 1  # both below 2³¹, so that the product is exact
    media, row_medium = np.unique(row_template * width + medium, return_inverse=True)
    subjects = None
    if subject is not None:
        subjects = np.empty(len(ids), dtype=np.int64)
        subjects[row_template[::-1]] = subject[::-1]  # of the first row of each
        if (wrong := np.flatnonzero(subjects[row_template] != subject)).size:
            row = int(wrong[0])
            raise wrong_line(
                path,
                first + row,
                f"template {template[row]} is of subject {subject[row]} here "
                f"and of subject {subjects[row_template[row]]} above",
            )
    return TemplateSet(
        path, ids, subjects, keys, row_template, row_face, row_medium, media // width
    )


def refuse_self_comparison(where: Path, left: NDArray[np.int32], right: NDArray[np.int32]) -> None:
    """UserError with file and line where a template is compared with itself."""
    if (itself := np.flatnonzero(left == right)).size:
        line = int(itself[0]) + 1
        raise wrong_line(where, line, "a template is compared with itself; leave this line out")
