"""One way to prepare a network's input and to read its output, and the others that are near it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from facebench.models.embedders.base import FLIP_RULES, Preprocessing
from facebench.models.embedders.options import NORMALISE, Layout, Triple

AXES = ("output", "layout", "normalisation", "colour", "alignment", "size", "crop", "flip")
PLAIN, MARGIN, TIGHT, SQUARE = "plain", "margin", "tight", "square"
# What a face is cut to beside the size that is stated, where the network takes it.
SIZES = ((112, 112), (112, 96), (160, 160))
_RAW: tuple[Triple, Triple] = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
_SHARES: tuple[Triple, Triple] = ((0.0, 0.0, 0.0), (255.0, 255.0, 255.0))
_TEMPLATE = (112, 96)


@dataclass(frozen=True)
class Trial:
    """A preparation. alignment: a rule of ``--align``; crop: `PLAIN` as protocols cut it, or
    another one, stretched to the size; layout, output: of ONNX files, None: the file's own.
    """

    prepared: Preprocessing
    alignment: str
    crop: str = PLAIN
    layout: Layout | None = None
    output: str | None = None

    def value(self, axis: str) -> Any:
        """What it has on an axis."""
        prepared = self.prepared
        if axis == "normalisation":
            # In red, green, blue: the network's order may change beside it.
            step = -1 if prepared.colour == "bgr" else 1
            return prepared.mean[::step], prepared.scale[::step]
        if axis in ("colour", "size", "flip"):
            return getattr(prepared, axis)
        return getattr(self, axis)

    def changed(self, axis: str, value: Any) -> Trial:
        """The same with another value on an axis."""
        prepared = self.prepared
        if axis == "normalisation":
            step = -1 if prepared.colour == "bgr" else 1
            mean, scale = value[0][::step], value[1][::step]
            return replace(self, prepared=replace(prepared, mean=mean, scale=scale))
        if axis == "colour":
            mean, scale = prepared.mean, prepared.scale
            if value != prepared.colour:
                mean, scale = mean[::-1], scale[::-1]
            return replace(self, prepared=replace(prepared, colour=value, mean=mean, scale=scale))
        if axis in ("size", "flip"):
            return replace(self, prepared=replace(prepared, **{axis: value}))
        return replace(self, **{axis: value})

    def words(self, axis: str) -> str:
        """Its value on an axis, for tables."""
        value = self.value(axis)
        if axis == "normalisation":
            return f"mean {_numbers(value[0])} scale {_numbers(value[1])}"
        if axis == "size":
            return f"{value[0]}x{value[1]}"
        return "the file's" if value is None else str(value)

    def differs(self, other: Trial) -> list[str]:
        """The axes on which it is another one than ``other``."""
        return [axis for axis in AXES if self.value(axis) != other.value(axis)]


def _numbers(values: Triple) -> str:
    return ",".join(f"{value:g}" for value in dict.fromkeys(values))


@dataclass(frozen=True)
class Choices:
    """The values that are tried on every axis; an axis with one value is not tried. The first of
    the normalisations is the given one, and no two of them are alike.
    """

    values: dict[str, tuple[Any, ...]]

    def singles(self, start: Trial) -> list[Trial]:
        """All that differ from one on one axis."""
        return [
            start.changed(axis, value)
            for axis in AXES
            for value in self.values.get(axis, ())
            if value != start.value(axis)
        ]

    def settled(self, trial: Trial) -> Trial:
        """The same, with the first of the normalisations tried that hardly differs from its own."""
        own = trial.value("normalisation")
        known = self.values.get("normalisation", ())
        alike = (value for value in known if alike_pixels(own, value))
        return trial.changed("normalisation", next(alike, own))


def normalisations() -> tuple[tuple[Triple, Triple], ...]:
    """Mean and scale in red, green, blue: none, pixels of 0 to 1, and those that have names."""
    return (_RAW, _SHARES, *NORMALISE.values())


def alike_pixels(one: tuple[Triple, Triple], other: tuple[Triple, Triple]) -> bool:
    """Whether two normalisations give the same pixels but for 1%, which no verdict shows."""
    means = zip(one[0], other[0], other[1], strict=True)
    return all(abs(a - b) <= 0.01 * scale for a, b, scale in means) and all(
        abs(a - b) <= 0.01 * b for a, b in zip(one[1], other[1], strict=True)
    )


def is_raw(value: tuple[Triple, Triple]) -> bool:
    """Whether pixels go in as they are, 0 to 255."""
    return value == _RAW


def is_shares(value: tuple[Triple, Triple]) -> bool:
    """Whether pixels go in as 0 to 1."""
    return value == _SHARES


def flips() -> tuple[str, ...]:
    """The rules for the mirrored face; concat says hardly more than normalised-add."""
    return tuple(rule for rule in FLIP_RULES if rule != "concat")


def crops_for(size: tuple[int, int]) -> tuple[str, ...]:
    """The crops that a size can show in another way than `PLAIN`."""
    ratio = size[1] / size[0]
    tight = (TIGHT,) if abs(ratio - _TEMPLATE[1] / _TEMPLATE[0]) > 0.02 else ()
    square = (SQUARE,) if abs(ratio - 1) > 0.02 else ()
    return (PLAIN, MARGIN, *tight, *square)


def zoom_of(crop: str, size: tuple[int, int]) -> tuple[float, float]:
    """By which a crop is larger across and down than `PLAIN`, about its middle.

    `MARGIN`: 8 of 112 pixels more on every side, as of crops of 128×112; `TIGHT`: the 112×96 crop,
    and `SQUARE`: the 112×112 crop, stretched to the size.
    """
    height, width = size
    if crop == MARGIN:
        return 112 / 128, 112 / 128
    if crop == TIGHT:
        return width / (_TEMPLATE[1] * height / _TEMPLATE[0]), 1.0
    if crop == SQUARE:
        return width / height, 1.0
    return 1.0, 1.0
