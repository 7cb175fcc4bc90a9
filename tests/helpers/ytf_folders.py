"""Small folders in exactly the layouts of YouTube Faces."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

HEADER = "split number, pair number, first name, second name, is same\n"
ROWS = (
    "1, 1, Al_Gore/0, Al_Gore/1, 1",
    "1, 2, Al_Gore/0, Bo_Derek/3, 0",
    "2, 1, Cy_Young/0, Cy_Young/2, 1",
    "2, 2, Cy_Young/0, Di_Cook/0, 0",
)
VIDEOS = ("Al_Gore/0", "Al_Gore/1", "Bo_Derek/3", "Cy_Young/0", "Cy_Young/2", "Di_Cook/0")


def image(seed: int, height: int, width: int) -> np.ndarray:
    small = np.random.default_rng(seed).integers(0, 255, (6, 5, 3), np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def write_ytf(folder: Path, framed: bool = False, rows: tuple[str, ...] = ROWS) -> Path:
    """Three frames per video, numbered 9, 10 and 100; whole frames come with their boxes."""
    root = folder / ("frame_images_DB" if framed else "aligned_images_DB")
    boxes: dict[str, list[str]] = {}
    for number, video in enumerate(VIDEOS):
        person, name = video.split("/")
        (root / video).mkdir(parents=True)
        for frame in (9, 10, 100):
            file = f"{name}.{frame}.jpg" if framed else f"aligned_detect_{name}.{frame}.jpg"
            size = (90, 120) if framed else (100, 100)
            cv2.imwrite(str(root / video / file), image(100 * number + frame, *size))
            row = f"{person}\\{name}\\{file},0,{50 + frame % 7},45,30,32,0.0,1"
            boxes.setdefault(person, []).append(row)
    for person, lines in boxes.items() if framed else ():
        (root / f"{person}.labeled_faces.txt").write_text("\r\n".join(lines) + "\r\n")
    (folder / "splits.txt").write_text(HEADER + "\n".join(rows) + "\n")
    return folder
