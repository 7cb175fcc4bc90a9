"""What a user says about a model on the command line; it overrides the model's card."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Literal, cast, get_args

import torch

from facebench.base.errors import UserError, nearest
from facebench.models.embedders.base import FLIP_RULES, FlipRule

Colour = Literal["rgb", "bgr"]
Precision = Literal["float32", "bfloat16"]
Layout = Literal["nchw", "nhwc"]
COLOURS: tuple[str, ...] = get_args(Colour)
PRECISIONS: tuple[str, ...] = get_args(Precision)
LAYOUTS: tuple[str, ...] = get_args(Layout)
Triple = tuple[float, float, float]

# Mean and scale of (pixel - mean) / scale, pixels 0 to 255, in the order red, green, blue.
NORMALISE: MappingProxyType[str, tuple[Triple, Triple]] = MappingProxyType(
    {
        "imagenet": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
        "half": ((127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
        "arcface": ((127.5, 127.5, 127.5), (128.0, 128.0, 128.0)),
    }
)
SIZE_HELP = "Input of the model, height x width in pixels: 112x96, or 112 for a square."
COLOUR_HELP = "Order of the model's colour channels: rgb or bgr."
MEAN_HELP = "Subtracted from each pixel of 0 to 255, one number or one per channel: 127.5"
SCALE_HELP = "Then divided by, in the same unit of 0 to 255, one number or one per channel: 128"
NORMALISE_HELP = f"Mean and scale by name instead: {', '.join(NORMALISE)}."
FLIP_HELP = f"What is done with the mirrored face: {', '.join(FLIP_RULES)}."


@dataclass(frozen=True)
class ModelOptions:
    """Overrides of a card; None leaves what the card or the model says.

    size: (height, width); mean, scale: per channel in the model's own colour order, pixels 0 to
    255; normalise: both by name; layout, output: order of the input's axes and name of the output;
    batch: faces in the passes to come, for which sparse layers choose how to run (their results
    agree to 1e-5, and any number of faces may come). untrusted: data alone, no programs (see
    `facebench.models.cards.names.require_data`).
    UserError for an unknown normalise, or one beside mean or scale.
    """

    size: tuple[int, int] | None = None
    colour: Colour | None = None
    mean: Triple | None = None
    scale: Triple | None = None
    normalise: str | None = None
    flip: FlipRule | None = None
    device: str = "cpu"
    precision: Precision = "float32"
    layout: Layout | None = None
    output: str | None = None
    batch: int = 32
    untrusted: bool = False

    def __post_init__(self) -> None:
        if self.normalise is None:
            return
        _choice("--normalise", self.normalise, tuple(NORMALISE))
        if self.given("mean", "scale"):
            raise UserError("--normalise stands for --mean and --scale; give one or the other")

    def given(self, *names: str) -> list[str]:
        """Which of these fields differ from what they are when nobody says anything."""
        return [
            f.name for f in fields(self) if f.name in names and f.default != getattr(self, f.name)
        ]

    def of_the_machine(self) -> ModelOptions:
        """What is not about the input: models with a card take it where others need the rest."""
        return ModelOptions(
            device=self.device,
            precision=self.precision,
            batch=self.batch,
            untrusted=self.untrusted,
        )

    def refuse(self, model: str, why: str, *names: str) -> None:
        """UserError for the first of these fields that was given, as it would have no effect."""
        for name in self.given(*names):
            flag = "--output-name" if name == "output" else f"--{name}"
            raise UserError(f"model {model}: {flag} has no effect: {why}; leave it out")

    def normalisation(self, colour: Colour) -> tuple[Triple | None, Triple | None]:
        """Mean and scale in the model's colour order; None leaves those of the card."""
        if self.normalise is None:
            return self.mean, self.scale
        mean, scale = NORMALISE[self.normalise]
        return (mean, scale) if colour == "rgb" else (mean[::-1], scale[::-1])


def parse_options(
    *,
    size: str | None = None,
    colour: str | None = None,
    mean: str | None = None,
    scale: str | None = None,
    normalise: str | None = None,
    flip: str | None = None,
    device: str = "cpu",
    precision: str = "float32",
    layout: str | None = None,
    output: str | None = None,
    untrusted: bool = False,
) -> ModelOptions:
    """ModelOptions from the texts of command-line options; UserError names option and choices."""
    colour = None if colour is None else _choice("--colour", colour.lower(), COLOURS)
    divide = None if scale is None else _triple("--scale", scale)
    if divide is not None:
        check_scale("--scale", divide)
    subtract = None if mean is None else _triple("--mean", mean)
    if subtract is not None:
        check_mean("--mean", subtract)
    return ModelOptions(
        size=None if size is None else _size(size),
        colour=cast(Colour | None, colour),
        mean=subtract,
        scale=divide,
        normalise=normalise,
        flip=None if flip is None else cast(FlipRule, _choice("--flip", flip, FLIP_RULES)),
        device=device,
        precision=cast(Precision, _choice("--precision", precision, PRECISIONS)),
        layout=None if layout is None else cast(Layout, _choice("--layout", layout, LAYOUTS)),
        output=output,
        untrusted=untrusted,
    )


def check_scale(where: str, scale: Triple) -> None:
    """UserError where a scale cannot be meant in units of 0 to 255."""
    if any(not value >= 1 for value in scale):
        raise UserError(
            f"{where}: scale is in units of 0 to 255 and at least 1, not {min(scale):g}; a "
            "deviation of 0.229 on pixels of 0 to 1 is 0.229 x 255 = 58.395 here"
        )


def check_mean(where: str, mean: Triple) -> None:
    """UserError where a mean cannot be meant in units of 0 to 255."""
    if 0 < max(mean) < 1 and min(mean) >= 0:
        raise UserError(
            f"{where}: mean is in units of 0 to 255, and {max(mean):g} is next to nothing; a "
            "mean of 0.485 on pixels of 0 to 1 is 0.485 x 255 = 123.675 here"
        )


def device_parts(name: str) -> tuple[str, int]:
    """Kind (``cpu`` or ``cuda``) and index of the device with a name; UserError: no such name."""
    kind, colon, index = name.partition(":")
    if kind not in ("cpu", "cuda") or (colon and not (index.isascii() and index.isdigit())):
        hint = nearest(kind, ("cpu", "cuda"))
        raise UserError(f"--device {name!r} is not cpu, cuda or cuda:N{hint}")
    return kind, int(index or 0)


def torch_device(name: str) -> torch.device:
    """The device with a name; UserError where it is unknown or this machine does not have it."""
    kind, index = device_parts(name)
    if kind == "cuda" and not torch.cuda.is_available():
        raise UserError(f"--device {name}: this machine or this build of torch has no CUDA GPU")
    if kind == "cuda" and index >= torch.cuda.device_count():
        raise UserError(f"--device {name}: this machine has {torch.cuda.device_count()} GPUs")
    return torch.device(name)


def _choice(option: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise UserError(f"{option} {value!r}: not {', '.join(allowed)}{nearest(value, allowed)}")
    return value


def _size(text: str) -> tuple[int, int]:
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) > 2 or not all(p.isascii() and p.isdigit() for p in parts):
        raise UserError(f"--size {text!r}: height x width in pixels, for example 112x96")
    height, width = int(parts[0]), int(parts[-1])
    if not (8 <= height <= 4096 and 8 <= width <= 4096):
        raise UserError(f"--size {text!r}: each side must be 8 to 4096 pixels")
    return height, width


def _triple(option: str, text: str) -> Triple:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) not in (1, 3) or not all(math.isfinite(v) for v in values):
        raise UserError(f"{option} {text!r}: one number or three, for example 127.5,127.5,127.5")
    return (values[0], values[0], values[0]) if len(values) == 1 else (*values,)  # type: ignore[return-value]
