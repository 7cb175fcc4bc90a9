"""A model of a few pixels, and folders of people whom it tells apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from facebench.models.embedders.options import ModelOptions
from facebench.protocols.settings import Settings
from tests.helpers.open_sets import image

OPTIONS = ModelOptions(size=(112, 112))
QUICK = Settings(align="none", workers=0, progress=False, store=False)


def pixels(faces: np.ndarray) -> np.ndarray:
    """uint8 N×112×112×3 → float32 N×147, without its mean."""
    small = faces[:, ::16, ::16].astype(np.float32).reshape(len(faces), -1)
    return small - small.mean(axis=1, keepdims=True)


def folder_of(folder: Path, people: int = 24, images: int = 4, prefix: str = "Person") -> Path:
    """A folder per person, each with faces of the person's own colours."""
    for person in range(people):
        name = f"{prefix} {person:02d}"
        for number in range(images):
            image(folder / name / f"IMG {number}.jpg", name, number)
    return folder
