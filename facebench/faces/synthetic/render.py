"""One face from four numbers: (version, seed, identity, image)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facebench.faces.synthetic.camera import decode, develop, encode
from facebench.faces.synthetic.capture import Capture, sample_capture
from facebench.faces.synthetic.drawing import Image, Mask, blend_planes, to_planes
from facebench.faces.synthetic.geometry import Map, Pose, pose_face, relief
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

    head = Mask(np.concatenate([sketch["skull"], sketch["head"]]))
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
