"""Landmarks from a YuNet face detector that the user names (Wu et al. 2023), through OpenCV."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facebench.errors import UserError
from facebench.faces.alignment import similarity_transform, warp
from facebench.faces.types import Aligner, Image
from facebench.storage import sha256_file

_NMS_THRESHOLD, _TOP_K = 0.3, 500


class YuNetAligner(Aligner):
    """Detect, choose one face, and bring its five landmarks to the template.

    Of several faces the one with the greatest ``width · height − 2 · d²`` is taken, d being the
    distance of its box's centre from the image's (pixels): large and central. None found is a
    failure to acquire. Picklable; every process makes its own detector. UserError where the file
    is no YuNet model.
    """

    def __init__(self, model_path: str | Path, score_threshold: float = 0.6) -> None:
        self.model_path, self.score_threshold = Path(model_path), score_threshold
        try:
            digest = sha256_file(self.model_path)
        except OSError as error:
            raise UserError(
                f"cannot read the YuNet model {model_path}: {error.strerror}"
            ) from error
        self.signature = (
            f"yunet({digest[:8]},score>={score_threshold:g},largest-central)->similarity"
        )
        self._detector: cv2.FaceDetectorYN | None = None
        self._check()

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_detector": None}

    def __call__(self, key: str, image: Image, size: tuple[int, int]) -> Image | None:
        """One aligned face, uint8 height×width×3 RGB, or None: no face was found."""
        points = self.landmarks(image)
        return None if points is None else warp(image, similarity_transform(points, size), size)

    def landmarks(self, image: Image) -> NDArray[np.float64] | None:
        """The five points of the chosen face (5×2, x y in pixels; the image's left eye first)."""
        detector = self._make()
        height, width = image.shape[:2]
        detector.setInputSize((width, height))
        _, faces = detector.detect(np.ascontiguousarray(image[:, :, ::-1]))
        if faces is None or len(faces) == 0:
            return None
        return choose_face(faces, (height, width))[4:14].reshape(5, 2).astype(np.float64)

    def _make(self) -> cv2.FaceDetectorYN:
        if self._detector is None:
            level = cv2.utils.logging.getLogLevel()
            # OpenCV 5 warns that its new engine has no targets to choose from.
            cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
            try:
                self._detector = cv2.FaceDetectorYN.create(
                    str(self.model_path),
                    "",
                    (320, 320),
                    self.score_threshold,
                    _NMS_THRESHOLD,
                    _TOP_K,
                )
            finally:
                cv2.utils.logging.setLogLevel(level)
        return self._detector

    def _check(self) -> None:
        try:
            self.landmarks(np.zeros((64, 64, 3), np.uint8))
        except (cv2.error, ValueError) as error:
            raise UserError(
                f"{self.model_path} is not a YuNet face detector that OpenCV can use"
            ) from error


def choose_face(faces: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """The row (x, y, w, h, five points, score) of the large and central face of n×15 rows."""
    height, width = shape
    x, y, w, h = faces[:, :4].T.astype(np.float64)
    away = (x + w / 2 - width / 2) ** 2 + (y + h / 2 - height / 2) ** 2
    chosen: NDArray[Any] = faces[int(np.argmax(w * h - 2 * away))]
    return chosen
