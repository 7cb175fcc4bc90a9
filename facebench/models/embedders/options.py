"""What a user says about a model on the command line; it overrides the model's card."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from numbers import Integral, Real
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_args

from facebench.base.errors import UserError, nearest
from facebench.base.options import (
    ASIDE,
    HOW,
    INPUT,
    MACHINE,
    Option,
    check_types,
    from_texts,
    told,
)
from facebench.models.embedders.base import FLIP_RULES, FlipRule

Colour = Literal["rgb", "bgr"]
Precision = Literal["float32", "bfloat16"]
Layout = Literal["nchw", "nhwc"]
COLOURS: tuple[str, ...] = get_args(Colour)
PRECISIONS: tuple[str, ...] = get_args(Precision)
LAYOUTS: tuple[str, ...] = get_args(Layout)
Triple = tuple[float, float, float]
_LEAST_SIDE, _MOST_SIDE = 8, 4096  # pixels

# Mean and scale of (pixel - mean) / scale, pixels 0 to 255, in the order red, green, blue.
NORMALISE: MappingProxyType[str, tuple[Triple, Triple]] = MappingProxyType(
    {
        "imagenet": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
        "half": ((127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
        "arcface": ((127.5, 127.5, 127.5), (128.0, 128.0, 128.0)),
    }
)


def _size(option: str, text: str) -> tuple[int, int]:
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) > 2 or not all(re.fullmatch("[0-9]{1,9}", part) for part in parts):
        raise UserError(f"{option} {text!r}: height x width in pixels, for example 112x96")
    height, width = int(parts[0]), int(parts[-1])
    if not _possible(height, width):
        raise UserError(
            f"{option} {text!r}: each side must be {_LEAST_SIDE} to {_MOST_SIDE} pixels"
        )
    return height, width


def _possible(height: int, width: int) -> bool:
    return all(_LEAST_SIDE <= side <= _MOST_SIDE for side in (height, width))


def _triple(option: str, text: str) -> Triple:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) not in (1, 3) or not all(math.isfinite(v) for v in values):
        raise UserError(f"{option} {text!r}: one number or three, for example 127.5,127.5,127.5")
    first, *_ = values
    return (first, first, first) if len(values) == 1 else (first, values[1], values[2])


def _lower(option: str, text: str) -> str:
    return text.lower()


def _as_it_is(option: str, text: str) -> str:
    return text  # whose names are told in one line of our own


def _of_input(help: str, read: Callable[[str, str], object] | None = None, *flags: str) -> Option:
    return Option(INPUT, help, flags=flags, read=read, of_models=True)


@told
@dataclass(frozen=True)
class ModelOptions:
    """Overrides of a card; None leaves what the card or the model says.

    In Python, size is (height, width), and mean and scale are per channel in the model's own colour
    order. batch: faces in the passes to come, for which sparse layers choose how to run (their
    results agree to 1e-5, and any number of faces may come).

    Raises
    ------
    UserError
        A wrong type, a name that is not known, normalise beside mean or scale, a mean or scale that
        cannot be meant for pixels of 0 to 255, and a size that no face has.

    Examples
    --------
    >>> import facebench
    >>> facebench.ModelOptions(size=(112, 112), normalise="arcface", flip="add").size
    (112, 112)
    """

    size: Annotated[tuple[int, int] | None, _of_input("Height x width: 112x96.", _size)] = None
    colour: Annotated[Colour | None, _of_input("rgb or bgr.", _lower)] = None
    mean: Annotated[
        Triple | None, _of_input("Subtracted from pixels of 0 to 255: 127.5", _triple)
    ] = None
    scale: Annotated[Triple | None, _of_input("Then divided by: 128", _triple)] = None
    normalise: Annotated[str | None, _of_input("Both by name: imagenet, half or arcface.")] = None
    layout: Annotated[Layout | None, _of_input("Of ONNX models: nchw or nhwc.", _as_it_is)] = None
    output: Annotated[
        str | None, _of_input("Which output is the embedding.", None, "--output-name")
    ] = None
    flip: Annotated[
        FlipRule | None,
        Option(
            HOW,
            "The mirrored face: none, add, normalised-add, concat. Default: the card's. Of models "
            "without a card, where there are any.",
            read=_as_it_is,
            of_models=True,
        ),
    ] = None
    precision: Annotated[
        Precision, Option(MACHINE, "float32 or bfloat16.", read=_as_it_is, of_models=True)
    ] = "float32"
    device: Annotated[str, Option(MACHINE, "cpu, cuda, cuda:1.", of_models=True)] = "cpu"
    batch: int = 32
    untrusted: Annotated[
        bool,
        Option(ASIDE, "Take models that are data alone; refuse programs, without reading them."),
    ] = False

    def __post_init__(self) -> None:
        for name in ("size", "mean", "scale"):
            if isinstance(given := getattr(self, name), list):  # as JSON gives it
                object.__setattr__(self, name, tuple(given))
        check_size("size", self.size)
        for name in ("mean", "scale"):
            _check_triple(name, getattr(self, name))
        check_types(self)
        if self.batch < 1:
            raise UserError(f"batch is {self.batch}; it must be at least 1, such as 32")
        for name, allowed in _NAMES.items():
            value = getattr(self, name)
            if value is not None and value not in allowed:
                hint = nearest(value, allowed)
                raise UserError(f"--{name} {value!r}: not {', '.join(allowed)}{hint}")
        if self.scale is not None:
            check_scale("--scale", self.scale)
        if self.mean is not None:
            check_mean("--mean", self.mean)
        if self.normalise is not None and self.given("mean", "scale"):
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


def parse_options(**texts: str | bool | None) -> ModelOptions:
    """ModelOptions from the texts of command-line options; UserError names option and choices."""
    return from_texts(ModelOptions, texts)


_NAMES: dict[str, tuple[str, ...]] = {
    "colour": COLOURS,
    "normalise": tuple(NORMALISE),
    "layout": LAYOUTS,
    "flip": FLIP_RULES,
    "precision": PRECISIONS,
}


def check_size(name: str, size: Any) -> None:
    """UserError where a size is neither None nor (height, width) of a face."""
    if size is None:
        return
    pair = isinstance(size, tuple) and len(size) == 2
    if not pair or not all(_is(Integral, side) for side in size) or not _possible(*size):
        raise UserError(
            f"{name} is {size!r}; it must be (height, width), each {_LEAST_SIDE} to {_MOST_SIDE} "
            "pixels, such as (112, 96)"
        )


def _check_triple(name: str, values: Any) -> None:
    if values is None:
        return
    three = isinstance(values, tuple) and len(values) == 3
    if not three or not all(_is(Real, one) and math.isfinite(one) for one in values):
        raise UserError(
            f"{name} is {values!r}; it must be three numbers, one per channel, such as "
            "(127.5, 127.5, 127.5)"
        )


def _is(kind: type, value: object) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


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
    if kind not in ("cpu", "cuda") or (colon and not re.fullmatch("[0-9]{1,3}", index)):
        hint = nearest(kind, ("cpu", "cuda"))
        raise UserError(f"--device {name!r} is not cpu, cuda or cuda:N{hint}")
    return kind, int(index or 0)
