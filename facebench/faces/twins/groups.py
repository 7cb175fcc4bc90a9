"""Groups of the people and images of LFW's twin: what its faces were rendered by, nothing drawn.

*skin*: the nearest two of the renderer's six anchors of skin, ``1-2`` the lightest; *age*: of the
features, in years; *glasses* of an image: ``no``, ``yes``, ``sun`` counting as yes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from types import MappingProxyType

import numpy as np

from facebench.faces.synthetic.capture import sample_capture
from facebench.faces.synthetic.identity import SKIN_ANCHORS, Identity, sample_identity
from facebench.faces.synthetic.seeding import RENDERER_VERSION
from facebench.faces.twins.lfw import twin_identity

_RENDERING = re.compile(rf"synthetic-lfw-v{RENDERER_VERSION}-s(?P<seed>\d{{1,9}})")
_IMAGE = re.compile(r"(?P<name>Synth_\d+)_(?P<number>\d+)")
_AGES = ((30, "18-29"), (45, "30-44"), (float("inf"), "45-75"))
LabelOf = Callable[[str], str]


def _skin(who: Identity) -> str:
    """By the brightness of the skin: colours of one tone differ in hue and a little in light."""
    brightness = SKIN_ANCHORS.mean(axis=1)  # from lightest to darkest
    at = float(np.interp(-who.skin.mean(), -brightness, np.arange(brightness.size)))
    first = 2 * min(2, int((at + 0.5) / 2)) + 1
    return f"{first}-{first + 1}"


def _age(who: Identity) -> str:
    return next(name for below, name in _AGES if who.age < below)


_OF_PEOPLE: MappingProxyType[str, Callable[[Identity], str]] = MappingProxyType(
    {"skin": _skin, "age": _age}
)
GLASSES = "glasses"
TWIN_GROUPS = (*_OF_PEOPLE, GLASSES)


def twin_seed(rendering: str) -> int | None:
    """The seed of a twin of this version, by what its marker says; None: it is another."""
    found = _RENDERING.fullmatch(rendering)
    return int(found["seed"]) if found else None


def twin_labels(column: str, seed: int) -> LabelOf:
    """The label of an image, by its key, in one of `TWIN_GROUPS`."""

    def of_image(key: str) -> str:
        found = _IMAGE.search(key)
        assert found is not None  # the twin's own names
        identity = twin_identity(found["name"])
        if column == GLASSES:
            worn = sample_capture(seed, identity, int(found["number"]) - 1).glasses
            return "no" if worn == "none" else "yes"
        return _OF_PEOPLE[column](sample_identity(seed, identity))

    return of_image
