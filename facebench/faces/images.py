"""From the bytes of an image file to pixels, refusing files that are not complete.

OpenCV decodes a truncated JPEG with grey filling and only warns; so the structure of the file
is walked first, which costs a few microseconds. EXIF orientation is obeyed.

What this does not find: damage inside the entropy-coded data of a JPEG whose markers are all in
place. libjpeg fills the broken part and OpenCV returns it as an image. The fingerprint of the data
covers such bytes like any others, so two records of different bytes never look the same.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath
from typing import TypeVar

import cv2
import numpy as np

from facebench.base.opening import is_stray
from facebench.faces.types import Image, ImageError, Progress

MAX_PIXELS = 64_000_000
MOST_OBLONG = 100  # a crop of one pixel across has no points to align by
MOST_SCANS = 100  # each goes over all pixels again; progressive files have about ten
# In entropy-coded JPEG data 0xFF is followed by 0 (a stuffed byte), RSTn, or 0xFF (filling).
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_JPEG_SCAN, _JPEG_END = 0xDA, 0xD9
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PNG = b"\x89PNG\r\n\x1a\n"
# Of files that `decode` reads, in small letters.
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".jpe", ".jfif")
_FOREIGN = (".ppm", ".pgm", ".tif", ".tiff")  # of images that others embedded


def is_image(name: str) -> bool:
    """Whether a file of that name is an image by its ending, and not one that a system left."""
    return name.lower().endswith(SUFFIXES) and not is_stray(name)


def without_ending(key: str) -> str:
    """A key without the ending of an image, and with forward slashes."""
    path = PurePosixPath(key.replace("\\", "/"))
    return str(path.with_suffix("") if path.suffix.lower() in (*SUFFIXES, *_FOREIGN) else path)


def decode(key: str, data: bytes) -> Image:
    """Pixels of a JPEG, PNG, BMP or WebP file, uint8 H×W×3 RGB.

    ImageError where the file is empty, truncated, too large (64 megapixels, known before any is
    decoded) or undecodable.
    """
    why = incomplete(data)
    if why is not None:
        raise ImageError(key, why)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error as error:
        raise ImageError(key, f"cannot be decoded ({error.err or 'OpenCV refused it'})") from error
    if image is None:
        raise ImageError(key, "cannot be decoded")
    return image.astype(np.uint8, copy=False)


def incomplete(data: bytes) -> str | None:
    """Why these bytes are not a complete image file of a known format, or None: they are."""
    if not data:
        return "is an empty file"
    try:
        if data.startswith(b"\xff\xd8"):
            return _jpeg(data)
        if data.startswith(_PNG):
            return _png(data)
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return _webp(data)
        if data.startswith(b"BM"):
            return _bmp(data)
    except (struct.error, IndexError):
        return "is truncated"
    return "is not a JPEG, PNG, BMP or WebP file"


def _webp(data: bytes) -> str | None:
    """Compare the length with the header's, and read the size of the first chunk (RFC 9649)."""
    length, kind = struct.unpack_from("<I4x4s", data, 4)
    if kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    elif kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
    else:
        return "is a damaged WebP"
    return _unusable(height, width) or ("is truncated" if length + 8 > len(data) else None)


def _unusable(height: int, width: int) -> str | None:
    if height * width > MAX_PIXELS:
        return f"is too large ({width}×{height}; at most {MAX_PIXELS // 1_000_000} megapixels)"
    if max(height, width) > MOST_OBLONG * min(height, width) > 0:
        return f"is too narrow to show a face ({width}×{height})"
    return None


def _jpeg(data: bytes) -> str | None:
    """Walk the segments up to the end-of-image marker (ITU-T T.81, annex B)."""
    at, scans = 2, 0
    while True:
        if data[at] != 0xFF:
            return "is a damaged JPEG (a marker is missing)"
        marker = data[at + 1]
        if marker == 0xFF:  # filling before a marker
            at += 1
            continue
        if marker == _JPEG_END:
            return None if scans else "is a JPEG without an image"
        length = struct.unpack_from(">H", data, at + 2)[0]
        if marker in _JPEG_FRAMES and (why := _unusable(*struct.unpack_from(">HH", data, at + 5))):
            return why
        at += 2 + length
        if marker == _JPEG_SCAN:
            found = _JPEG_MARKER.search(data, at)
            if found is None:
                return "is truncated"
            at, scans = found.start(), scans + 1
            if scans > MOST_SCANS:
                return f"is a JPEG of more than {MOST_SCANS} scans"


def _png(data: bytes) -> str | None:
    """Walk the chunks up to IEND (PNG specification, section 5)."""
    at = len(_PNG)
    width, height = struct.unpack_from(">II", data, at + 8)
    if why := _unusable(height, width):
        return why
    while True:
        length, kind = struct.unpack_from(">I4s", data, at)
        at += 12 + length
        if at > len(data):
            return "is truncated"
        if kind == b"IEND":
            return None


def _bmp(data: bytes) -> str | None:
    """Compare the length with the header's, and with the rows of an uncompressed image."""
    size, pixels = struct.unpack_from("<I4xI", data, 2)
    width, height, bits, compression = struct.unpack_from("<ii2xHI", data, 18)
    if why := _unusable(abs(height), abs(width)):
        return why
    rows = (abs(width) * bits + 31) // 32 * 4 * abs(height) if compression == 0 else 0
    return "is truncated" if len(data) < max(size, pixels + rows) else None


_THREADS = 8
_BLOCK = 4096


Answer = TypeVar("Answer")


def broken_images(
    encoded: Callable[[str], bytes], keys: Sequence[str], progress: Progress | None = None
) -> Iterator[tuple[str, str]]:
    """Those of the images that are absent or no complete files, and why, by the files' structure:
    no pixels are decoded. encoded: the bytes of one; progress: told of images that were read.
    """

    def fault(key: str) -> str | None:
        try:
            return incomplete(encoded(key))
        except ImageError as error:
            return error.why

    for done, (key, why) in enumerate(mapped(fault, keys), 1):
        if progress is not None:
            progress(done, len(keys))
        if why is not None:
            yield key, why


def mapped(work: Callable[[str], Answer], keys: Sequence[str]) -> Iterator[tuple[str, Answer]]:
    """Every key and what some threads made of it, in order."""
    with ThreadPoolExecutor(_THREADS) as pool:
        # In blocks: a pool holds all that it was ever asked for, and videos have many frames.
        for start in range(0, len(keys), _BLOCK):
            block = keys[start : start + _BLOCK]
            yield from zip(block, pool.map(work, block), strict=True)


def content_fingerprint(name: str, keys: Iterable[str], read: Callable[[str], bytes | None]) -> str:
    """``<name>-`` and 16 hexadecimal digits of a SHA-256 over keys and contents, in sorted order.

    ``read`` gives the bytes of one image, or None where it cannot be read: absence is a content
    of its own, so that a run that counts absent images is not taken for one that had them.
    """
    ordered = sorted(set(keys))

    def digest_one(key: str) -> bytes:
        data = read(key)
        return b"absent" if data is None else hashlib.sha256(data).digest()

    total = hashlib.sha256()
    for key, digest in mapped(digest_one, ordered):
        total.update(key.encode() + b"\0" + digest + b"\n")
    return f"{name}-{total.hexdigest()[:16]}"
