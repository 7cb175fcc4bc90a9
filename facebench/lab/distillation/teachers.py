"""Teachers: the neurons of one model or several, of every training face, and what they take."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.base.threads import side_by_side, torch_threads
from facebench.lab.data.crops import CROP_SIZE, TrainingCrops, embed_centres, key_of
from facebench.lab.data.kept_rows import Rows, kept_rows
from facebench.models.cards.card import FACTORY
from facebench.models.cards.names import is_bare
from facebench.models.embedders.base import Embedder, unit
from facebench.models.embedders.options import ModelOptions
from facebench.models.zoo import card_for, load_model

BATCH = 64
# How files that come without a card take their faces, where nothing else is said.
OF_FILES = ModelOptions(size=(112, 112), normalise="imagenet", flip="normalised-add")
Advance = Callable[[int], None]


@dataclass(frozen=True)
class Teachers:
    """One teacher or several, seen as one layer of neurons.

    embedders: in the order given; specs: as the user wrote them; options: that they were loaded
    with; names: of their cards.
    """

    embedders: tuple[Embedder, ...]
    specs: tuple[str, ...]
    options: tuple[ModelOptions, ...]
    names: tuple[str, ...]

    def neurons(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 n×128×112×3 crops → float32 n×N: unit embeddings, one teacher after the other.

        An embedder answers with its last hidden layer (a network whose classifier was taken away)
        under its flip rule; unit length makes teachers of different scales comparable, as the
        members of an ensemble are made.
        """
        return np.concatenate([unit(embed_centres(one, crops)) for one in self.embedders], axis=1)

    @property
    def signature(self) -> str:
        """What the neurons depend on: 12 hexadecimal digits."""
        text = "\n".join(f"{one.signature} {one.runtime}" for one in self.embedders)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def origin(self, dimensions: Sequence[int], neuron: int) -> tuple[str, int]:
        """Teacher and own number of a neuron; dimensions: neurons of each teacher."""
        for name, size in zip(self.names, dimensions, strict=True):
            if neuron < size:
                return name, neuron
            neuron -= size
        raise IndexError(neuron)

    @property
    def dimensions(self) -> tuple[int, ...]:
        """Neurons of each teacher; one forward pass."""
        grey = np.full((1, *CROP_SIZE, 3), 127, np.uint8)
        return tuple(embed_centres(one, grey).shape[1] for one in self.embedders)


def load_teachers(specs: Sequence[str], given: ModelOptions | None = None) -> Teachers:
    """The models that teach, as `facebench.models.zoo.load_model` loads them.

    given: how files and code that come without a card take their faces; a card says it itself, and
    what is not given is `OF_FILES` for files and left to code.
    UserError where there is none, one is named twice, or one takes faces larger than the crops.
    """
    if not specs:
        raise UserError("name a teacher with --teacher: a model of the zoo, a card or a file")
    if len(set(specs)) < len(specs):
        raise UserError("a teacher is named twice with --teacher")
    options = tuple(_options(spec, given or ModelOptions()) for spec in specs)
    embedders = []
    for spec, own in zip(specs, options, strict=True):
        with torch_threads(1):  # every worker's own (`side_by_side`)
            embedder = load_model(spec, own)
        height, width = embedder.preprocessing.size
        if height > CROP_SIZE[0] or width > CROP_SIZE[1]:
            raise UserError(
                f"--teacher {spec}: takes {height}x{width} faces; training crops are 128x112, and "
                "a larger face cannot be cut from them"
            )
        embedders.append(embedder)
    names = tuple(card_for(spec).name for spec in specs)
    return Teachers(tuple(embedders), tuple(specs), options, names)


def _options(spec: str, given: ModelOptions) -> ModelOptions:
    if not is_bare(spec):
        return ModelOptions(untrusted=given.untrusted)
    if FACTORY.fullmatch(spec):
        return given
    said = given.given(*(field.name for field in fields(given)))
    return replace(OF_FILES, **{name: getattr(given, name) for name in said})


def neurons_of(
    crops: TrainingCrops, teachers: Teachers, folder: Path, advance: Advance | None = None
) -> NDArray[np.float32]:
    """A teacher's neurons float32 n×N of n crops, memory-mapped; kept in ``folder`` and continued.

    advance: told the number of crops done. What the folder holds of other crops or teachers is in
    files of other names. Code that no hash covers may have changed: its neurons are made again.
    """
    total = len(crops.images)

    def of(start: int) -> NDArray[np.float32]:
        rows = range(start, min(start + BATCH, total))
        return teachers.neurons(np.stack([np.asarray(crops.images[row]) for row in rows]))

    def blocks(begin: int) -> Iterator[NDArray[np.float32]]:
        starts = range(begin, total, BATCH)
        for start, neurons in zip(starts, side_by_side(of, starts), strict=True):
            yield neurons
            if advance is not None:
                advance(start + len(neurons))

    if not all(one.storable for one in teachers.embedders):
        return np.concatenate(list(blocks(0)))
    own = hashlib.sha256(key_of(crops).encode()).hexdigest()[:12]
    rows = Rows(total, (sum(teachers.dimensions),), np.float32, BATCH)
    return kept_rows(folder / f"{teachers.signature}-{own}.npy", rows, blocks)
