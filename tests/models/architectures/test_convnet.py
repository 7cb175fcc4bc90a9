"""The ConvNet against Table 1 of Sun, Wang, Tang 2015."""

from __future__ import annotations

import pytest
import torch

from facebench.models.architectures.convnet import ConvNet, parameter_counts, to_input
from facebench.models.architectures.shapes import (
    CONV_CHANNELS,
    LAYERS,
    TABLE_1_PARAMETERS,
    convnet_outputs,
    module_name,
    scaled,
)

# Weights as Table 1 prints them (rounded there), biases: one per channel of a convolution, one per
# neuron of a locally- or fully-connected layer; output sizes height, width, channels.
TABLE_1 = {
    "1a": (1_728, 64, (112, 96, 64), 1.8e3),
    "1b": (36_864, 64, (112, 96, 64), 37e3),
    "2a": (55_296, 96, (56, 48, 96), 55e3),
    "2b": (82_944, 96, (56, 48, 96), 83e3),
    "3a": (165_888, 192, (28, 24, 192), 166e3),
    "3b": (331_776, 192, (28, 24, 192), 332e3),
    "4a": (442_368, 256, (14, 12, 256), 443e3),
    "4b": (589_824, 256, (14, 12, 256), 590e3),
    "5a": (11_796_480, 5 * 4 * 256, (5, 4, 256), 11.8e6),
    "5b": (3_538_944, 3 * 2 * 256, (3, 2, 256), 3.5e6),
    "f": (786_432, 512, (512,), 786e3),
}


@pytest.fixture(scope="module")
def full() -> ConvNet:
    return ConvNet(1.0).eval()


def test_parameters_per_layer_are_those_of_table_1(full: ConvNet) -> None:
    counts = parameter_counts(full)
    assert list(counts) == list(TABLE_1) == list(LAYERS)
    for name, (weights, biases, _, printed) in TABLE_1.items():
        assert full.layer(name).weight.numel() == weights
        assert full.layer(name).bias.numel() == biases
        assert counts[name] == weights + biases
        assert weights == pytest.approx(printed, rel=0.05)
    assert sum(p.numel() for p in full.parameters()) == TABLE_1_PARAMETERS == 17_836_928


def test_output_sizes_per_layer_are_those_of_table_1(full: ConvNet) -> None:
    sizes = {}
    for name in LAYERS:
        full.layer(name).register_forward_hook(
            lambda _m, _i, out, name=name: sizes.__setitem__(name, tuple(out.shape[1:]))
        )
    with torch.inference_mode():
        out = full(torch.zeros(1, 3, 112, 96))
    for name, (_, _, size, _) in TABLE_1.items():
        assert sizes[name] == ((size[2], size[0], size[1]) if len(size) == 3 else size)
    assert out.shape == (1, 512) and full.features == 512


@pytest.mark.parametrize("width", [0.125, 0.5, 1.5])
def test_width_scales_every_layer(width: float) -> None:
    with torch.device("meta"):
        net = ConvNet(width)
    for name, channels in CONV_CHANNELS:
        assert net.layer(name).out_channels == scaled(channels, width)
    assert net.local5a.out_channels == net.local5b.out_channels == 256 * width
    assert net.features == 512 * width


def test_scaled_rounds_to_multiples_of_eight() -> None:
    assert [scaled(64, w) for w in (0.01, 0.125, 0.3, 1)] == [8, 8, 16, 64]


@pytest.mark.parametrize("width", [0, -1, 5])
def test_width_out_of_range_is_refused(width: float) -> None:
    with pytest.raises(ValueError, match="width"):
        ConvNet(width)


def test_square_regions_of_the_paper_fit() -> None:
    net = ConvNet(0.125, input_size=(96, 96)).eval()  # Section 5.5: 96×96 for square regions
    assert net.local5a.out_size == (4, 4) and net.local5b.out_size == (2, 2)
    assert net(torch.zeros(2, 3, 96, 96)).shape == (2, 64)


def test_too_small_an_input_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        ConvNet(0.125, input_size=(48, 48))


def test_channels_last_gives_the_same_features() -> None:
    torch.manual_seed(0)
    net = ConvNet(0.125).double().eval()
    x = torch.randn(3, 3, 112, 96, dtype=torch.float64)
    with torch.inference_mode():
        plain = net(x)
        net.to(memory_format=torch.channels_last)
        last = net(x.to(memory_format=torch.channels_last))
    torch.testing.assert_close(plain, last, rtol=1e-10, atol=1e-12)


def test_features_are_rectified_and_dropout_acts_in_training_only() -> None:
    torch.manual_seed(0)
    net = ConvNet(0.125)
    x = torch.randn(2, 3, 112, 96)
    assert not torch.equal(net(x), net(x))
    net.eval()
    assert torch.equal(net(x), net(x)) and (net(x) >= 0).all()


def test_layers_by_the_papers_names() -> None:
    net = ConvNet(0.125)
    assert [module_name(n) for n in ("4b", "5a", "f")] == ["conv4b", "local5a", "f"]
    assert net.layer("5b") is net.local5b
    with pytest.raises(KeyError, match="no layer '6a'"):
        net.layer("6a")


def test_to_input_centres_pixels_and_orders_axes() -> None:
    faces = torch.tensor([0, 255], dtype=torch.uint8).reshape(1, 1, 2, 1).expand(1, 1, 2, 3)
    x = to_input(faces)
    assert x.shape == (1, 3, 1, 2) and x.dtype == torch.float32
    assert x[0, 0, 0].tolist() == [-127.5 / 128, 127.5 / 128]


@pytest.mark.parametrize(("width", "size"), [(1.0, (112, 96)), (0.5, (112, 112)), (0.25, (81, 90))])
def test_outputs_known_without_torch_are_those_of_the_network(
    width: float, size: tuple[int, int]
) -> None:
    shapes = {}
    with torch.device("meta"):
        net = ConvNet(width, size).eval()
        for layer in LAYERS:
            net.layer(layer).register_forward_hook(
                lambda module, inputs, out, layer=layer: shapes.update({layer: out.shape})
            )
        net(torch.zeros(1, 3, *size))
    expected = {layer: (*shape[2:], shape[1]) for layer, shape in shapes.items()}
    assert convnet_outputs(width, size) == expected
