"""Teachers: the neurons of one model or several, of every training face, and what they take."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facebench.errors import UserError
from facebench.nets.embedder import Embedder, unit
from facebench.nets.options import ModelOptions
from facebench.nets.specs import FACTORY, is_bare
from facebench.nets.zoo import card_for, load_model
from facebench.storage import write_atomically
from facebench.training.crops import CROP_SIZE, CropImages, embed_centres

BATCH = 64
FLUSH_EVERY = 16
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
    """The models that teach, as `facebench.nets.zoo.load_model` loads them.

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
    images: CropImages, teachers: Teachers, folder: Path, advance: Advance | None = None
) -> NDArray[np.float32]:
    """A teacher's neurons float32 n×N of n crops, memory-mapped; kept in ``folder`` and continued.

    advance: told the number of crops done. What the folder holds of other crops or teachers is in
    files of other names. Code that no hash covers may have changed: its neurons are made again.
    """
    key = f"{teachers.signature}-{_fingerprint(images)}"
    path, state = folder / f"{key}.npy", folder / f"{key}.json"
    width, total = sum(teachers.dimensions), len(images)
    folder.mkdir(parents=True, exist_ok=True)
    pinned = all(one.storable for one in teachers.embedders)
    kept_before = pinned and path.exists() and state.exists()
    done = json.loads(state.read_text())["rows"] if kept_before else 0
    if done < total:
        mode = "r+" if done else "w+"
        kept = np.lib.format.open_memmap(path, mode, np.float32, (total, width))
        for begin in range(done, total, BATCH):
            rows = range(begin, min(begin + BATCH, total))
            kept[rows.start : rows.stop] = teachers.neurons(
                np.stack([np.asarray(images[row]) for row in rows])
            )
            if rows.stop == total or begin // BATCH % FLUSH_EVERY == FLUSH_EVERY - 1:
                kept.flush()
                write_atomically(state, json.dumps({"rows": rows.stop}).encode())
            if advance is not None:
                advance(rows.stop)
        del kept
    neurons: NDArray[np.float32] = np.load(path, mmap_mode="r")
    return neurons


def _fingerprint(images: CropImages) -> str:
    """12 hexadecimal digits that other crops will hardly share: their number and some of them."""
    digest = hashlib.sha256(str(len(images)).encode())
    for row in np.linspace(0, len(images) - 1, min(32, len(images))).astype(int):
        digest.update(np.ascontiguousarray(images[int(row)]).tobytes())
    return digest.hexdigest()[:12]
