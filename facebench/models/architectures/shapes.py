"""The networks of ours in numbers: layers, channels and parameters, known without loading torch.

The networks themselves are built from the same numbers in the files beside this one; a test holds
the counts here against theirs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

HeightWidth = tuple[int, int]

# The ConvNet of Sun, Wang and Tang (2015), Table 1.
CONV_CHANNELS = (("1a", 64), ("1b", 64), ("2a", 96), ("2b", 96), ("3a", 192), ("3b", 192),
                 ("4a", 256), ("4b", 256))  # fmt: skip
LOCAL_CHANNELS = 256
FEATURES = 512
# The order in which activations flow; pruning goes through it from the end.
LAYERS = (*(name for name, _ in CONV_CHANNELS), "5a", "5b", "f")
POOLED = ("1b", "2b", "3b", "4b")
TABLE_1_PARAMETERS = 17_836_928

# SqueezeNet 1.1, per fire module: channels of squeeze, of each expand; None: a pooling.
SQUEEZE_STEM = 64
FIRES = (None, (16, 64), (16, 64), None, (32, 128), (32, 128), None,
         (48, 192), (48, 192), (64, 256), (64, 256))  # fmt: skip

# MobileNetV2, Table 2: expansion t, output channels c, repetitions n, stride s of the first.
MOBILE_STEM, MOBILE_LAST = 32, 1280
MOBILE_BLOCKS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
                 (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))  # fmt: skip

# ResNet-50, per stage: channels inside a block, blocks, stride of the first.
RESNET_STEM, RESNET_EXPANSION = 64, 4
STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))

# MobileFaceNet, Table 1: as of MobileNetV2.
FACE_STEM, FACE_LAST = 64, 512
FACE_BLOCKS = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))

# DeepID2+: maps of every layer, and the kernels.
DEEPID_MAPS = 128
DEEPID_KERNELS = (4, 3, 3, 2)


@dataclass(frozen=True)
class Parameters:
    """Of one layer: entries of its weight, and of its bias (0: it has none)."""

    weight: int
    bias: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.weight + self.bias


def scaled(channels: int, width: float) -> int:
    """Channels of a layer at a width factor, rounded to the nearest multiple of 8, at least 8."""
    return max(8, round(channels * width / 8) * 8)


def module_name(layer: str) -> str:
    """State-dict name of a layer of the paper: ``4b`` → ``conv4b``, ``5a`` → ``local5a``."""
    if layer == "f":
        return "f"
    return f"local{layer}" if layer.startswith("5") else f"conv{layer}"


def convnet_layers(width: float, size: HeightWidth) -> dict[str, Parameters]:
    """Parameters of a ConvNet by layer of the paper, in the order of `LAYERS`."""
    found: dict[str, Parameters] = {}
    channels = 3
    for name, full in CONV_CHANNELS:
        outputs = scaled(full, width)
        found[name] = _convolution(channels, outputs, 3)
        channels = outputs
    local = scaled(LOCAL_CHANNELS, width)
    side = (size[0] // 16, size[1] // 16)
    found["5a"], side = _locally(channels, local, side)
    found["5b"], side = _locally(local, local, side)
    found["f"] = _linear(local * side[0] * side[1], scaled(FEATURES, width))
    return found


def convnet_outputs(width: float, size: HeightWidth) -> dict[str, tuple[int, ...]]:
    """Height, width and channels that a ConvNet's layers put out, before the poolings; of ``f`` the
    features.
    """
    found: dict[str, tuple[int, ...]] = {}
    side = size
    for name, full in CONV_CHANNELS:
        found[name] = (*side, scaled(full, width))
        if name in POOLED:
            side = (side[0] // 2, side[1] // 2)
    for name in ("5a", "5b"):
        side = (side[0] - 2, side[1] - 2)
        found[name] = (*side, scaled(LOCAL_CHANNELS, width))
    return found | {"f": (scaled(FEATURES, width),)}


def compact_blocks(
    architecture: str, embedding: int, size: HeightWidth, width: float
) -> dict[str, int] | None:
    """Parameters of a compact network by block, e.g. ``features.3`` or ``layer1.0``, in its order.

    Running statistics are no parameters. None: nothing here says how the network is built.
    """
    blocks = _BLOCKS.get(architecture)
    return None if blocks is None else dict(blocks(embedding, size, width))


Blocks = Iterator[tuple[str, int]]


def _squeezenet(embedding: int, size: HeightWidth, width: float) -> Blocks:
    channels = scaled(SQUEEZE_STEM, width)
    yield "features.0", _convolution(3, channels, 3).total
    for number, sizes in enumerate(FIRES, 2):  # after the stem and its ReLU
        if sizes is None:
            continue
        squeeze, expand = (scaled(full, width) for full in sizes)
        fire = _convolution(channels, squeeze, 1), _convolution(squeeze, expand, 1)
        wide = _convolution(squeeze, expand, 3)
        yield f"features.{number}", fire[0].total + fire[1].total + wide.total
        channels = 2 * expand
    yield "embedding", _linear(channels, embedding).total


def _mobilenet_v2(embedding: int, size: HeightWidth, width: float) -> Blocks:
    channels = scaled(MOBILE_STEM, width)
    yield "features.0", _normalised(3, channels, 3)
    blocks = [*_inverted_residuals(MOBILE_BLOCKS, channels, width, _normalised)]
    for number, block in enumerate(blocks, 1):
        yield f"features.{number}", block
    last = scaled(MOBILE_LAST, width)
    yield f"features.{len(blocks) + 1}", _normalised(scaled(MOBILE_BLOCKS[-1][1], width), last, 1)
    yield "embedding", _linear(last, embedding).total


def _inverted_residuals(
    blocks: Sequence[tuple[int, int, int, int]],
    channels: int,
    width: float,
    rectified: Callable[[int, int, int], int],
) -> Iterator[int]:
    """Parameters of each block of a table of inverted residuals.

    channels: before the first; rectified: parameters of a convolution and what rectifies it, by
    inputs of each filter, outputs and kernel.
    """
    for expansion, full, count, _ in blocks:
        outputs = scaled(full, width)
        for _ in range(count):
            hidden = channels * expansion
            expanded = 0 if expansion == 1 else rectified(channels, hidden, 1)
            yield expanded + rectified(1, hidden, 3) + _normalised(hidden, outputs, 1)
            channels = outputs


def _resnet50(embedding: int, size: HeightWidth, width: float) -> Blocks:
    channels = scaled(RESNET_STEM, width)
    yield "conv1", 3 * channels * 49
    yield "bn1", 2 * channels
    for number, (full, count, _) in enumerate(STAGES, 1):
        inner = scaled(full, width)
        outputs = RESNET_EXPANSION * inner
        for block in range(count):
            shortcut = _normalised(channels, outputs, 1) if block == 0 else 0
            inside = _normalised(channels, inner, 1) + _normalised(inner, inner, 3)
            yield f"layer{number}.{block}", inside + _normalised(inner, outputs, 1) + shortcut
            channels = outputs
    yield "embedding", _linear(channels, embedding).total


def _mobilefacenet(embedding: int, size: HeightWidth, width: float) -> Blocks:
    def rectified(inputs: int, outputs: int, kernel: int) -> int:
        return _normalised(inputs, outputs, kernel) + outputs  # a slope per channel

    channels = scaled(FACE_STEM, width)
    yield "stem.0", rectified(3, channels, 3)
    yield "stem.1", rectified(1, channels, 3)
    for number, block in enumerate(_inverted_residuals(FACE_BLOCKS, channels, width, rectified)):
        yield f"blocks.{number}", block
    last = scaled(FACE_LAST, width)
    yield "expand.0", scaled(FACE_BLOCKS[-1][1], width) * last
    yield "expand.1", 2 * last
    yield "expand.2", last
    # Every stride of two rounds up: the convolutions are padded.
    yield "weighted.0", last * -(-size[0] // 16) * -(-size[1] // 16)
    yield "weighted.1", 2 * last
    yield "embedding.0", last * embedding
    yield "embedding.1", 2 * embedding


def _deepid2_plus(embedding: int, size: HeightWidth, width: float) -> Blocks:
    maps, inputs = scaled(DEEPID_MAPS, width), 3
    for number, kernel in enumerate(DEEPID_KERNELS[:3], 1):
        yield f"conv{number}", _convolution(inputs, maps, kernel).total
        size = ((size[0] - kernel + 1) // 2, (size[1] - kernel + 1) // 2)
        inputs = maps
    local, out = _locally(maps, maps, size, DEEPID_KERNELS[3])
    yield "local4", local.total
    yield "embedding", _linear(maps * (math.prod(size) + math.prod(out)), embedding).total


def _deepid3(embedding: int, size: HeightWidth, width: float) -> Blocks:
    channels, number = 3, 0
    for index, (_, full) in enumerate(CONV_CHANNELS):
        outputs = scaled(full, width)
        yield f"features.{number}", _convolution(channels, outputs, 3).total
        channels, number = outputs, number + 2 + index % 2  # ReLU, and a pooling after each pair
    local = scaled(LOCAL_CHANNELS, width)
    first, side = _locally(channels, local, (size[0] // 16, size[1] // 16))
    second, side = _locally(local, local, side)
    yield "local9", first.total
    yield "local10", second.total
    yield "embedding", _linear(local * side[0] * side[1], embedding).total


def _convolution(inputs: int, outputs: int, kernel: int) -> Parameters:
    return Parameters(inputs * outputs * kernel**2, outputs)


def _normalised(inputs: int, outputs: int, kernel: int) -> int:
    """A convolution without bias and its batch normalisation; inputs: of each filter."""
    return inputs * outputs * kernel**2 + 2 * outputs


def _linear(inputs: int, outputs: int) -> Parameters:
    return Parameters(inputs * outputs, outputs)


def _locally(
    inputs: int, outputs: int, size: HeightWidth, kernel: int = 3
) -> tuple[Parameters, HeightWidth]:
    """A locally-connected layer, and the size of its output."""
    out = (size[0] - kernel + 1, size[1] - kernel + 1)
    neurons = out[0] * out[1] * outputs
    return Parameters(neurons * inputs * kernel**2, neurons), out


# Of a network that is not here the counts are taken from the network itself.
_BLOCKS: Mapping[str, Callable[[int, HeightWidth, float], Blocks]] = MappingProxyType(
    {
        "squeezenet1_1": _squeezenet,
        "mobilenet_v2": _mobilenet_v2,
        "resnet50": _resnet50,
        "mobilefacenet": _mobilefacenet,
        "deepid2_plus": _deepid2_plus,
        "deepid3": _deepid3,
    }
)
