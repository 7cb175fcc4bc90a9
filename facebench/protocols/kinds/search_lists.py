"""Who is searched among whom: the open and the closed set of Best-Rowden et al. 2014, drawn by lot.

What is not published (which image of a subject is the probe, who else is in the closed gallery) is
drawn by lot: the name whose SHA-256, together with the card's seed and the number of the draw, is
lowest. So a draw does not depend on a generator's version, nor on what else is in the folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.base.opening import is_comment, read_list
from facebench.faces.types import DataKind
from facebench.protocols.beside import file_beside, folders_of
from facebench.protocols.cards import IdentificationCard


@dataclass(frozen=True, eq=False)
class SearchList:
    """One draw. gallery: int64[G], probes: int64[P], positions in the keys, ascending."""

    gallery: NDArray[np.int64]
    probes: NDArray[np.int64]


def listed_names(card: IdentificationCard) -> list[str]:
    """The card's subjects: one name per line, ``#`` begins a comment; UserError: no such file."""
    there = file_beside(card, "subjects", card.subjects)
    if there is None:
        places = ", ".join(str(folder) for folder in dict.fromkeys(folders_of(card)))
        raise UserError(
            f"protocol {card.name}: there is no list of subjects {card.subjects} in {places}"
        )
    return _names_in(there)


def _names_in(path: Path) -> list[str]:
    lines = read_list(path, "the list of subjects", "at least one subject, and each once")
    names = [line.strip() for line in lines if line.strip() and not is_comment(line)]
    if not names or len(set(names)) < len(names):
        raise UserError(f"{path} must name at least one subject, and each once")
    return names


def subjects_of(
    card: IdentificationCard,
    listed: Sequence[str],
    names: Sequence[str],
    people: NDArray[np.int64],
    kind: DataKind,
) -> list[str]:
    """The subjects that are there: listed, with at least two images; sorted.

    people: int64[N], positions in names, one per image. Rendered people have other names: of those
    with at least two images, as large a share as the listed are of ``card.candidates``, by lot.
    UserError: nobody.
    """
    counts = np.bincount(people, minlength=len(names))
    several = [name for name, count in zip(names, counts, strict=True) if count > 1]
    if kind == "synthetic":
        share = min(len(several), max(1, round(len(several) * len(listed) / card.candidates)))
        found = sorted(sorted(several, key=lambda name: _lot(card.seed, 0, name))[:share])
    else:
        found = sorted(set(listed) & set(several))
    if not found:
        raise UserError(
            f"protocol {card.name}: none of the {len(listed)} people in {card.subjects} has two "
            "images here; point --data at all of the data set"
        )
    return found


def search_lists(
    card: IdentificationCard,
    keys: Sequence[str],
    names: Sequence[str],
    people: NDArray[np.int64],
    subjects: Sequence[str],
    company: int,
) -> list[SearchList]:
    """The card's draws over keys, whose people int64[N] are positions in names.

    subjects: who is both searched and in the gallery, with two images or more. Open: one image of
    each is its probe, its others are the gallery, and all images of everybody else are non-mated
    probes. Closed: one image of each is in the gallery and its others are probes; one image each of
    ``company`` other people, or of as many as there are, completes the gallery.
    """
    images = _images_of(names, people)
    inside = sorted(subjects)
    others = sorted(set(names) - set(inside))
    draws = []
    for draw in range(1, card.draws + 1):
        picked = [_picked(card, draw, images[name], keys) for name in inside]
        left = sorted({i for name in inside for i in images[name]} - set(picked))
        if card.task == "open":
            gallery, probes = left, picked + [i for name in others for i in images[name]]
        else:
            chosen = sorted(others, key=lambda name: _lot(card.seed, draw, name))[:company]
            gallery = picked + [_picked(card, draw, images[name], keys) for name in chosen]
            probes = left
        draws.append(SearchList(np.array(sorted(gallery)), np.array(sorted(probes))))
    return draws


def _images_of(names: Sequence[str], people: NDArray[np.int64]) -> dict[str, list[int]]:
    images: dict[str, list[int]] = {name: [] for name in names}
    for image, person in enumerate(people.tolist()):
        images[names[person]].append(image)
    return images


def _picked(card: IdentificationCard, draw: int, images: list[int], keys: Sequence[str]) -> int:
    return min(images, key=lambda image: _lot(card.seed, draw, keys[image]))


def _lot(seed: int, draw: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}\n{draw}\n{name}".encode()).digest()
