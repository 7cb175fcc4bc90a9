"""Landmarks from a YuNet face detector that the user names (Wu et al. 2023), through OpenCV."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError, nearest
from facebench.base.opening import MODEL, plain_bytes
from facebench.faces.align.template import Matrix, WarpedAligner, similarity_transform
from facebench.faces.types import Image, ImageError

_NMS_THRESHOLD, _TOP_K = 0.3, 500
_OUTPUTS = (b"cls_8", b"obj_8", b"bbox_8", b"kps_8")  # some of those that OpenCV asks for
# YuNet is trained for faces of 10 to 300 pixels (Wu et al. 2023, Section 4); in larger ones its
# landmarks are wrong. So a picture with a longer side is shrunk to this one (pixels) for detection,
SIDES = (320, 640)  # the second where nothing is found in the first, then the picture as it is.
# The face that was found is looked at again in the picture itself, as LFW's images are cut: in a
# square of this many times its box (Huang et al. 2007, Section 4), at most so many pixels wide.
_AROUND, _LOOK = 2.2, 250
_SAME = 0.3  # of the area that both boxes cover together is in both, at least
CENTRAL, SINGLE = "largest-central", "single"
# Of faces (area, squared distance of the centre from the image's, pixels), which one is taken: the
# one that has most of this.
_CHOICES: MappingProxyType[str, Callable[[Any, Any], Any]] = MappingProxyType(
    {
        CENTRAL: lambda area, away: area - 2 * away,
        SINGLE: lambda area, away: area,
        "largest": lambda area, away: area,
        "centred": lambda area, away: -away,
    }
)
FACE_RULES = tuple(_CHOICES)


@dataclass(frozen=True, eq=False)
class FoundFaces:
    """Faces (n×15 rows x, y, w, h, five points, score) in an image shrunk to a shape (height,
    width). scale: pixels there per pixel of the image.
    """

    faces: NDArray[Any]
    shape: tuple[int, int]
    scale: float


class YuNetAligner(WarpedAligner):
    """Detect, choose one face, and bring its five landmarks to the template.

    faces: which of several. ``largest-central``: the one with the greatest
    ``width · height − 2 · d²``, d being the distance of its box's centre from the image's (pixels);
    ``largest``, ``centred``: that with the greatest area, or the least d; ``single``: none, such an
    image is an ImageError, or with on_missing="count" a failure to acquire. Images whose longer
    side is above 320 pixels are shrunk to find faces, and the landmarks are then taken from a
    cut-out of the image as it is. None found is a failure to acquire. Picklable; every process
    makes its own detector. UserError where the file is no YuNet model.
    """

    def __init__(
        self,
        model_path: str | Path,
        score_threshold: float = 0.6,
        faces: str = CENTRAL,
        on_missing: str = "error",
    ) -> None:
        check_face_rule(faces)
        self.model_path, self.score_threshold = Path(model_path), score_threshold
        self.faces, self.on_missing = faces, on_missing
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
            f"yunet({digest[:8]},score>={score_threshold:g},{faces},"
            f"found-in-{SIDES[0]},refined)->similarity"
        )
        self._detector: cv2.FaceDetectorYN | None = None
        self._check()

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_detector": None}

    def matrix(self, key: str, image: Image, size: tuple[int, int]) -> Matrix | None:
        """See `WarpedAligner`; None: no face was found. ImageError: several, and one is wanted."""
        found = self.found(image)
        if len(found.faces) > 1 and self.faces == SINGLE:
            if self.on_missing == "count":
                return None
            raise ImageError(key, f"{len(found.faces)} faces, where --faces {SINGLE} wants one")
        points = self._points_of(image, found)
        return None if points is None else similarity_transform(points, size)

    def landmarks(self, image: Image) -> NDArray[np.float64] | None:
        """The five points of the chosen face (5×2, x y in pixels; the image's left eye first)."""
        return self._points_of(image, self.found(image))

    def found(self, image: Image) -> FoundFaces:
        """All faces of an image, which is shrunk for it where it is large."""
        longest = max(image.shape[:2])
        for side in sorted({min(side, longest) for side in (*SIDES, longest)}):
            shrunk, scale = _shrunk(image, side)
            found = FoundFaces(self._detect(shrunk), shrunk.shape[:2], scale)
            if len(found.faces):
                break
        return found

    def _points_of(self, image: Image, found: FoundFaces) -> NDArray[np.float64] | None:
        if not len(found.faces):
            return None
        face = choose_face(found.faces, found.shape, self.faces)
        if max(image.shape[:2]) <= SIDES[0]:
            return _points(face)
        return self._refined(image, face[:14].astype(np.float64) / found.scale)

    def _detect(self, image: Image) -> NDArray[Any]:
        detector = self._make()
        height, width = image.shape[:2]
        detector.setInputSize((width, height))
        _, faces = detector.detect(np.ascontiguousarray(image[:, :, ::-1]))
        return np.empty((0, 15), np.float32) if faces is None else faces

    def _refined(self, image: Image, face: NDArray[np.float64]) -> NDArray[np.float64]:
        """The points (5×2) of a face (x, y, w, h, points) from a cut-out of the image around it;
        those that it has where the cut-out shows no face of about its place and size.
        """
        x, y, w, h = face[:4]
        half, height, width = _AROUND * max(w, h) / 2, *image.shape[:2]
        left, right = (int(np.clip(x + w / 2 + d, 0, width)) for d in (-half, half))
        top, bottom = (int(np.clip(y + h / 2 + d, 0, height)) for d in (-half, half))
        cut, scale = _shrunk(image[top:bottom, left:right], _LOOK)
        found = self._detect(cut)
        if not len(found):
            return _points(face)
        again = choose_face(found, cut.shape[:2])[:14].astype(np.float64) / scale
        again += np.array([left, top, 0, 0, *[left, top] * 5])
        return _points(again if _overlap(face[:4], again[:4]) > _SAME else face)

    def ready(self) -> None:
        """Make the detector now."""
        self._make()

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


def check_face_rule(faces: str) -> None:
    """UserError with the nearest name where no rule of which face to take is called so."""
    if faces not in FACE_RULES:
        known = ", ".join(FACE_RULES)
        raise UserError(f"--faces {faces}: no such rule{nearest(faces, FACE_RULES)} ({known})")


def choose_face(faces: NDArray[Any], shape: tuple[int, int], rule: str = CENTRAL) -> NDArray[Any]:
    """The row (x, y, w, h, five points, score) of n×15 rows that a rule takes; of equal ones the
    first. shape: height and width of the image.
    """
    height, width = shape
    x, y, w, h = faces[:, :4].T.astype(np.float64)
    away = (x + w / 2 - width / 2) ** 2 + (y + h / 2 - height / 2) ** 2
    chosen: NDArray[Any] = faces[int(np.argmax(_CHOICES[rule](w * h, away)))]
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
