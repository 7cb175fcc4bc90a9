"""The twin's groups: of what its faces were rendered by, the same for ever."""

from __future__ import annotations

from collections import Counter

import pytest

from facebench.faces.synthetic.capture import sample_capture
from facebench.faces.synthetic.identity import sample_identity
from facebench.faces.twins.groups import TWIN_GROUPS, twin_labels, twin_seed
from facebench.faces.twins.lfw import twin_identity, twin_name

PINNED = {
    "skin": {"1-2": 63, "3-4": 81, "5-6": 56},
    "age": {"18-29": 58, "30-44": 46, "45-75": 96},
    "glasses": {"no": 158, "yes": 42},
}
KEYS = [f"{twin_name(n)}/{twin_name(n)}_0001.jpg" for n in range(1, 201)]


def test_the_columns() -> None:
    assert TWIN_GROUPS == ("skin", "age", "glasses")


def test_pinned() -> None:
    """A record's labels are in its signature: they never change for version 1."""
    told = {column: Counter(map(twin_labels(column, 0), KEYS)) for column in TWIN_GROUPS}
    assert told == PINNED


def test_skin_is_of_the_colour() -> None:
    label = twin_labels("skin", 0)
    brightness: dict[str, list[float]] = {}
    for key in KEYS:
        who = sample_identity(0, twin_identity(key.split("/")[0]))
        brightness.setdefault(label(key), []).append(float(who.skin.mean()))
    assert min(brightness["1-2"]) > max(brightness["3-4"])
    assert min(brightness["3-4"]) > max(brightness["5-6"])


def test_age_is_of_the_features() -> None:
    label = twin_labels("age", 0)
    for key in KEYS:
        low, _, high = label(key).partition("-")
        age = sample_identity(0, twin_identity(key.split("/")[0])).age
        assert int(low) <= age < int(high) + 1


def test_glasses_are_of_the_image() -> None:
    label, name = twin_labels("glasses", 0), twin_name(7)
    for number in range(1, 30):
        worn = sample_capture(0, twin_identity(name), number - 1).glasses
        told = label(f"{name}/{name}_{number:04d}.jpg")
        assert told == ("no" if worn == "none" else "yes")


@pytest.mark.parametrize(
    ("rendering", "seed"),
    [
        ("synthetic-lfw-v1-s0", 0),
        ("synthetic-lfw-v1-s12", 12),
        ("synthetic-lfw-unknown", None),
        ("synthetic-lfw-v9-s0", None),
    ],
)
def test_only_twins_of_this_version_are_known(rendering: str, seed: int | None) -> None:
    assert twin_seed(rendering) == seed
