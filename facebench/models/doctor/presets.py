"""How public families of networks prepare a face, by name; each value as its source states it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from facebench.base.errors import UserError, nearest
from facebench.base.validation import Strict, Text, read_toml, validated
from facebench.models.doctor.trial import Trial
from facebench.models.embedders.options import Colour, ModelOptions

_FILE = Path(__file__).with_suffix(".toml")
UNVERIFIED = "not verified here"


class Preset(Strict):
    """A family's preparation, None where its source does not state it; mean and scale are of every
    colour.
    """

    title: Text
    source: Text
    size: tuple[int, int] | None = None
    colour: Colour | None = None
    mean: float | None = None
    scale: float | None = None

    def under(self, options: ModelOptions) -> ModelOptions:
        """What it says where the options say nothing."""
        said: dict[str, Any] = {"size": self.size, "colour": self.colour}
        if not options.given("mean", "scale", "normalise") and self.scale is not None:
            said |= {"mean": (self.mean or 0.0,) * 3, "scale": (self.scale,) * 3}
        return replace(options, **{k: v for k, v in said.items() if not options.given(k)})

    def of(self, trial: Trial) -> Trial:
        """A trial with what it says in place of its own."""
        for axis, value in (("size", self.size), ("colour", self.colour)):
            trial = trial if value is None else trial.changed(axis, value)
        if self.mean is None or self.scale is None:
            return trial
        return trial.changed("normalisation", ((self.mean,) * 3, (self.scale,) * 3))


@cache
def presets() -> dict[str, Preset]:
    """All presets by name."""
    found = read_toml(_FILE)
    return {name: validated(Preset, values, f"{_FILE}: {name}") for name, values in found.items()}


def preset(name: str) -> Preset:
    """The preset of a name; UserError with all names."""
    known = presets()
    if name not in known:
        raise UserError(f"--preset {name!r}: one of {', '.join(known)}{nearest(name, known)}")
    return known[name]
