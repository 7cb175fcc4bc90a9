"""Neural correlations of a layer's connections, in one streaming pass of bounded memory."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from facebench.models.architectures.base import LocallyConnected2d
from facebench.models.architectures.convnet import ConvNet, to_input

# Sums of products in float64 up to 256 MiB (5a at full width has 94 MB), beyond in float32.
_DOUBLE_ENTRIES = 1 << 25
# Faces taken together: every sum is read and written once for all of them.
_AT_ONCE = 128


def layer_correlations(
    net: ConvNet, layer: str, faces: Iterable[NDArray[np.uint8]]
) -> NDArray[np.floating]:
    """Correlation of every connection of a layer over held-out faces, in one streaming pass.

    ``faces`` yields uint8 N×H×W×3 batches. Returns floats in the shape of the layer's weight: for
    f, 5b and 5a the signed coefficient r_ik (equation 1); for a convolution, whose weights are
    shared, the sum of its magnitudes over positions (equation 2). A neuron that never changes has
    no correlation and counts as 0.

    Memory beside the network: one number per connection (positions × outputs × K), not per face;
    94 MB for 5a and 397 MB for 4b at full width.

    Source: Sun, Wang, Tang 2015, Section 4.1, equations 1 and 2.
    """
    module = net.layer(layer)
    moments = _Moments()
    waiting: list[tuple[Tensor, Tensor]] = []

    def hook(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        # A neuron's activation is rectified; dropout is off in evaluation mode.
        waiting.append((inputs[0].clone(), F.relu(output)))
        if sum(len(given) for given, _ in waiting) >= _AT_ONCE:
            work()

    def work() -> None:
        given = torch.cat([given for given, _ in waiting])
        made = torch.cat([made for _, made in waiting])
        waiting.clear()
        moments.add(_Windows.of(module, given), outputs_by_position(made).contiguous())

    handle = module.register_forward_hook(hook)
    was_training = net.training
    net.eval()
    device = module.weight.device
    try:
        with torch.no_grad():
            for batch in faces:
                net(to_input(torch.from_numpy(batch).to(device)))
            if waiting:
                work()
    finally:
        handle.remove()
        net.train(was_training)
    found: NDArray[np.floating]
    found = moments.summed_magnitudes() if isinstance(module, nn.Conv2d) else moments.correlation()
    if not isinstance(module, nn.Linear):
        found = _channels_before_places(found, module)
    return found.reshape(module.weight.shape)


def inputs_by_position(module: nn.Module, inputs: Tensor) -> Tensor:
    """What each position of a layer sees: positions × N × K."""
    if isinstance(module, nn.Conv2d):
        return F.unfold(inputs, module.kernel_size, padding=1).permute(2, 0, 1)
    if isinstance(module, LocallyConnected2d):
        return F.unfold(inputs, module.kernel).permute(2, 0, 1)
    return inputs.unsqueeze(0)


def outputs_by_position(outputs: Tensor) -> Tensor:
    """Activations of a layer as positions × N × channels."""
    if outputs.dim() == 2:
        return outputs.unsqueeze(0)
    return outputs.flatten(2).permute(2, 0, 1)


class _Windows:
    """What each position of a layer sees of its maps, N×K, cut out when asked.

    A window's numbers by row, column, channel: the channels last, as the maps lie in memory. An
    unfolded copy of all positions would be read with a stride, which costs more than the products.
    ``side`` 0: all of the maps, N×K already.
    """

    def __init__(self, maps: Tensor, side: int) -> None:
        self.maps, self.side = maps, side

    @classmethod
    def of(cls, module: nn.Module, inputs: Tensor) -> _Windows:
        """The input of a layer, padded as the layer pads it."""
        if isinstance(module, nn.Linear):
            return cls(inputs, 0)
        padding = 1 if isinstance(module, nn.Conv2d) else 0
        maps = F.pad(inputs, [padding] * 4).permute(0, 2, 3, 1).contiguous()
        return cls(maps, _side(module))

    def __len__(self) -> int:
        if not self.side:
            return 1
        height, width = self.maps.shape[1] - self.side + 1, self.maps.shape[2] - self.side + 1
        return height * width

    def __getitem__(self, place: int) -> Tensor:
        if not self.side:
            return self.maps
        row, column = divmod(place, self.maps.shape[2] - self.side + 1)
        window = self.maps[:, row : row + self.side, column : column + self.side]
        return window.reshape(len(window), -1)


def _side(module: nn.Module) -> int:
    return 3 if isinstance(module, nn.Conv2d) else cast(LocallyConnected2d, module).kernel


def _channels_before_places(found: NDArray[np.floating], module: nn.Module) -> NDArray[np.floating]:
    """The last axis from (row, column, channel) to (channel, row, column), as weights have it."""
    side = _side(module)
    *before, connections = found.shape
    parted = found.reshape(*before, side * side, connections // (side * side))
    return np.ascontiguousarray(parted.swapaxes(-1, -2))


class _Moments:
    """Running sums of a correlation, about the first batch's means so that nothing cancels.

    Sums of one side are taken over the maps, where a number stands once, not once per window; the
    products position by position, so that what is worked on stays in the processor's cache.
    """

    def __init__(self) -> None:
        self.count = 0

    def add(self, inputs: _Windows, outputs: Tensor) -> None:
        """Another batch: inputs N × K by position, outputs positions × N × channels."""
        first = self.count == 0
        if first:
            self._start(inputs, outputs)
        kind = self.ab.dtype
        self.count += outputs.shape[1]
        b = inputs.maps.to(kind) - self.origin_b
        self.b += b.sum(0, dtype=torch.float64)
        self.bb += (b * b).sum(0, dtype=torch.float64)
        a = outputs.to(kind) - self.origin_a[:, None]
        self.a += a.sum(1, dtype=torch.float64)
        self.aa += (a * a).sum(1, dtype=torch.float64)
        seen = _Windows(b, inputs.side)
        for place in range(len(self.ab)):
            # Nothing is added to the first products: their memory is not cleared before.
            self.ab[place].addmm_(a[place].T, seen[place], beta=0 if first else 1)

    def _start(self, inputs: _Windows, outputs: Tensor) -> None:
        places, _, channels = outputs.shape
        shape = (places, channels, inputs[0].shape[1])
        kind = torch.float64 if math.prod(shape) <= _DOUBLE_ENTRIES else torch.float32
        self.side = inputs.side
        self.origin_b = inputs.maps.mean(0).to(kind)
        self.origin_a = outputs.mean(1).to(kind)
        self.b = torch.zeros_like(self.origin_b, dtype=torch.float64)
        self.bb = torch.zeros_like(self.b)
        self.a = torch.zeros_like(self.origin_a, dtype=torch.float64)
        self.aa = torch.zeros_like(self.a)
        self.ab = torch.empty(shape, dtype=kind, device=outputs.device)

    def _at(self, place: int) -> Tensor:
        """Coefficients of one position, channels × K; takes the place of its sums."""
        n, kind = self.count, self.ab.dtype
        b, bb = (_Windows(sums[None], self.side)[place][0] for sums in (self.b, self.bb))
        mean_a, mean_b = self.a[place] / n, b / n
        by_a = _inverse_spread(self.aa[place] / n - mean_a.square()).to(kind)
        by_b = _inverse_spread(bb / n - mean_b.square()).to(kind)
        found = self.ab[place]
        found.addr_(mean_a.to(kind), mean_b.to(kind), beta=1 / n, alpha=-1)
        return found.mul_(by_a[:, None]).mul_(by_b)

    def correlation(self) -> NDArray[np.floating]:
        """positions × channels × K; takes the place of the sums."""
        self._check()
        for place in range(len(self.ab)):
            self._at(place)
        return self.ab.cpu().numpy()

    def summed_magnitudes(self) -> NDArray[np.float64]:
        """channels × K, the magnitudes summed over positions; takes the place of the sums."""
        self._check()
        total = torch.zeros(self.ab.shape[1:], dtype=torch.float64, device=self.ab.device)
        for place in range(len(self.ab)):
            total += self._at(place).abs_()
        return total.cpu().numpy()

    def _check(self) -> None:
        if self.count < 2:
            raise ValueError("a correlation needs at least two faces")


def _inverse_spread(variance: Tensor) -> Tensor:
    """1 / standard deviation; 0 for a neuron that never changes."""
    spread = variance.clamp(min=0).sqrt()
    return torch.where(spread > 1e-9, 1 / spread, 0.0)
