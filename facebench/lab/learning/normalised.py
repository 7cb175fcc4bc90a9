"""Batch normalisation while learning, none in what is learned."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from facebench.models.architectures.base import LocallyConnected2d
from facebench.models.architectures.convnet import ConvNet, to_input
from facebench.models.architectures.shapes import LAYERS, module_name

# The two layers at full resolution learn without it, and there it would cost the most time.
NORMALISED = LAYERS[2:]


class NormalisedConvNet(ConvNet):
    """The Table-1 ConvNet with batch normalisation from layer 2a on, for training only.

    Eleven rectified layers without it do not start to learn in the minutes a CPU has. ``folded``
    multiplies it into the weights, so the model that is kept is the paper's network exactly. Not in
    the paper, which is of 2015; the cards say so. Same input and output as ``ConvNet``.
    """

    def __init__(
        self,
        width: float = 1.0,
        input_size: tuple[int, int] = (112, 96),
        dropout: tuple[float, float] = (0.3, 0.5),
    ) -> None:
        super().__init__(width, input_size, dropout)
        for name in NORMALISED:
            layer = self.layer(name)
            if isinstance(layer, nn.Linear):
                norm: nn.Module = nn.BatchNorm1d(layer.out_features)
            else:
                norm = nn.BatchNorm2d(layer.out_channels)
            self.add_module(f"norm{name}", norm)

    def activate(self, layer: str, x: Tensor) -> Tensor:
        """Rectified, normalised activations of one layer, from its input."""
        x = self.get_submodule(module_name(layer))(x)
        if layer in NORMALISED:
            x = self.get_submodule(f"norm{layer}")(x)
        return F.relu(x, inplace=True)

    def folded(self) -> ConvNet:
        """A plain ConvNet that computes what this one computes in evaluation mode."""
        plain = ConvNet(self.width, self.input_size, self.dropout)
        own = self.state_dict()
        plain.load_state_dict({name: own[name] for name in plain.state_dict()})
        with torch.no_grad():
            for name in NORMALISED:
                self._fold(name, plain)
        return plain.eval()

    def _fold(self, name: str, plain: ConvNet) -> None:
        source, target = self.layer(name), plain.layer(name)
        norm = self.get_submodule(f"norm{name}")
        assert isinstance(norm, (nn.BatchNorm1d, nn.BatchNorm2d))
        assert norm.running_var is not None and norm.running_mean is not None
        assert source.bias is not None and target.bias is not None
        gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        # [position, out, K] in a locally-connected layer, [out, …] in the others.
        spread = [1, -1, 1] if isinstance(source, LocallyConnected2d) else [-1]
        spread += [1] * (source.weight.dim() - len(spread))
        target.weight.copy_(source.weight * gain.view(spread))
        target.bias.copy_((source.bias - norm.running_mean) * gain + norm.bias)


def unfolded(plain: ConvNet, faces: Iterable[NDArray[np.uint8]]) -> NormalisedConvNet:
    """A normalised network that computes what a plain one computes, to train it further.

    faces: uint8 N×H×W×3 batches, over which the mean and variance of every layer are taken; gain
    and offset of the normalisation undo them.
    """
    net = NormalisedConvNet(plain.width, plain.input_size, plain.dropout)
    own = plain.state_dict()
    net.load_state_dict({**net.state_dict(), **{k: v for k, v in own.items()}})
    sums = {name: _Spread() for name in NORMALISED}
    handles = [plain.layer(name).register_forward_hook(sums[name].add) for name in NORMALISED]
    plain.eval()
    try:
        with torch.no_grad():
            for batch in faces:
                plain(to_input(torch.from_numpy(batch)))
            for name in NORMALISED:
                _undo(net.get_submodule(f"norm{name}"), *sums[name].finish())
    finally:
        for handle in handles:
            handle.remove()
    return net


def _undo(norm: nn.Module, mean: Tensor, variance: Tensor) -> None:
    assert isinstance(norm, (nn.BatchNorm1d, nn.BatchNorm2d))
    assert norm.running_var is not None and norm.running_mean is not None
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
    norm.weight.copy_(torch.sqrt(norm.running_var + norm.eps))
    norm.bias.copy_(norm.running_mean)


class _Spread:
    """Mean and variance per channel of what a layer puts out, over batches."""

    def __init__(self) -> None:
        self.count, self.sum, self.squares = 0, torch.zeros(1).double(), torch.zeros(1).double()

    def add(self, _module: nn.Module, _inputs: object, output: Tensor) -> None:
        rows = output.transpose(0, 1).flatten(1).double()
        self.count += rows.shape[1]
        self.sum = self.sum + rows.sum(1)
        self.squares = self.squares + rows.square().sum(1)

    def finish(self) -> tuple[Tensor, Tensor]:
        if not self.count:
            raise ValueError("no faces to take means and variances of")
        mean = self.sum / self.count
        return mean.float(), (self.squares / self.count - mean.square()).clamp(min=0).float()


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
