"""Presets say what their sources say, and give way to what the user says."""

from __future__ import annotations

from pathlib import Path

import pytest

from facebench.base.errors import UserError
from facebench.models.doctor.presets import preset, presets
from facebench.models.embedders.options import ModelOptions

PAGE = Path(__file__).parents[3] / "docs" / "use" / "doctor.md"


def test_every_preset_has_its_source_and_stands_in_the_docs() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in presets())
    assert all(
        "github.com/" in one.source or "arxiv.org/" in one.source for one in presets().values()
    )


def test_adaface_takes_blue_first() -> None:
    found = preset("adaface").under(ModelOptions())
    assert (found.colour, found.size, found.mean) == ("bgr", (112, 112), (127.5,) * 3)


def test_what_the_user_says_goes_first() -> None:
    found = preset("sface").under(ModelOptions(normalise="imagenet", size=(96, 96)))
    assert (found.size, found.mean, found.normalise) == ((96, 96), None, "imagenet")


def test_what_a_source_does_not_state_is_left_out() -> None:
    assert preset("halmstad").under(ModelOptions()) == ModelOptions(size=(113, 113))


def test_an_unknown_family_is_refused_with_all_names() -> None:
    with pytest.raises(UserError, match=r"one of arcface, adaface, .*did you mean 'arcface'"):
        preset("arcfac")
