"""Images of template sets, and the rules that cut a face out by its box."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facebench.base.opening import IMAGE, is_stray, plain_bytes
from facebench.faces.align.aligners import LFW_MEAN_LANDMARKS, LFW_SIDE
from facebench.faces.align.template import Matrix, similarity_transform, warp
from facebench.faces.align.yunet import YuNetAligner
from facebench.faces.ijb.templates import Boxes, FaceBox
from facebench.faces.images import content_fingerprint
from facebench.faces.lfw.folder import _Folder
from facebench.faces.types import Aligner, DataKind, Image, ImageError

# LFW's images are the boxes of a face detector, 2.2 times enlarged (Huang et al. 2007, Section 4),
# so that its mean landmarks tell where in a face box the eyes and the mouth are.
EXPANSION = 2.2
# The share of a box's area that must be in its image. Boxes of faces at the margin reach beyond it
# a little; with less than half inside, list and image do not belong together.
INSIDE = 0.5
_RULE = f"x{EXPANSION},inside>={INSIDE}"
_OF_SEVERAL = re.compile(r"#[-+.,e\dna]*$")


class TemplateFaces(_Folder):
    """The faces of template lists: an image's file, or ``file#x,y,w,h`` where it has several.

    faces: the keys; root: the folder that their files are below; pinned: name and contents of the
    rendering that these files should be, for synthetic faces.
    """

    def __init__(
        self,
        name: str,
        root: Path,
        faces: Sequence[str],
        kind: DataKind = "real",
        pinned: tuple[str, str | None] | None = None,
    ) -> None:
        super().__init__(name, root)
        self.faces, self.kind, self.pinned = tuple(faces), kind, pinned

    def keys(self) -> list[str]:
        """All faces of the lists, sorted; their files need not be there."""
        return sorted(self.faces)

    def label(self, keys: Sequence[str], fingerprint: str | None = None) -> str:
        """The fingerprint; of a rendering its name, and of a changed one ``<name>+<16 hex>``."""
        if self.pinned is None:
            return super().label(keys, fingerprint)
        rendering, expected = self.pinned
        if expected is not None and expected == folder_contents(self.root):
            return rendering
        return f"{rendering}+{(fingerprint or self.fingerprint(keys)).rsplit('-', 1)[1]}"

    def _path(self, key: str) -> Path:
        return super()._path(_OF_SEVERAL.sub("", key))


def absent_folder(images: Path, folder: Path, faces: Iterable[str]) -> Path | None:
    """The folder that none of the images can be in because it is not there, or None.

    images: where they are looked for, which is ``folder`` itself where IJB-A's ``images/`` is
    absent: then ``img/`` and ``frame/`` may lie beside the lists.
    """
    if images != folder:
        return None if images.is_dir() else images
    tops = {face.partition("/")[0] if "/" in face else "." for face in faces}
    return None if any((folder / top).is_dir() for top in tops) else folder / "images"


def folder_contents(root: Path) -> str:
    """16 hexadecimal digits over all images below a folder, names and bytes."""
    found = (path for ending in ("jpg", "png") for path in root.rglob(f"*.{ending}"))
    files = {str(p.relative_to(root)): p for p in found if not is_stray(p.name)}
    return content_fingerprint("", files, lambda name: plain_bytes(files[name], IMAGE))[1:]


class FaceBoxAligner(Aligner):
    """The face box of the lists, as a square 2.2 times its longer side about its centre.

    The square is taken for an image that is centred as LFW's are, and the mean landmarks of LFW in
    it are brought to the template. A face without a box is a failure to acquire, and so is one with
    less than half of its box in the image where on_missing is ``count``.
    """

    def __init__(self, boxes: Boxes, on_missing: str = "error") -> None:
        self.boxes, self.on_missing = boxes, on_missing
        self.signature = f"face-box({boxes_digest(boxes)[:8]},{_RULE})->lfw-mean->similarity"

    def __call__(self, key: str, image: Image, size: tuple[int, int]) -> Image | None:
        """One aligned face, or None: not acquired. ImageError: see `box_in_image`."""
        box = box_in_image(self.boxes, key, image, self.on_missing)
        return None if box is None else warp(image, box_matrix(box, size), size)


class YuNetInBox(Aligner):
    """YuNet's landmarks in the square around the face box; none found is a failure to acquire.

    Boxes that are absent or outside their image are treated as `FaceBoxAligner` does.
    """

    def __init__(self, boxes: Boxes, detector: YuNetAligner, on_missing: str = "error") -> None:
        self.boxes, self.detector, self.on_missing = boxes, detector, on_missing
        self.signature = f"face-box({boxes_digest(boxes)[:8]},{_RULE})->{detector.signature}"

    def __call__(self, key: str, image: Image, size: tuple[int, int]) -> Image | None:
        """One aligned face, or None: no box, or no face in it. ImageError: see `box_in_image`."""
        box = box_in_image(self.boxes, key, image, self.on_missing)
        if box is None:
            return None
        left, top, right, bottom = square(box).astype(int)
        height, width = image.shape[:2]
        left, top = max(left, 0), max(top, 0)
        inside = image[top : min(bottom, height), left : min(right, width)]
        return self.detector(key, np.ascontiguousarray(inside), size) if inside.size else None


def box_in_image(boxes: Boxes, key: str, image: Image, on_missing: str) -> FaceBox | None:
    """The box of a face, or None: its list has none.

    ImageError where less than half of the box's area is inside the image; None with ``count``.
    """
    box = boxes.get(key)
    if box is None or not np.isfinite(box).all():
        return None
    x, y, box_width, box_height = box
    height, width = image.shape[:2]
    across = max(0.0, min(x + box_width, width) - max(x, 0.0))
    down = max(0.0, min(y + box_height, height) - max(y, 0.0))
    if across * down >= INSIDE * box_width * box_height:
        return box
    if on_missing == "count":
        return None
    raise ImageError(
        key,
        f"less than half of its face box {','.join(f'{value:.10g}' for value in box)} is inside "
        f"the image, which is {width}×{height}",
    )


def square(box: FaceBox) -> NDArray[np.float64]:
    """Left, top, right, bottom of the enlarged square about a box, float64[4] in pixels."""
    x, y, width, height = box
    half = EXPANSION * max(width, height) / 2
    middle = np.array([x + width / 2, y + height / 2])
    return np.concatenate([middle - half, middle + half])


def box_matrix(box: FaceBox, size: tuple[int, int]) -> Matrix:
    """Similarity 2×3 from the image with this face box to crops of (height, width)."""
    left, top, right, _ = square(box)
    points = np.asarray(LFW_MEAN_LANDMARKS) * ((right - left) / LFW_SIDE) + (left, top)
    return similarity_transform(points, size)


def boxes_digest(boxes: Mapping[str, FaceBox]) -> str:
    """SHA-256 over the faces' boxes, 64 hexadecimal digits."""
    total = hashlib.sha256()
    for key in sorted(boxes):
        total.update(f"{key}\0{boxes[key]}\n".encode())
    return total.hexdigest()
