"""Small images and folders for the tests of the faces room."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from facebench.faces.twins import lfw as twin

# The folders that tests write are importable in every pytest import mode.

Encode = Callable[..., bytes]


@pytest.fixture
def encode() -> Encode:
    """``encode(seed, height, width, suffix)``: the bytes of a small smooth image."""

    def make(seed: int = 0, height: int = 40, width: int = 30, suffix: str = ".jpg") -> bytes:
        small = np.random.default_rng(seed).integers(0, 255, (6, 5, 3), np.uint8)
        image = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
        return cv2.imencode(suffix, image)[1].tobytes()

    return make


@pytest.fixture
def small_lfw(tmp_path: Path, encode: Encode) -> Path:
    """A folder in LFW's layout: 4 people of 2 images, 2 folds of 1 mated and 1 non-mated pair."""
    folder = tmp_path / "small"
    for person in range(4):
        name = f"Person_{'ABCD'[person]}"
        for number in (1, 2):
            path = folder / "lfw" / name / f"{name}_{number:04d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode(10 * person + number))
    (folder / "pairs.txt").write_text(
        "2\t1\nPerson_A\t1\t2\nPerson_A\t1\tPerson_B\t1\nPerson_C\t1\t2\nPerson_C\t2\tPerson_D\t2\n"
    )
    return folder


@pytest.fixture
def small_twin(small_lfw: Path, tmp_path: Path) -> Path:
    """The same folder with names of rendered people and their marker, as the twin of seed 0."""
    folder = tmp_path / "twin"
    for file in small_lfw.rglob("*.*"):
        name = _rendered(str(file.relative_to(small_lfw)))
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(file.read_bytes())
    (folder / "pairs.txt").write_text(_rendered((small_lfw / "pairs.txt").read_text()))
    (folder / "COMPLETE.json").write_text(json.dumps({"fingerprint": twin.twin_fingerprint(0)}))
    return folder


def _rendered(text: str) -> str:
    for number, letter in enumerate("ABCD", 1):
        text = text.replace(f"Person_{letter}", twin.twin_name(number))
    return text
