"""Which connections to keep: the neural-correlation criterion of Sun, Wang and Tang (2015)."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from facebench.nets.convnet import ConvNet, module_name, to_input
from facebench.nets.layers import LocallyConnected2d

PAPER_LAMBDA = 0.75


def layer_correlations(
    net: ConvNet, layer: str, faces: Iterable[NDArray[np.uint8]]
) -> NDArray[np.float64]:
    """Correlation of every connection of a layer over held-out faces, in one streaming pass.

    ``faces`` yields uint8 N×H×W×3 batches. Returns float64 in the shape of the layer's weight: for
    f, 5b and 5a the signed coefficient r_ik (equation 1); for a convolution, whose weights are
    shared, the sum of its magnitudes over positions (equation 2). A neuron that never changes has
    no correlation and counts as 0.

    Source: Sun, Wang, Tang 2015, Section 4.1, equations 1 and 2.
    """
    module = net.layer(layer)
    moments = _Moments()
    seen: dict[str, Tensor] = {}

    def hook(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        # A neuron's activation is rectified; dropout is off in evaluation mode.
        seen["inputs"], seen["outputs"] = inputs[0], F.relu(output)

    handle = module.register_forward_hook(hook)
    was_training = net.training
    net.eval()
    try:
        with torch.inference_mode():
            for batch in faces:
                net(to_input(torch.from_numpy(batch)))
                moments.add(_by_position(module, seen["inputs"]), _outputs(seen["outputs"]))
    finally:
        handle.remove()
        net.train(was_training)
    coefficients = moments.correlation()  # positions × outputs × connections
    if isinstance(module, nn.Conv2d):
        return np.abs(coefficients).sum(0).reshape(module.weight.shape)
    return coefficients.reshape(module.weight.shape)


def _by_position(module: nn.Module, inputs: Tensor) -> Tensor:
    """What each position of a layer sees: positions × N × connections."""
    if isinstance(module, nn.Conv2d):
        return F.unfold(inputs, module.kernel_size, padding=1).permute(2, 0, 1)
    if isinstance(module, LocallyConnected2d):
        return F.unfold(inputs, module.kernel).permute(2, 0, 1)
    return inputs.unsqueeze(0)


def _outputs(outputs: Tensor) -> Tensor:
    """Activations as positions × N × channels."""
    if outputs.dim() == 2:
        return outputs.unsqueeze(0)
    return outputs.flatten(2).permute(2, 0, 1)


class _Moments:
    """Running sums of a correlation, about the first batch's means so that nothing cancels."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, inputs: Tensor, outputs: Tensor) -> None:
        inputs, outputs = inputs.double(), outputs.double()
        if self.count == 0:
            self.origin_b, self.origin_a = (
                inputs.mean(1, keepdim=True),
                outputs.mean(1, keepdim=True),
            )
            self.b = torch.zeros(inputs.shape[0], inputs.shape[2], dtype=torch.float64)
            self.bb = torch.zeros_like(self.b)
            self.a = torch.zeros(outputs.shape[0], outputs.shape[2], dtype=torch.float64)
            self.aa = torch.zeros_like(self.a)
            self.ab = torch.zeros(*self.a.shape, self.b.shape[1], dtype=torch.float64)
        inputs, outputs = inputs - self.origin_b, outputs - self.origin_a
        self.count += inputs.shape[1]
        self.b += inputs.sum(1)
        self.bb += inputs.square().sum(1)
        self.a += outputs.sum(1)
        self.aa += outputs.square().sum(1)
        self.ab += outputs.transpose(1, 2) @ inputs

    def correlation(self) -> NDArray[np.float64]:
        if self.count < 2:
            raise ValueError("a correlation needs at least two faces")
        n = self.count
        covariance = self.ab / n - (self.a / n).unsqueeze(2) * (self.b / n).unsqueeze(1)
        variance_a = self.aa / n - (self.a / n).square()
        variance_b = self.bb / n - (self.b / n).square()
        scale = (variance_a.clamp(min=0).unsqueeze(2) * variance_b.clamp(min=0).unsqueeze(1)).sqrt()
        return torch.where(scale > 1e-12, covariance / scale, 0.0).numpy()


def select_connections(
    correlations: NDArray[np.float64],
    keep: Fraction,
    rng: np.random.Generator,
    *,
    shared: bool,
    lam: float = PAPER_LAMBDA,
) -> NDArray[np.bool_]:
    """The dropping matrix (True: kept) of a layer, from its connections' correlations.

    correlations: float64 in the shape of the weight, one output neuron or map per row of
    ``reshape(outputs, K)``; keep: the degree of sparsity S; shared: weights shared over positions
    (convolution), where magnitudes are ranked together; otherwise positive and negative ones are
    ranked apart. In each ranking λ·S·K⁺ are drawn from the upper half and (1-λ)·S·K⁺ from the
    lower half.

    Rounding: the four (two) expected numbers of a neuron are rounded together by systematic
    sampling, so that each is off by less than one, its mean is exact, and a neuron keeps S·K
    connections exactly where S·K is whole, otherwise one of the two neighbours.

    Source: Sun, Wang, Tang 2015, Section 4.1.
    """
    if not 0 < keep < 1:
        raise ValueError(f"the degree of sparsity must lie between 0 and 1, not {keep}")
    if not 0 <= lam <= 1:
        raise ValueError(f"lambda must lie in [0, 1], not {lam}")
    connections = _connections(correlations)
    rows = correlations.reshape(-1, connections)
    kept = np.zeros(rows.shape, bool)
    for row, mask in zip(rows, kept, strict=True):
        groups = [np.arange(connections)] if shared else _by_sign(row)
        halves: list[tuple[NDArray[np.int64], float]] = []
        for group in groups:
            order = group[np.argsort(-np.abs(row[group]), kind="stable")]
            middle = (len(order) + 1) // 2
            wanted = float(keep) * len(order)
            halves += _shares(order[:middle], order[middle:], wanted, lam)
        for (members, _), count in zip(halves, _round_together(halves, rng), strict=True):
            mask[rng.choice(members, count, replace=False)] = True
    return kept.reshape(correlations.shape)


def _connections(correlations: NDArray[np.float64]) -> int:
    """K, the inputs of one neuron: 3-d weights are [position, out, K], others [out, K…]."""
    if correlations.ndim == 3:
        return correlations.shape[2]
    return int(np.prod(correlations.shape[1:]))


def _by_sign(row: NDArray[np.float64]) -> list[NDArray[np.int64]]:
    return [np.flatnonzero(row >= 0), np.flatnonzero(row < 0)]


def _shares(
    upper: NDArray[np.int64], lower: NDArray[np.int64], wanted: float, lam: float
) -> list[tuple[NDArray[np.int64], float]]:
    """How many of each half: λ and 1-λ of those wanted; what a half lacks, the other gives.

    With S above 1/(2λ) the upper half is smaller than its share, as 2/3-4b would show.
    """
    from_upper = min(lam * wanted, len(upper))
    from_lower = min(wanted - from_upper, len(lower))
    return [(upper, wanted - from_lower), (lower, from_lower)]


def _round_together(
    shares: list[tuple[NDArray[np.int64], float]], rng: np.random.Generator
) -> list[int]:
    """Systematic sampling: whole numbers whose expectations are the shares, with a fixed sum."""
    edges = np.concatenate([[0.0], np.cumsum([share for _, share in shares])])
    # A sum that is whole must stay whole in spite of floating point.
    edges = np.round(edges, 9)
    places = np.floor(edges + rng.random())
    counts = np.diff(places).astype(int)
    return [
        int(min(count, len(members))) for count, (members, _) in zip(counts, shares, strict=True)
    ]


def prune_layer(
    net: ConvNet,
    layer: str,
    keep: Fraction,
    faces: Iterable[NDArray[np.uint8]],
    rng: np.random.Generator,
    lam: float = PAPER_LAMBDA,
) -> tuple[str, Tensor]:
    """Dropping matrix of one layer of a trained net: (state-dict module name, 0/1 float tensor)."""
    correlations = layer_correlations(net, layer, faces)
    shared = isinstance(net.layer(layer), nn.Conv2d)
    kept = select_connections(correlations, keep, rng, shared=shared, lam=lam)
    return module_name(layer), torch.from_numpy(kept).to(torch.float32)
