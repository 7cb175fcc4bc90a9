"""Lists of searches: ``image, subject, set``, of a gallery, its probes, and distractors."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError, nearest
from facebench.faces.tables.columns import TextTable, read_columns

IMAGE, SUBJECT, SET = "image", "subject", "set"
GALLERY, PROBE, DISTRACTOR = "gallery", "probe", "distractor"
SETS = (GALLERY, PROBE, DISTRACTOR)
_NEEDS = f"a list of searches needs image, subject and set ({', '.join(SETS)})"


@dataclass(frozen=True, eq=False)
class ListedSearch:
    """Who is searched among whom.

    images: all of them, each once: the probes in the list's order, then the gallery with its
    distractors, identity by identity, those of searched people first, else in the list's order.
    probes, mates: how many of them are probes, and after these gallery images of searched people.
    people: int64 of every image, numbers; those below ``identities`` are of the gallery, a
    distractor without a subject being a person of its own. distractors: bool of every image;
    names: of the people that have one, by their numbers.
    """

    images: tuple[str, ...]
    people: NDArray[np.int64]
    probes: int
    mates: int
    identities: int
    distractors: NDArray[np.bool_]
    names: Mapping[int, str]

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits of a SHA-256 over the images, who is in them, and what they are."""
        digest = hashlib.sha256("\n".join(self.images).encode())
        digest.update(np.append(self.people, self.probes).astype("<i8").tobytes())
        digest.update(np.packbits(self.distractors).tobytes())
        return digest.hexdigest()[:16]


def read_search(path: Path) -> ListedSearch:
    """The searches of a table in CSV or Parquet; other columns are passed over.

    Of ``subject`` only a distractor's may be empty. UserError names the row: an empty cell, a set
    that is none, an image twice, a distractor of a person who is searched; no probe, no gallery.
    """
    return search_of(read_columns(path))


def search_of(table: TextTable) -> ListedSearch:
    """As `read_search`, of columns that were read."""
    table.require(IMAGE, SUBJECT, SET, what=_NEEDS)
    images, subjects = table.filled(IMAGE), table.columns[SUBJECT]
    sets = _sets(table)
    for row, (subject, of) in enumerate(zip(subjects, sets.tolist(), strict=True)):
        if not subject and SETS[of] != DISTRACTOR:
            raise table.wrong(row, f"subject is empty; only a {DISTRACTOR} may have none")
    if len(set(images)) < len(images):
        _refuse_twice(table)
    for name in (PROBE, GALLERY):
        if not (sets == SETS.index(name)).any():
            raise UserError(f"{table.path} has no {name}; {_NEEDS}")
    return _ordered(table, images, subjects, sets)


def _sets(table: TextTable) -> NDArray[np.int64]:
    number = {name: at for at, name in enumerate(SETS)}
    found = []
    for row, text in enumerate(table.filled(SET)):
        if text not in number:
            hint = nearest(text, SETS)
            raise table.wrong(row, f"set is {text!r:.40}, not one of {', '.join(SETS)}{hint}")
        found.append(number[text])
    return np.array(found)


def _refuse_twice(table: TextTable) -> None:
    seen: dict[str, int] = {}
    for row, image in enumerate(table.columns[IMAGE]):
        first = seen.setdefault(image, row)
        if first != row:
            where = f"{table.counted} {table.lines[first]}"
            raise table.wrong(row, f"{image} is there twice, as in {where}; list it once")


def _ordered(
    table: TextTable, images: Sequence[str], subjects: Sequence[str], sets: NDArray[np.int64]
) -> ListedSearch:
    numbers: dict[str, int] = {}
    fresh = count()
    people = np.empty(len(images), dtype=np.int64)
    for row, subject in enumerate(subjects):
        if not subject:
            people[row] = next(fresh)
        elif (known := numbers.get(subject)) is not None:
            people[row] = known
        else:
            people[row] = numbers[subject] = next(fresh)
    probe, distractor = sets == SETS.index(PROBE), sets == SETS.index(DISTRACTOR)
    searched = np.unique(people[probe])
    wrong = np.flatnonzero(distractor & np.isin(people, searched))
    if wrong.size:
        row = int(wrong[0])
        raise table.wrong(
            row,
            f"the distractor {images[row]} is of {subjects[row]}, who is searched; its set is "
            f"{GALLERY}",
        )
    # Numbers anew: searched people of the gallery, then its others, then people it does not hold.
    inside = np.unique(people[~probe])
    mates = np.intersect1d(searched, inside)
    order = np.concatenate([mates, np.setdiff1d(inside, mates), np.setdiff1d(searched, mates)])
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    people = place[people]
    gallery = np.flatnonzero(~probe)
    by_person = gallery[np.argsort(people[gallery], kind="stable")]
    rows = np.concatenate([np.flatnonzero(probe), by_person])
    return ListedSearch(
        images=tuple(images[row] for row in rows),
        people=people[rows],
        probes=int(probe.sum()),
        mates=int((people[gallery] < len(mates)).sum()),
        identities=len(inside),
        distractors=distractor[rows],
        names={int(place[number]): name for name, number in numbers.items()},
    )
