"""The compact networks: parameters counted by hand, torchvision's names, sizes of what they give.

torchvision is not installed; its names and shapes follow from the rules that are written out here,
those of its models squeezenet1_1, mobilenet_v2 and resnet50 up to their classifiers.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from facebench.models.architectures.published import (
    classifier_parameters,
    parameters,
    published_parameters,
)
from facebench.models.architectures.registry import ARCHITECTURES, build

Shapes = dict[str, tuple[int, ...]]
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def normalisation(name: str, channels: int) -> Shapes:
    each = dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (channels,))
    return {f"{name}.{key}": shape for key, shape in each.items()} | {
        f"{name}.num_batches_tracked": ()
    }


def squeezenet() -> Shapes:
    """``features``: 0 a convolution; 3, 4, 6, 7, 9 to 12 fire modules with biases."""
    shapes: Shapes = {"features.0.weight": (64, 3, 3, 3), "features.0.bias": (64,)}
    fires = {3: (64, 16, 64), 4: (128, 16, 64), 6: (128, 32, 128), 7: (256, 32, 128),
             9: (256, 48, 192), 10: (384, 48, 192), 11: (384, 64, 256),
             12: (512, 64, 256)}  # fmt: skip
    for index, (inputs, squeeze, expand) in fires.items():
        weights = {"squeeze": (squeeze, inputs, 1, 1), "expand1x1": (expand, squeeze, 1, 1),
                   "expand3x3": (expand, squeeze, 3, 3)}  # fmt: skip
        for name, shape in weights.items():
            shapes[f"features.{index}.{name}.weight"] = shape
            shapes[f"features.{index}.{name}.bias"] = shape[:1]
    return shapes


def mobilenet() -> Shapes:
    """``features``: 0 and 18 convolution (0) with normalisation (1), 1 to 17 blocks ``conv``."""
    shapes: Shapes = {"features.0.0.weight": (32, 3, 3, 3)} | normalisation("features.0.1", 32)
    inputs, index = 32, 1
    for t, c, n, _ in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
                       (6, 160, 3, 2), (6, 320, 1, 1)):  # fmt: skip
        for _ in range(n):
            block, hidden, part = f"features.{index}.conv", t * inputs, 0
            if t > 1:
                shapes[f"{block}.0.0.weight"] = (hidden, inputs, 1, 1)
                shapes |= normalisation(f"{block}.0.1", hidden)
                part = 1
            shapes[f"{block}.{part}.0.weight"] = (hidden, 1, 3, 3)
            shapes |= normalisation(f"{block}.{part}.1", hidden)
            shapes[f"{block}.{part + 1}.weight"] = (c, hidden, 1, 1)
            shapes |= normalisation(f"{block}.{part + 2}", c)
            inputs, index = c, index + 1
    shapes["features.18.0.weight"] = (1280, 320, 1, 1)
    return shapes | normalisation("features.18.1", 1280)


def resnet() -> Shapes:
    """``layerS.B``: ``conv1`` to ``conv3``, ``bn1`` to ``bn3``; ``downsample`` in each first B."""
    shapes: Shapes = {"conv1.weight": (64, 3, 7, 7)} | normalisation("bn1", 64)
    inputs = 64
    for stage, (inner, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3)), 1):
        for index in range(blocks):
            block, outputs = f"layer{stage}.{index}", 4 * inner
            weights = ((inner, inputs, 1, 1), (inner, inner, 3, 3), (outputs, inner, 1, 1))
            for number, shape in enumerate(weights, 1):
                shapes[f"{block}.conv{number}.weight"] = shape
                shapes |= normalisation(f"{block}.bn{number}", shape[0])
            if index == 0:
                shapes[f"{block}.downsample.0.weight"] = (outputs, inputs, 1, 1)
                shapes |= normalisation(f"{block}.downsample.1", outputs)
            inputs = outputs
    return shapes


@pytest.mark.parametrize(
    ("architecture", "rules", "inputs"),
    [
        ("squeezenet1_1", squeezenet, 512),
        ("mobilenet_v2", mobilenet, 1280),
        ("resnet50", resnet, 2048),
    ],
)
def test_names_and_shapes_are_torchvisions(
    architecture: str, rules: Callable[[], Shapes], inputs: int
) -> None:
    with torch.device("meta"):
        state = build(architecture, 64).state_dict()
    head = {"embedding.weight": (64, inputs), "embedding.bias": (64,)}
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == rules() | head


def test_parameters_with_torchvisions_heads_are_the_published_ones() -> None:
    assert classifier_parameters("squeezenet1_1") == 1_235_496
    assert classifier_parameters("mobilenet_v2") == 3_504_872
    assert classifier_parameters("resnet50") == 25_557_032
    assert classifier_parameters("resnet50", 0) == 23_508_032
    with pytest.raises(ValueError, match="mobilefacenet is not of torchvision"):
        classifier_parameters("mobilefacenet")


def test_parameters_of_the_face_networks_by_hand() -> None:
    def block(inputs: int, hidden: int, outputs: int) -> int:
        """Three convolutions; normalisation (2) and slope (1) of each hidden channel, twice."""
        return inputs * hidden + 9 * hidden + hidden * outputs + 2 * 3 * hidden + 2 * outputs

    face = 3 * 64 * 9 + 64 * 9 + 2 * 3 * 64 + 5 * block(64, 128, 64) + block(64, 256, 128)
    face += 6 * block(128, 256, 128) + block(128, 512, 128) + 2 * block(128, 256, 128)
    face += 128 * 512 + 3 * 512 + 49 * 512 + 2 * 512 + 512 * 128 + 2 * 128
    assert published_parameters("mobilefacenet").counted == face == 1_003_136
    # 55×47 → 52×44 → 26×22 → 24×20 → 12×10 → 10×8 → 5×4 → 4×3 positions
    deep = 128 * (3 * 16 + 1) + 2 * 128 * (128 * 9 + 1) + 12 * 128 * (128 * 4 + 1)
    deep += 512 * (128 * (5 * 4 + 4 * 3) + 1)
    assert published_parameters("deepid2_plus").counted == deep == 3_187_072
    assert published_parameters("deepid3").counted == 17_836_928  # Table 1 of Sun et al. 2015


def test_stated_and_counted_parameters_are_near() -> None:
    for architecture in ARCHITECTURES:
        published = published_parameters(architecture)
        assert published.of and published.source
        if published.parameters is not None:
            assert abs(published.counted / published.parameters - 1) < 0.015


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_faces_become_embeddings(architecture: str) -> None:
    size = (55, 47) if architecture == "deepid2_plus" else (80, 96)
    torch.manual_seed(0)
    net = build(architecture, 24, size, width=0.125)
    assert net.architecture == architecture and net.width == 0.125 and net.input_size == size
    faces = torch.randn(3, 3, *size)
    net(faces).square().mean().backward()
    grads = [parameter.grad for parameter in net.parameters()]
    assert all(grad is not None and torch.isfinite(grad).all() for grad in grads)
    with torch.no_grad():
        embeddings = net.eval()(faces)
    assert embeddings.shape == (3, net.dimension) == (3, 24) and embeddings.dtype == torch.float32
    assert torch.isfinite(embeddings).all() and embeddings.std(0).max() > 0


def test_averaging_networks_take_other_sizes() -> None:
    for architecture in ("squeezenet1_1", "mobilenet_v2", "resnet50"):
        net = build(architecture, 8, width=0.125).eval()
        with torch.no_grad():
            assert net(torch.zeros(1, 3, 64, 70)).shape == (1, 8)


def test_the_strides_are_the_papers() -> None:
    with torch.device("meta"):
        picture, face = torch.zeros(1, 3, 224, 224), torch.zeros(1, 3, 112, 112)
        for architecture, side in (("mobilenet_v2", 7), ("squeezenet1_1", 13)):
            net = build(architecture, width=0.25).eval()
            assert net.get_submodule("features")(picture).shape[2:] == (side, side)
        residual = build("resnet50", width=0.125).eval()
        seen: list[torch.Size] = []
        residual.get_submodule("layer4").register_forward_hook(lambda *a: seen.append(a[2].shape))
        residual(picture)
        assert seen[0][2:] == (7, 7)
        mobile = build("mobilefacenet", size=(112, 112), width=0.25).eval()
        layers = [mobile.get_submodule(name) for name in ("stem", "blocks")]
        assert layers[1](layers[0](face)).shape[2:] == (7, 7)
        for side in (65, 80, 97, 112):  # the weighted pooling sees every position exactly once
            net = build("mobilefacenet", 8, (side, 112), width=0.125).eval()
            assert net(torch.zeros(1, 3, side, 112)).shape == (1, 8)


def test_width_scales_the_channels_and_first_weights_follow_the_seed() -> None:
    sizes = [parameters(build("mobilenet_v2", 16, width=w)) for w in (0.25, 0.5)]
    assert sizes[0] < 0.4 * sizes[1]
    nets = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        nets.append(build("squeezenet1_1", 16, width=0.125).state_dict()["features.0.weight"])
    assert torch.equal(nets[0], nets[1]) and not torch.equal(nets[0], nets[2])


def test_impossible_networks_are_refused() -> None:
    with pytest.raises(ValueError, match="no network 'resnet5'; did you mean 'resnet50'"):
        build("resnet5")
    with pytest.raises(ValueError, match="at least 64x64, not 63x96"):
        build("mobilenet_v2", size=(63, 96))
    with pytest.raises(ValueError, match="at least 80x80"):
        build("deepid3", size=(79, 96))
    for wrong in ({"embedding": 0}, {"width": 0.0}, {"width": 5.0}):
        with pytest.raises(ValueError, match="must be positive"):
            build("resnet50", **wrong)  # type: ignore[arg-type]
