from __future__ import annotations

import functools
import random
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from facebench.faces.images import decode, incomplete
from facebench.faces.types import ImageError


@pytest.mark.parametrize("suffix", [".png", ".bmp"])
def test_pixels_are_rgb(suffix: str) -> None:
    image = np.random.default_rng(0).integers(0, 255, (9, 7, 3), np.uint8)
    data = cv2.imencode(suffix, image[:, :, ::-1])[1].tobytes()
    np.testing.assert_array_equal(decode("x", data), image)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp"])
def test_every_truncation_of_a_small_file_is_found(encode, suffix: str) -> None:
    data = encode(suffix=suffix)
    assert decode("x", data).shape == (40, 30, 3)
    assert [end for end in range(len(data)) if incomplete(data[:end]) is None] == []
    with pytest.raises(ImageError, match="x: is truncated"):
        decode("x", data[: len(data) * 2 // 3])


def test_progressive_and_restart_jpegs_pass_and_their_truncations_do_not() -> None:
    image = np.random.default_rng(0).integers(0, 255, (48, 40, 3), np.uint8)
    options = (cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, 2)
    data = cv2.imencode(".jpg", image, options)[1].tobytes()
    assert data.count(b"\xff\xda") > 1
    assert b"\xff\xd0" in data
    assert incomplete(data) is None
    assert [end for end in range(len(data)) if incomplete(data[:end]) is None] == []


def test_a_thumbnail_inside_and_bytes_after_the_end_do_not_deceive(encode) -> None:
    data, thumbnail = encode(1), encode(2, 8, 8)
    app = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 8) + b"Exif\0\0" + thumbnail
    whole = data[:2] + app + data[2:]
    assert incomplete(whole + b"trailing") is None
    assert incomplete(whole[: len(whole) - 40]) == "is truncated"
    zero_filled = whole[:-200] + bytes(200)
    assert incomplete(zero_filled) == "is truncated"


def test_real_images_pass_and_their_truncations_are_found(shared_data: Path) -> None:
    rng = random.Random(0)
    files = sorted((shared_data / "lfw-mini" / "lfw").glob("*/*.jpg"))[::3]
    assert len(files) == 301
    for file in files:
        data = file.read_bytes()
        assert incomplete(data) is None
        for _ in range(3):
            assert incomplete(data[: rng.randrange(len(data))]) is not None


def test_foreign_empty_and_damaged_files_are_named(encode) -> None:
    for data, why in ((b"", "empty"), (b"GIF89a....", "not a JPEG"), (b"hello", "not a JPEG")):
        with pytest.raises(ImageError, match=why):
            decode("k", data)
    data = bytearray(encode())
    data[2] = 0  # the first marker
    with pytest.raises(ImageError, match="damaged"):
        decode("k", bytes(data))
    with pytest.raises(ImageError, match="without an image"):
        decode("k", b"\xff\xd8\xff\xd9")


def test_images_of_absurd_size_are_refused_before_decoding(encode) -> None:
    data = bytearray(encode())
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", 60000, 60000)
    with pytest.raises(ImageError, match="too large"):
        decode("k", bytes(data))


def _png(side: int, encode) -> bytes:
    data = bytearray(encode(suffix=".png"))
    data[16:24] = struct.pack(">II", side, side)
    return bytes(data)


def _bmp(side: int, encode) -> bytes:
    data = bytearray(encode(suffix=".bmp"))
    data[18:26] = struct.pack("<ii", side, -side)
    return bytes(data)


def _webp(kind: bytes, side: int, encode) -> bytes:
    data = bytearray(encode(suffix=".webp"))
    data[12:16] = kind
    data[20:30] = {
        b"VP8 ": bytes(6) + struct.pack("<HH", side, side),
        b"VP8L": b"\x2f" + struct.pack("<I", side - 1 | side - 1 << 14) + bytes(5),
        b"VP8X": bytes(4) + (side - 1).to_bytes(3, "little") * 2,
    }[kind]
    return bytes(data)


@pytest.mark.parametrize(
    "build",
    [
        _png,
        _bmp,
        functools.partial(_webp, b"VP8 "),
        functools.partial(_webp, b"VP8L"),
        functools.partial(_webp, b"VP8X"),
    ],
    ids=["png", "bmp", "webp-lossy", "webp-lossless", "webp-extended"],
)
def test_the_pixels_of_every_format_are_counted_before_decoding(build, encode) -> None:
    side = 16_000  # 256 megapixels; lossy WebP has at most 16,383 on a side
    assert incomplete(build(side, encode)) == "is too large (16000×16000; at most 64 megapixels)"


def test_the_sizes_of_honest_webp_files_are_read_rightly() -> None:
    rng = np.random.default_rng(0)
    for quality in (80, 101):  # lossy, lossless
        for shape in ((33, 1000, 3), (1000, 33, 3)):
            image = rng.integers(0, 255, shape, np.uint8)
            data = cv2.imencode(".webp", image, (cv2.IMWRITE_WEBP_QUALITY, quality))[1].tobytes()
            assert decode("x", data).shape == shape
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("facebench.faces.images.MAX_PIXELS", 32_999)
                height, width = shape[:2]
                assert str(incomplete(data)).startswith(f"is too large ({width}×{height};")


def test_a_jpeg_that_is_gone_over_again_and_again_is_refused(encode) -> None:
    data = encode()
    at = data.index(b"\xff\xda")
    scan = data[at:-2]
    assert incomplete(data[:at] + scan * 100 + data[-2:]) is None
    assert incomplete(data[:at] + scan * 101 + data[-2:]) == "is a JPEG of more than 100 scans"


@pytest.mark.parametrize("ending", [".jpg", ".png", ".bmp", ".webp"])
@pytest.mark.parametrize("shape", [(1, 101), (2000, 10)])
def test_strips_are_no_faces(ending: str, shape: tuple[int, int]) -> None:
    data = cv2.imencode(ending, np.zeros((*shape, 3), np.uint8))[1].tobytes()
    height, width = shape
    with pytest.raises(ImageError, match=f"is too narrow to show a face .{width}×{height}."):
        decode("strip", data)
    broad = cv2.imencode(ending, np.zeros((1, 100, 3), np.uint8))[1].tobytes()
    assert decode("broad", broad).shape == (1, 100, 3)
