"""Batch normalisation while learning for compact networks that have none; none in what is kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


@contextmanager
def normalising(net: nn.Module) -> Iterator[None]:
    """Inside, every convolution with a bias is followed by batch normalisation.

    SqueezeNet and the DeepIDs hardly start to learn in the minutes a CPU has without it; networks
    that normalise on their own have no biases and stay as they are. At the end it is multiplied
    into weights and biases: the network computes what it computed in evaluation mode, and is the
    published one again. Not in the papers; the recipe's title says so.
    """
    names = [
        name
        for name, module in net.named_modules()
        if isinstance(module, nn.Conv2d) and module.bias is not None
    ]
    for name in names:
        convolution = net.get_submodule(name)
        assert isinstance(convolution, nn.Conv2d)
        norm = nn.BatchNorm2d(convolution.out_channels).to(convolution.weight.device)
        parts = OrderedDict(convolution=convolution, norm=norm)
        net.set_submodule(name, nn.Sequential(parts))
    try:
        yield
    finally:
        for name in names:
            pair = net.get_submodule(name).eval()
            own, learned = pair.get_submodule("convolution"), pair.get_submodule("norm")
            assert isinstance(own, nn.Conv2d) and isinstance(learned, nn.BatchNorm2d)
            net.set_submodule(name, fuse_conv_bn_eval(own, learned))
