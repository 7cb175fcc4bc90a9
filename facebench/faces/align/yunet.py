"""Landmarks from a YuNet face detector that the user names (Wu et al. 2023), through OpenCV."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.base.opening import MODEL, plain_bytes
from facebench.faces.align.template import Matrix, WarpedAligner, similarity_transform
from facebench.faces.types import Image

_NMS_THRESHOLD, _TOP_K = 0.3, 500
_OUTPUTS = (b"cls_8", b"obj_8", b"bbox_8", b"kps_8")  # some of those that OpenCV asks for
# YuNet is trained for faces of 10 to 300 pixels (Wu et al. 2023, Section 4); in larger ones its
# landmarks are wrong. So a picture with a longer side is shrunk to this one (pixels) for detection,
SIDES = (320, 640)  # the second where nothing is found in the first, then the picture as it is.
# The face that was found is looked at again in the picture itself, as LFW's images are cut: in a
# square of this many times its box (Huang et al. 2007, Section 4), at most so many pixels wide.
_AROUND, _LOOK = 2.2, 250
_SAME = 0.3  # of the area that both boxes cover together is in both, at least


class YuNetAligner(WarpedAligner):
    """Detect, choose one face, and bring its five landmarks to the template.

    Of several faces the one with the greatest ``width · height − 2 · d²`` is taken, d being the
    distance of its box's centre from the image's (pixels): large and central. Images whose longer
    side is above 320 pixels are shrunk to find it, and its landmarks are then taken from a cut-out
    of the image as it is. None found is a failure to acquire. Picklable; every process makes its
    own detector. UserError where the file is no YuNet model.
    """

    def __init__(self, model_path: str | Path, score_threshold: float = 0.6) -> None:
        self.model_path, self.score_threshold = Path(model_path), score_threshold
        try:
            data = plain_bytes(self.model_path, MODEL)
        except OSError as error:
            raise UserError(
                f"cannot read the YuNet model {model_path}: {error.strerror}"
            ) from error
        # Given other networks, or halves of them, OpenCV may end the process.
        if not all(output in data for output in _OUTPUTS):
            raise self._no_yunet()
        digest = hashlib.sha256(data).hexdigest()
        self.signature = (
            f"yunet({digest[:8]},score>={score_threshold:g},largest-central,"
            f"found-in-{SIDES[0]},refined)->similarity"
        )
        self._detector: cv2.FaceDetectorYN | None = None
        self._check()

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_detector": None}

    def matrix(self, key: str, image: Image, size: tuple[int, int]) -> Matrix | None:
        """See `WarpedAligner`; None: no face was found."""
        points = self.landmarks(image)
        return None if points is None else similarity_transform(points, size)

    def landmarks(self, image: Image) -> NDArray[np.float64] | None:
        """The five points of the chosen face (5×2, x y in pixels; the image's left eye first)."""
        longest = max(image.shape[:2])
        if longest <= SIDES[0]:
            face = self._face(image)
            return None if face is None else _points(face)
        for side in (*SIDES, longest):
            shrunk, scale = _shrunk(image, min(side, longest))
            face = self._face(shrunk)
            if face is not None:
                return self._refined(image, face[:14].astype(np.float64) / scale)
        return None

    def _face(self, image: Image) -> NDArray[Any] | None:
        """The chosen face of an image (x, y, w, h, five points, score), or None."""
        detector = self._make()
        height, width = image.shape[:2]
        detector.setInputSize((width, height))
        _, faces = detector.detect(np.ascontiguousarray(image[:, :, ::-1]))
        return None if faces is None or len(faces) == 0 else choose_face(faces, (height, width))

    def _refined(self, image: Image, face: NDArray[np.float64]) -> NDArray[np.float64]:
        """The points (5×2) of a face (x, y, w, h, points) from a cut-out of the image around it;
        those that it has where the cut-out shows no face of about its place and size.
        """
        x, y, w, h = face[:4]
        half, height, width = _AROUND * max(w, h) / 2, *image.shape[:2]
        left, right = (int(np.clip(x + w / 2 + d, 0, width)) for d in (-half, half))
        top, bottom = (int(np.clip(y + h / 2 + d, 0, height)) for d in (-half, half))
        cut, scale = _shrunk(image[top:bottom, left:right], _LOOK)
        again = self._face(cut)
        if again is None:
            return _points(face)
        again = again[:14].astype(np.float64) / scale
        again += np.array([left, top, 0, 0, *[left, top] * 5])
        return _points(again if _overlap(face[:4], again[:4]) > _SAME else face)

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
            raise self._no_yunet() from error

    def _no_yunet(self) -> UserError:
        return UserError(
            f"{self.model_path} is not a YuNet face detector that OpenCV can use; "
            "name an ONNX file of YuNet (face_detection_yunet_2023mar.onnx and its kin)"
        )


def choose_face(faces: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """The row (x, y, w, h, five points, score) of the large and central face of n×15 rows."""
    height, width = shape
    x, y, w, h = faces[:, :4].T.astype(np.float64)
    away = (x + w / 2 - width / 2) ** 2 + (y + h / 2 - height / 2) ** 2
    chosen: NDArray[Any] = faces[int(np.argmax(w * h - 2 * away))]
    return chosen


def _points(face: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(face[4:14].reshape(5, 2), dtype=np.float64)


def _shrunk(image: Image, side: int) -> tuple[Image, float]:
    """The image with its longer side at most ``side``, and its scale."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return image, 1.0
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False), scale


def _overlap(box: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """The area that two boxes (x, y, w, h) share, over the area that they cover together."""
    low = np.maximum(box[:2], other[:2])
    high = np.minimum(box[:2] + box[2:], other[:2] + other[2:])
    shared = float(np.prod(np.maximum(high - low, 0)))
    return shared / (float(np.prod(box[2:])) + float(np.prod(other[2:])) - shared)
