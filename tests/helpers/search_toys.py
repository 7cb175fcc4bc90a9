"""Small folders of named images, and embeddings that gather around people."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from facebench.embedding.types import Embeddings
from facebench.faces.twins import lfw as twin
from facebench.protocols.prepared import PreparedProtocol
from facebench.protocols.settings import Settings
from facebench.similarity.base import Similarity


def write_images(folder: Path, images: Mapping[str, int], rendered: bool = False) -> Path:
    """``lfw/Name/Name_0001.jpg``; the files hold their names, and no test decodes them."""
    for name, count in images.items():
        (folder / "lfw" / name).mkdir(parents=True)
        for number in range(1, count + 1):
            file = folder / "lfw" / name / f"{name}_{number:04d}.jpg"
            file.write_text(file.name)
    if rendered:
        (folder / "COMPLETE.json").write_text(json.dumps({"fingerprint": twin.twin_fingerprint(0)}))
    return folder


def embeddings(
    keys: Sequence[str], noise: float = 0.8, lost: Sequence[str] = (), seed: int = 0
) -> Embeddings:
    """One centre per person, and noise."""
    rng = np.random.default_rng(seed)
    people = np.unique([key.split("/")[0] for key in keys], return_inverse=True)[1]
    centres = rng.normal(size=(people.max() + 1, 16))
    vectors = centres[people] + noise * rng.normal(size=(len(keys), 16))
    acquired = np.array([key not in lost for key in keys])
    vectors[~acquired] = 0
    return Embeddings(tuple(keys), vectors.astype(np.float32), acquired)


Embed = Callable[[Sequence[str]], Iterable[Embeddings]]
"""Embeddings of sorted keys, in parts."""


def embed(**choices) -> Embed:
    """Embeddings as those of `embeddings`, in one part."""
    return lambda keys: [embeddings(keys, **choices)]


def outcome_of(
    prepared: PreparedProtocol, embed: Embed, similarity: Similarity, settings: Settings
) -> Any:
    """A run on the faces that a protocol asks for."""
    return prepared.run(embed(prepared.keys(settings)), similarity, settings)
