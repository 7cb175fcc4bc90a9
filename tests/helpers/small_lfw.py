"""A small folder of faces in LFW's layout."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np


def small_lfw(folder: Path) -> Path:
    """Eight people of two images, 2 folds of 4 + 4 pairs."""
    rng = np.random.default_rng(0)
    names = [f"Person_{letter}" for letter in "ABCDEFGH"]
    for name in names:
        base = cv2.resize(rng.integers(0, 255, (6, 6, 3), dtype=np.uint8), (250, 250))
        (folder / "lfw" / name).mkdir(parents=True)
        for number in (1, 2):
            image = np.clip(base + rng.normal(0, 20, base.shape), 0, 255).astype(np.uint8)
            cv2.imwrite(str(folder / "lfw" / name / f"{name}_{number:04d}.jpg"), image)
    lines = ["2\t4"]
    for fold in (0, 4):
        own = names[fold : fold + 4]
        lines += [f"{name}\t1\t2" for name in own]
        lines += [f"{own[i]}\t1\t{own[(i + 1) % 4]}\t2" for i in range(4)]
    (folder / "pairs.txt").write_text("\n".join(lines) + "\n")
    return folder
