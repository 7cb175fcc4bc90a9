"""A network with filters removed, rebuilt from its state dict."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from facebench.models.architectures.base import LocallyConnected2d


def reshape_to(net: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Give the layers of a network the channels that they have in a state dict, in place.

    A network whose filters were removed is rebuilt so from its weights alone: build it whole,
    reshape it, load the state. Convolutions (depthwise ones keep one group per channel), linear and
    locally-connected layers, batch normalisation and PReLU are known. What is reshaped holds zeros
    until the state is loaded; layers that the state does not name stay. ValueError where a layer
    differs in more than channels: another kernel, another number of dimensions.
    """
    for name, module in net.named_modules():
        prefix = f"{name}." if name else ""
        own = dict(module.named_parameters(recurse=False))
        own |= dict(module.named_buffers(recurse=False))
        shapes = {key: state[prefix + key].shape for key in own if prefix + key in state}
        if all(own[key].shape == shape for key, shape in shapes.items()):
            continue
        _check(name, module, shapes)
        for key, shape in shapes.items():
            empty = torch.zeros(shape, dtype=own[key].dtype, device=own[key].device)
            if isinstance(own[key], nn.Parameter):
                setattr(module, key, nn.Parameter(empty, own[key].requires_grad))
            else:
                setattr(module, key, empty)
        _count_channels(module)


def _check(name: str, module: nn.Module, shapes: Mapping[str, torch.Size]) -> None:
    """ValueError where more than the channels of a layer would change."""
    if not isinstance(module, _KINDS):
        raise ValueError(f"{name}: channels of a {type(module).__name__} cannot be changed")
    weight, new = module.weight, shapes.get("weight")
    assert isinstance(weight, Tensor)
    if new is None or len(new) != weight.dim() or min(new) < 1:
        found = "absent" if new is None else tuple(new)
        raise ValueError(f"{name}.weight: {found}, the layer's is {tuple(weight.shape)}")
    same = True
    if isinstance(module, nn.Conv2d):
        same = new[2:] == weight.shape[2:]
    elif isinstance(module, LocallyConnected2d):
        same = new[0] == weight.shape[0] and new[2] % module.kernel**2 == 0
    if not same:
        raise ValueError(f"{name}.weight: {tuple(new)} has another kernel or other positions")
    channels = new[1] if isinstance(module, LocallyConnected2d) else new[0]
    for key, shape in shapes.items():
        if key != "weight" and len(shape) and shape[-1] != channels:
            raise ValueError(f"{name}.{key}: {tuple(shape)} beside a weight of {tuple(new)}")


def _count_channels(module: nn.Module) -> None:
    """Set what a layer says of its channels from the shape of its weight."""
    assert isinstance(module.weight, Tensor)
    shape = module.weight.shape
    if isinstance(module, nn.Conv2d):
        if 1 < module.groups == module.in_channels:
            module.groups = shape[0]
        module.out_channels, module.in_channels = shape[0], shape[1] * module.groups
    elif isinstance(module, nn.Linear):
        module.out_features, module.in_features = shape
    elif isinstance(module, LocallyConnected2d):
        module.out_channels, module.in_channels = shape[1], shape[2] // module.kernel**2
    elif isinstance(module, nn.PReLU):
        module.num_parameters = shape[0]
    elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
        module.num_features = shape[0]


_KINDS = (nn.Conv2d, nn.Linear, nn.BatchNorm1d, nn.BatchNorm2d, nn.PReLU, LocallyConnected2d)
