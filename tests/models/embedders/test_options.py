"""Options of the command line."""

from __future__ import annotations

import pytest

from facebench.base.errors import UserError
from facebench.models.embedders.options import ModelOptions, parse_options
from facebench.models.embedders.torch import torch_device


def test_nothing_given_overrides_nothing() -> None:
    assert parse_options() == ModelOptions()
    assert ModelOptions().given("size", "mean") == []
    assert ModelOptions(size=(8, 8), flip="none").given("size", "mean", "flip") == ["size", "flip"]
    assert ModelOptions(device="cuda", output="").given("device", "precision", "output") == [
        "output",
        "device",
    ]


def test_everything_given() -> None:
    options = parse_options(
        size="112x96", colour="BGR", mean="1,2,3", scale="128", flip="concat", precision="bfloat16"
    )
    assert options.size == (112, 96) and options.colour == "bgr" and options.flip == "concat"
    assert options.mean == (1, 2, 3) and options.scale == (128, 128, 128)
    assert options.precision == "bfloat16"
    assert parse_options(size="112").size == (112, 112)


def test_presets_are_in_units_of_0_to_255_and_follow_the_colour_order() -> None:
    options = parse_options(normalise="imagenet")
    mean, scale = options.normalisation("rgb")
    assert mean == pytest.approx([255 * m for m in (0.485, 0.456, 0.406)])
    assert scale == pytest.approx([255 * s for s in (0.229, 0.224, 0.225)])
    assert mean is not None and scale is not None
    assert options.normalisation("bgr") == (mean[::-1], scale[::-1])
    assert parse_options(normalise="arcface").normalisation("bgr")[1] == (128, 128, 128)
    assert parse_options(normalise="half").normalisation("rgb")[1] == (127.5, 127.5, 127.5)
    own = parse_options(mean="1,2,3")  # in the model's own order already
    assert own.normalisation("bgr") == ((1, 2, 3), None)


def test_an_option_without_effect_is_refused() -> None:
    options = ModelOptions(output="b", layout="nhwc")
    options.refuse("m", "why", "device", "precision")
    with pytest.raises(UserError, match="model m: output= has no effect: why; leave it out"):
        options.refuse("m", "why", "device", "output")
    with pytest.raises(UserError, match="model m: layout= has no effect"):
        options.refuse("m", "why", "layout")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": "112x"}, "size='112x'"),
        ({"size": "1x2x3"}, "size="),
        ({"size": "-5"}, "size="),
        ({"size": "4"}, "8 to 4096"),
        ({"colour": "rbg"}, "did you mean 'rgb'"),
        ({"flip": "normalized-add"}, "did you mean 'normalised-add'"),
        ({"mean": "a"}, "mean='a'"),
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


@pytest.mark.parametrize("name", ["gpu", "cdua", "", "cuda:x", "cuda:", "cuda:999"])
def test_devices_that_are_not_there(name: str) -> None:
    with pytest.raises(UserError, match="device="):
        torch_device(name)
    assert torch_device("cpu").type == "cpu"


def test_lists_are_taken_as_what_they_hold() -> None:
    options = ModelOptions(size=[112, 96], mean=[1, 2, 3])  # type: ignore[arg-type]
    assert options == ModelOptions(size=(112, 96), mean=(1, 2, 3))
