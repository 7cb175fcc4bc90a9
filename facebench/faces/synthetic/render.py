"""One face from four numbers: (version, seed, identity, image)."""

from __future__ import annotations

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from facebench.faces.synthetic.capture import Capture, sample_capture
from facebench.faces.synthetic.drawing import (
    Stencil,
    blend_planes,
    from_planes,
    grain_table,
    planes,
    to_planes,
)
from facebench.faces.synthetic.geometry import HEIGHT, WIDTH, Pose, pose_face, relief
from facebench.faces.synthetic.hair import back_hair, draw_hair, paint_hair
from facebench.faces.synthetic.identity import Identity, sample_identity
from facebench.faces.synthetic.outlines import draw_lines
from facebench.faces.synthetic.paint import paint_face, skin_tone
from facebench.faces.synthetic.scene import (
    background,
    body,
    cast_shadow,
    draw_body,
    ears,
    glasses,
    hand,
    hat,
)
from facebench.faces.synthetic.seeding import ROLE_SCENE, generator
from facebench.faces.synthetic.shading import shade
from facebench.faces.types import Image, Map


def render(seed: int, identity: int, image: int) -> NDArray[np.uint8]:
    """128 x 112 x 3 uint8 RGB aligned face, as decoded from its JPEG bytes."""
    return decode(render_jpeg(seed, identity, image))


def render_jpeg(seed: int, identity: int, image: int) -> bytes:
    """The JPEG bytes of the same picture."""
    who = sample_identity(seed, identity)
    how = sample_capture(seed, identity, image)
    rng = generator(seed, ROLE_SCENE, identity, image)
    return encode(develop(compose(who, how, rng), how, rng), how.jpeg)


def compose(who: Identity, how: Capture, rng: np.random.Generator) -> Map:
    """3 x 128 x 112 float32: the scene before the camera."""
    height, slope_x, slope_y = relief(who, how)
    pose: Pose = pose_face(who, how, height)
    sketch = draw_lines(who, how)
    draw_hair(sketch, who, how, rng)
    draw_body(sketch, who)
    sketch.project(pose)
    maps = shade(who, how, pose, slope_x, slope_y)
    skin = skin_tone(who, how)

    behind: Image = background(rng)
    back_hair(behind, who, how, sketch)
    body(behind, how, skin, sketch)
    ears(behind, how, skin, sketch)
    picture = to_planes(behind)

    head = Stencil(np.concatenate([sketch["skull"], sketch["head"]]))
    head.fill(sketch["skull"], 255)
    head.fill(sketch["head"], 255)
    face = paint_face(who, how, skin, pose, sketch, maps, head, rng)
    blend_planes(head.of(picture), face, head.cover(3))
    paint_hair(picture, who, how, sketch, maps, rng)
    glasses(picture, who, how, pose)
    hat(picture, who, how, pose)
    hand(picture, how, skin, rng)
    cast_shadow(picture, how)
    return picture


_LEVELS = np.arange(256, dtype=np.float64) / 255


def develop(picture: Map, how: Capture, rng: np.random.Generator) -> Image:
    """The 128 x 112 x 3 uint8 photograph of a 3 x 128 x 112 float32 picture, before JPEG."""
    # Like a camera that meters the middle, but not well; rounded, since sums differ by processor.
    middle = picture[1, 24:112:2, 16:96:2]
    meter = float(np.add.reduce(middle, axis=None) / np.float32(middle.size)) + 4
    metered = round(-0.65 * np.log(meter / 105) * 64) / 64
    picture *= planes(np.exp(metered + how.exposure) * how.cast)
    if how.saturation != 1:
        grey = np.float32(0.3) * picture[0] + np.float32(0.59) * picture[1]
        grey += np.float32(0.11) * picture[2]
        change = grey - picture
        change *= np.float32(1 - how.saturation)
        picture += change
    np.maximum(picture, 0, out=picture)
    # From here on in uint8, where OpenCV's results do not depend on the processor.
    image: MatLike = from_planes(picture)
    if how.resolution < 1:
        size = (int(WIDTH * how.resolution), int(HEIGHT * how.resolution))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        image = cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    if how.motion > 0:
        size_ = int(how.motion) // 2 * 2 + 1
        kernel = np.zeros((size_, size_), dtype=np.float32)
        half = size_ // 2
        reach = np.array([np.cos(how.motion_angle), np.sin(how.motion_angle)]) * half
        start, end = np.rint(half - reach).astype(int), np.rint(half + reach).astype(int)
        cv2.line(kernel, start.tolist(), end.tolist(), 1.0)
        image = cv2.filter2D(image, -1, kernel / kernel.sum())
    elif how.blur > 0.3:
        image = cv2.GaussianBlur(image, (5, 5), how.blur)
    ox, oy = (int(rng.integers(0, 400 - HEIGHT)) for _ in range(2))
    grain = grain_table()[oy : oy + HEIGHT, ox : ox + WIDTH]
    level = how.noise / 25
    image = cv2.addWeighted(image, 1.0, grain, level, -128 * level)
    # A film-like curve: exact, because it is a table over the 256 levels.
    curve = (_LEVELS**how.gamma - 0.5) * how.contrast + 0.5
    table = np.rint(np.minimum(np.maximum(curve, 0), 1) * 255).astype(np.uint8)
    return np.asarray(cv2.LUT(image, table), dtype=np.uint8)


def encode(image: Image, quality: int) -> bytes:
    """JPEG bytes of a 128 x 112 x 3 uint8 RGB picture."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError("OpenCV could not encode the face as JPEG")
    return bytes(data.tobytes())


def decode(data: bytes) -> NDArray[np.uint8]:
    """128 x 112 x 3 uint8 RGB picture of JPEG bytes."""
    bgr = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        raise ValueError("these bytes are not a JPEG that OpenCV reads")
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)
