"""How a synthetic photograph was taken: everything that changes from image to image."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from facebench.faces.synthetic.seeding import ROLE_CAPTURE, generator
from facebench.faces.types import Array


@dataclass(frozen=True, slots=True)
class Capture:
    """The nuisance parameters of one image (angles in radians, lengths in template pixels)."""

    # pose and crop
    yaw: float
    pitch: float
    distance: float
    shift: Array  # 2
    scale: float
    roll: float
    # expression
    smile: float
    mouth_open: float
    brow_raise: float
    eye_opening: float
    gaze: Array  # 2
    # light
    light: Array  # 3, towards the light, in the camera's frame
    ambient: float
    strength: float
    light_colour: Array  # 3
    fill: float
    gloss: float
    shadow: float
    shadow_angle: float
    shadow_offset: float
    shadow_soft: float
    # what was worn or held
    hair_length: float
    hair_volume: float
    hair_shift: float
    hair_down: float
    shave: float
    makeup: float
    tan: float
    glasses: str
    glasses_colour: Array
    glasses_size: Array  # 3: half width, half height, squareness
    hat: str
    hat_colour: Array
    hat_height: float
    hand: bool
    cloth: Array
    # the camera
    exposure: float
    contrast: float
    gamma: float
    saturation: float
    cast: Array  # 3
    blur: float
    motion: float
    motion_angle: float
    noise: float
    resolution: float
    jpeg: int


def sample_capture(seed: int, identity: int, image: int) -> Capture:
    """The circumstances of one image: the same for the same (version, seed, identity, image)."""
    rng = generator(seed, ROLE_CAPTURE, identity, image)
    normals = np.minimum(np.maximum(rng.standard_normal(40), -2.5), 2.5)
    normal = iter(normals.tolist()).__next__
    uniform = iter(rng.random(64).tolist()).__next__

    def n(mean: float, deviation: float) -> float:
        drawn: float = mean + deviation * normal()
        return drawn

    def u(low: float = 0.0, high: float = 1.0) -> float:
        drawn: float = low + (high - low) * uniform()
        return drawn

    def colour(low: float, high: float) -> Array:
        return np.array([u(low, high), u(low, high), u(low, high)])

    azimuth, elevation = n(0, 0.85), u(-0.25, 1.1)
    light = np.array(
        [
            math.sin(azimuth) * math.cos(elevation),
            -math.sin(elevation),
            max(math.cos(azimuth) * math.cos(elevation), 0.15),
        ]
    )
    warmth = n(0, 0.13)
    glasses = "none"
    draw = u()
    if draw < 0.2:
        glasses = "sun" if draw < 0.025 else ("rimless" if draw < 0.06 else "frame")
    draw = u()
    hat = "none" if draw > 0.13 else ("cap" if draw < 0.06 else "beanie")
    return Capture(
        yaw=min(max(n(0, 0.27), -0.52), 0.52),
        pitch=min(max(n(0.02, 0.13), -0.3), 0.3),
        distance=u(230, 800),
        shift=np.array([n(0, 0.8), n(0, 0.8)]),
        scale=n(1, 0.018),
        roll=n(0, 0.025),
        smile=max(u(-0.6, 1.0), -0.15),
        mouth_open=max(u(-1.1, 1.0), 0.0) ** 1.5,
        brow_raise=n(0, 0.8),
        eye_opening=0.05 if u() < 0.03 else min(n(0.97, 0.13), 1.2),
        gaze=np.array([n(0, 1.1), n(0, 0.5)]),
        light=light / math.sqrt(light.dot(light)),
        ambient=u(0.28, 0.75),
        strength=u(0.75, 1.2),
        light_colour=np.exp([warmth, n(0, 0.03), -warmth]),
        fill=u(0, 0.25),
        gloss=u(0.02, 0.3) * u(),
        shadow=u(0.3, 0.7) if u() < 0.35 else 0.0,
        shadow_angle=u(-math.pi, math.pi),
        shadow_offset=n(0, 26),
        shadow_soft=u(1.0, 14.0),
        hair_length=u(),
        hair_volume=u(),
        hair_shift=n(0, 1),
        hair_down=n(0, 1.6),
        shave=u(0.6, 1.15),
        makeup=max(u(-1.0, 1.0), 0.0),
        tan=n(0, 0.05),
        glasses=glasses,
        glasses_colour=colour(10, 110) * u(0.2, 1.0),
        glasses_size=np.array([u(11.5, 14.5), u(7.0, 11.5), u(2.0, 5.0)]),
        hat=hat,
        hat_colour=colour(15, 225),
        hat_height=u(-36, -26),
        hand=u() < 0.05,
        cloth=colour(10, 240),
        exposure=n(0.05, 0.28),
        contrast=math.exp(n(0, 0.18)),
        gamma=math.exp(n(0, 0.16)),
        saturation=0.0 if u() < 0.06 else u(0.45, 1.25),
        cast=np.exp([n(0, 0.09), n(0, 0.05), n(0, 0.12)]),
        blur=max(n(0.25, 0.45), 0.0),
        motion=u(2, 5) if u() < 0.07 else 0.0,
        motion_angle=u(0, math.pi),
        noise=1.0 + 9.0 * u() ** 2.2,
        resolution=u(0.38, 0.8) if u() < 0.35 else 1.0,
        jpeg=int(u(38, 96)),
    )
