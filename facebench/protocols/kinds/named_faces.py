"""All faces of a data set whose images say who is in them: what is searched and compared there."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.faces.lfw.lists import read_people
from facebench.faces.lfw.rendered import kind_of_people
from facebench.faces.locate import installed_at, locate_images
from facebench.faces.types import Progress
from facebench.protocols.cards import ProtocolCard
from facebench.protocols.prepared import ProtocolFaces, chosen_aligner
from facebench.protocols.settings import DEFAULTS, Settings


def find_named_faces(
    card: ProtocolCard,
    data: str | Path | None,
    settings: Settings = DEFAULTS,
    *,
    images: bool,
    progress: Progress | None = None,
) -> ProtocolFaces:
    """Every image of the data; without images, every one that a ``people.txt`` names.

    images: False where embeddings are given instead. UserError: what is missing or wrong.
    """
    if not images and data is None:
        if settings.pairs is not None:
            return _listed(card, settings.pairs)
        if installed_at(card.dataset) is None:
            raise UserError(
                f"protocol {card.name}: embeddings need to know all images of {card.dataset}: name "
                "their folder with --data, or the official people.txt with --pairs"
            )
    elif settings.pairs is not None:
        raise UserError(
            f"protocol {card.name} compares all images of the data; --pairs {settings.pairs} has "
            "no effect, leave it out"
        )
    located = locate_images(card.dataset, data, progress=progress)
    source, keys = located.source, tuple(located.keys())
    aligner = chosen_aligner(located, settings) if images else None
    return ProtocolFaces(keys, source.name, source.kind, source, aligner, located.notice)


def _listed(card: ProtocolCard, pairs: str | Path) -> ProtocolFaces:
    people = read_people(str(pairs))
    kind = kind_of_people({person.name for person in people}, str(pairs))
    keys = tuple(sorted(chain.from_iterable(person.keys() for person in people)))
    return ProtocolFaces(keys, card.dataset, kind)


def people_of(keys: tuple[str, ...]) -> tuple[list[str], NDArray[np.int64]]:
    """(sorted names; int64[len(keys)], positions in names): the person of every key, its folder."""
    names, people = np.unique([key.split("/")[0] for key in keys], return_inverse=True)
    return [str(name) for name in names], people.astype(np.int64)
