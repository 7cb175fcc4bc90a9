"""Image files: JPEG, PNG, BMP and WebP, decoded and aligned; a face detector's file."""

from __future__ import annotations

import struct
import zlib
from functools import lru_cache
from pathlib import Path
from random import Random

import cv2
import numpy as np

from facebench.faces.align.aligners import CentreCrop, NoAlignment, TemplateCrop
from facebench.faces.align.yunet import YuNetAligner
from facebench.faces.images import MAX_PIXELS, decode
from tests.fuzz.mutations import bytes_changed, png_repaired
from tests.fuzz.target import Files, Target


@lru_cache(maxsize=1)
def _images() -> tuple[bytes, ...]:
    noise = np.random.default_rng(0).integers(0, 255, (40, 30, 3), dtype=np.uint8)
    colour = cv2.GaussianBlur(noise, (5, 5), 2)
    grey = colour[:, :, 0]
    made = (
        (".jpg", colour, ()),
        (".jpg", grey, ()),
        (".jpg", colour, (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)),
        (".jpg", colour, (cv2.IMWRITE_JPEG_RST_INTERVAL, 2)),
        (".png", colour, ()),
        (".png", grey, ()),
        (".png", colour.astype(np.uint16) * 257, ()),
        (".png", np.dstack([colour, grey]), ()),
        (".png", (grey > 100).astype(np.uint8) * 255, (cv2.IMWRITE_PNG_BILEVEL, 1)),
        (".bmp", colour, ()),
        (".bmp", grey, ()),
        (".webp", colour, (cv2.IMWRITE_WEBP_QUALITY, 50)),
        (".webp", colour, (cv2.IMWRITE_WEBP_QUALITY, 101)),
    )
    images = [cv2.imencode(end, image, list(how))[1].tobytes() for end, image, how in made]
    jpeg = images[0]
    turned = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    images.append(jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(turned) + 2) + turned + jpeg[2:])
    return tuple(images)


def jpeg_crop() -> bytes:
    """A crop of 128×112 pixels."""
    return cv2.imencode(".jpg", np.full((128, 112, 3), 90, np.uint8))[1].tobytes()


def _image(rng: Random) -> Files:
    data = rng.choice(_images())
    if rng.random() < 0.6:
        return {"face.jpg": bytes_changed(rng, data)}
    changed = bytearray(data)
    sides = (0, 1, 30, 8000, 16383, 50000, 65535, 2**31 - 1, 2**31, 2**32 - 1)
    if data.startswith(b"\x89PNG"):
        return {"face.jpg": _png(rng, changed, sides)}
    if data.startswith(b"\xff\xd8"):
        at = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
        match rng.randrange(3):
            case 0:
                height, width = (rng.choice(sides) & 0xFFFF for _ in range(2))
                changed[at + 5 : at + 9] = struct.pack(">HH", height, width)
            case 1:
                changed[at + 9] = rng.choice((0, 1, 2, 4, 255))
            case _:
                changed += changed[2:]
    elif data.startswith(b"RIFF"):
        at = data.find(b"VP8 ")
        changed[21:25] = rng.randbytes(4)
        if at > 0:
            sizes = (rng.choice((0, 1, 16383)) for _ in range(2))
            changed[at + 14 : at + 18] = struct.pack("<HH", *sizes)
    else:
        sizes = (rng.choice((0, -1, 30, 2**31 - 1, -(2**31), 8000)) for _ in range(2))
        changed[18:26] = struct.pack("<ii", *sizes)
    return {"face.jpg": bytes(changed)}


def _png(rng: Random, changed: bytearray, sides: tuple[int, ...]) -> bytes:
    match rng.randrange(4):
        case 0:
            changed[16:24] = struct.pack(">II", rng.choice(sides), rng.choice(sides))
        case 1:
            depths, colours = (1, 2, 4, 8, 16, 3, 255), (0, 2, 3, 4, 6, 1, 255)
            rest = (rng.choice((0, 1, 2)) for _ in range(3))
            changed[24:29] = bytes([rng.choice(depths), rng.choice(colours), *rest])
        case 2:
            sizes = (rng.choice((30, 30000)) for _ in range(2))
            chunks = (
                b"acTL" + struct.pack(">II", rng.choice((0, 1, 1_000_000)), 0),
                b"fcTL" + struct.pack(">IIIIIHHBB", 0, *sizes, 0, 0, 1, 1, 0, 0),
                b"iCCPx\0\0" + zlib.compress(b"\0" * 10**6),
                b"zTXtk\0\0" + zlib.compress(b"\0" * 10**7),
                b"PLTE" + b"\0" * rng.choice((3, 4, 769)),
                b"tRNS\0",
            )
            chunk = rng.choice(chunks)
            changed[33:33] = struct.pack(">I", len(chunk) - 4) + chunk + b"\0\0\0\0"
        case _:
            changed[rng.randrange(8, len(changed))] ^= 255
    return png_repaired(bytes(changed))


def _read(folder: Path) -> None:
    image = decode("face.jpg", (folder / "face.jpg").read_bytes())
    assert image.dtype == np.uint8 and image.shape[2] == 3
    assert image.shape[0] * image.shape[1] <= MAX_PIXELS
    if image.size < 10**7:
        for aligner in (CentreCrop(), TemplateCrop(), NoAlignment()):
            assert aligner("face.jpg", image, (112, 96)).shape == (112, 96, 3)


def _detector(rng: Random) -> Files:
    from tests.fuzz.targets.programs import flat_onnx

    return {"yunet.onnx": bytes_changed(rng, flat_onnx())}


TARGETS = (
    Target("images", _image, _read, 2.0),
    Target("face detectors", _detector, lambda folder: YuNetAligner(folder / "yunet.onnx"), 0.3),
)
