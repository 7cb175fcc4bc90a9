"""Small training data and recipes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

TINY_RECIPE = """
supervision = "normalised"
normalised = true
dropout = [0.1, 0.1]
batch = 6
precision = "float32"
checkpoint_every = 1
[weights]
identity = 1.0
[train]
steps = 3
rate = 1e-3
[retrain]
steps = 2
rate = 1e-3
"""


def write_people(folder: Path, people: int = 6, images: int = 4, size=(128, 112)) -> Path:
    """A folder per identity with crops whose colour tells the person."""
    rng = np.random.default_rng(0)
    for person in range(people):
        (folder / f"person{person}").mkdir(parents=True)
        base = rng.integers(0, 255, 3)
        for image in range(images):
            noise = rng.integers(-20, 20, (*size, 3))
            face = np.clip(base + noise, 0, 255).astype(np.uint8)
            cv2.imwrite(str(folder / f"person{person}" / f"{image}.png"), face)
    return folder
