"""Trunks of torchvision checkpoints, and networks rebuilt from what pruning left."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from facebench.models.architectures.base import CompactNet
from facebench.models.architectures.registry import build
from facebench.models.architectures.state import reshape_to

KEPT = torch.tensor([0, 2, 3, 7])  # of eight filters, or of the first of more
# What sees the outputs of a layer: (tensor, dimension) that lose the same filters.
CUTS = {
    "squeezenet1_1": [
        ("features.3.squeeze.weight", 0),
        ("features.3.squeeze.bias", 0),
        ("features.3.expand1x1.weight", 1),
        ("features.3.expand3x3.weight", 1),
    ],
    "mobilenet_v2": [
        ("features.2.conv.0.0.weight", 0),
        *((f"features.2.conv.0.1.{n}", 0) for n in ("weight", "bias")),
        *((f"features.2.conv.0.1.running_{n}", 0) for n in ("mean", "var")),
        ("features.2.conv.1.0.weight", 0),
        *((f"features.2.conv.1.1.{n}", 0) for n in ("weight", "bias")),
        *((f"features.2.conv.1.1.running_{n}", 0) for n in ("mean", "var")),
        ("features.2.conv.2.weight", 1),
    ],
    "resnet50": [
        ("layer1.0.conv1.weight", 0),
        *((f"layer1.0.bn1.{n}", 0) for n in ("weight", "bias", "running_mean", "running_var")),
        ("layer1.0.conv2.weight", 1),
    ],
    "mobilefacenet": [
        ("expand.0.weight", 0),
        *((f"expand.1.{n}", 0) for n in ("weight", "bias", "running_mean", "running_var")),
        ("expand.2.weight", 0),
        ("weighted.0.weight", 0),
        *((f"weighted.1.{n}", 0) for n in ("weight", "bias", "running_mean", "running_var")),
        ("embedding.0.weight", 1),
    ],
    "deepid2_plus": [("conv1.weight", 0), ("conv1.bias", 0), ("conv2.weight", 1)],
    "deepid3": [
        ("features.17.weight", 0),
        ("features.17.bias", 0),
        ("local9.weight", "features.17"),
    ],
}


def network(architecture: str) -> CompactNet:
    """A network of width 1/8 whose normalisation has seen something."""
    torch.manual_seed(3)
    size = (55, 47) if architecture == "deepid2_plus" else (80, 80)
    net = build(architecture, 12, size, width=0.125)
    for name, tensor in net.state_dict().items():
        if name.endswith(("running_mean", "running_var")):
            tensor.uniform_(0.5, 1.5)
    return net.eval()


def cut(state: dict[str, Tensor], architecture: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The state without some filters, and the whole state in which nobody sees these filters."""
    small, silent = dict(state), dict(state)
    for name, dimension in CUTS[architecture]:
        tensor = state[name]
        if dimension == "features.17":  # local layers: [position, out, in·3·3]
            positions, out, _ = tensor.shape
            parts = tensor.reshape(positions, out, -1, 9)
            small[name] = parts[:, :, KEPT].reshape(positions, out, -1)
            zero = torch.zeros_like(parts)
            zero[:, :, KEPT] = parts[:, :, KEPT]
            silent[name] = zero.reshape(positions, out, -1)
            continue
        assert isinstance(dimension, int)
        small[name] = tensor.index_select(dimension, KEPT)
        if dimension == 1:
            silent[name] = torch.zeros_like(tensor).index_copy(1, KEPT, small[name])
    return small, silent


@pytest.mark.parametrize("architecture", CUTS)
def test_a_pruned_network_is_rebuilt_from_its_state_alone(architecture: str) -> None:
    whole = network(architecture)
    small, silent = cut(whole.state_dict(), architecture)
    whole.load_state_dict(silent)
    rebuilt = build(architecture, 12, whole.input_size, width=0.125).eval()
    reshape_to(rebuilt, small)
    rebuilt.load_state_dict(small)
    faces = torch.randn(2, 3, *whole.input_size)
    with torch.no_grad():
        torch.testing.assert_close(rebuilt(faces), whole(faces), rtol=1e-4, atol=1e-4)
    assert all(parameter.requires_grad for parameter in rebuilt.parameters())


def test_layers_tell_their_new_channels_and_others_keep_their_weights() -> None:
    net = build("mobilenet_v2", 12, width=0.125)
    small, _ = cut(network("mobilenet_v2").state_dict(), "mobilenet_v2")
    before = net.get_parameter("features.5.conv.0.0.weight").clone()
    reshape_to(net, small)
    depthwise = net.get_submodule("features.2.conv.1.0")
    assert (depthwise.groups, depthwise.in_channels, depthwise.out_channels) == (4, 4, 4)
    assert net.get_submodule("features.2.conv.1.1").num_features == 4
    assert net.get_submodule("features.2.conv.2").in_channels == 4
    assert torch.equal(net.get_parameter("features.5.conv.0.0.weight"), before)


def test_what_torch_pruning_leaves_is_rebuilt() -> None:
    pruning = pytest.importorskip("torch_pruning")
    faces = torch.randn(1, 3, 80, 80)
    for architecture, layer in (("squeezenet1_1", "features.3.expand3x3"),
                                ("mobilenet_v2", "features.2.conv.2"),
                                ("resnet50", "layer2.0.conv3")):  # fmt: skip
        net = network(architecture)
        graph = pruning.DependencyGraph().build_dependency(net, example_inputs=faces)
        prune = pruning.prune_conv_out_channels
        graph.get_pruning_group(net.get_submodule(layer), prune, [0, 3]).prune()
        rebuilt = build(architecture, 12, (80, 80), width=0.125).eval()
        reshape_to(rebuilt, net.state_dict())
        rebuilt.load_state_dict(net.state_dict())
        with torch.no_grad():
            torch.testing.assert_close(rebuilt(faces), net(faces))


def test_more_than_channels_cannot_change() -> None:
    net = build("squeezenet1_1", 12, width=0.125)
    state = net.state_dict()
    cases = {
        "features.0.weight": (torch.zeros(8, 3, 5, 5), "another kernel"),
        "features.3.squeeze.weight": (torch.zeros(8, 8), r"features.3.squeeze.weight: \(8, 8\)"),
        "features.3.squeeze.bias": (torch.zeros(5), r"features.3.squeeze.bias: \(5,\) beside"),
    }
    for name, (tensor, message) in cases.items():
        with pytest.raises(ValueError, match=message):
            reshape_to(net, state | {name: tensor})
