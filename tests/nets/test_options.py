"""Options of the command line."""

from __future__ import annotations

import pytest

from facebench.errors import UserError
from facebench.nets.options import ModelOptions, parse_options, torch_device


def test_nothing_given_overrides_nothing() -> None:
    assert parse_options() == ModelOptions()
    assert ModelOptions().given("size", "mean") == []
    assert ModelOptions(size=(1, 1), flip="none").given("size", "mean", "flip") == ["size", "flip"]


def test_everything_given() -> None:
    options = parse_options(
        size="112x96", colour="BGR", mean="1,2,3", scale="128", flip="concat", precision="bfloat16"
    )
    assert options.size == (112, 96) and options.colour == "bgr" and options.flip == "concat"
    assert options.mean == (1, 2, 3) and options.scale == (128, 128, 128)
    assert options.precision == "bfloat16"
    assert parse_options(size="112").size == (112, 112)


def test_presets_are_in_units_of_0_to_255_and_follow_the_colour_order() -> None:
    rgb, bgr = (
        parse_options(normalise="imagenet"),
        parse_options(normalise="imagenet", colour="bgr"),
    )
    assert rgb.mean == pytest.approx([255 * m for m in (0.485, 0.456, 0.406)])
    assert rgb.scale == pytest.approx([255 * s for s in (0.229, 0.224, 0.225)])
    assert bgr.mean == rgb.mean[::-1] and bgr.scale == rgb.scale[::-1]  # type: ignore[index]
    assert parse_options(normalise="arcface").scale == (128, 128, 128)
    assert parse_options(normalise="half").scale == (127.5, 127.5, 127.5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": "112x"}, "--size '112x'"),
        ({"size": "1x2x3"}, "--size"),
        ({"size": "-5"}, "--size"),
        ({"size": "4"}, "8 to 4096"),
        ({"colour": "rbg"}, "did you mean 'rgb'"),
        ({"flip": "normalized-add"}, "did you mean 'normalised-add'"),
        ({"mean": "a"}, "--mean 'a'"),
        ({"mean": "1,2"}, "one number or three"),
        ({"mean": "nan"}, "one number or three"),
        ({"scale": "0.229,0.224,0.225"}, "units of 0 to 255"),
        ({"scale": "0"}, "at least 1"),
        ({"normalise": "imagnet"}, "did you mean 'imagenet'"),
        ({"normalise": "half", "mean": "1"}, "one or the other"),
        ({"precision": "float16"}, "float32, bfloat16"),
        ({"layout": "hwc"}, "nchw, nhwc"),
    ],
)
def test_mistakes_name_the_option(options: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        parse_options(**options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["gpu", "cdua", "", "cuda:x", "cuda:999"])
def test_devices_that_are_not_there(name: str) -> None:
    with pytest.raises(UserError, match="--device"):
        torch_device(name)
    assert torch_device("cpu").type == "cpu"
