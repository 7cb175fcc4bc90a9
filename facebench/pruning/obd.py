"""Optimal brain damage: the weights whose loss would cost most, by second derivatives."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facebench.nets.convnet import to_input
from facebench.pruning.moments import inputs_by_position, outputs_by_position
from facebench.pruning.ranking import largest, whole
from facebench.pruning.task import Mask, Task

DRAWS = 4


def obd(task: Task) -> Mask:
    """The S·|W| weights of the largest saliency h·w²/2, h the diagonal second derivative.

    Over the layer, not per neuron; S·|W| rounded to the nearest whole number, a half up; of equal
    saliencies the first. The loss is the softmax over identities, on held-out faces.

    Source: LeCun, Denker, Solla 1990, equations 3 and 5.
    """
    saliency = second_derivatives(task) * np.square(task.weight, dtype=np.float64) / 2
    return largest(saliency, whole(task.keep, saliency.size), task.allowed)


def second_derivatives(task: Task, draws: int | None = DRAWS) -> NDArray[np.float64]:
    """Mean diagonal second derivative of the cross-entropy, in the shape of the weight.

    Rectified layers and pooling are piecewise linear, so that for one weight the Gauss-Newton
    diagonal is the exact second derivative almost everywhere, and unlike the recursion of LeCun et
    al. it needs no diagonal approximation in the layers above. It is computed as the mean over
    classes c, weighted by the network's own p(c), of the squared derivative of -log p(c), per face
    (shared weights: of the sum over positions). draws: classes drawn from p per face, which is
    right on average; None: all classes, exact.

    Sources: LeCun, Denker, Solla 1990, Section 2.2; Schraudolph 2002, Section 3 (the extended
    Gauss-Newton matrix); Martens 2020, Section 9.2 (it is the Fisher matrix of a softmax).
    """
    if task.logits is None:
        raise ValueError("obd needs a softmax over identities: training data with identities")
    module = task.net.layer(task.layer)
    total = torch.zeros(tuple(module.weight.shape), dtype=torch.float64)
    seen: dict[str, Tensor] = {}

    def hook(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        # The layers above work on a copy: rectifying is in place.
        seen["inputs"], seen["outputs"] = inputs[0].detach(), output
        return output.clone()

    handle, was_training = module.register_forward_hook(hook), task.net.training
    task.net.eval()
    faces = 0
    try:
        for batch in task.held_out():
            x = to_input(torch.from_numpy(batch).to(module.weight.device))
            log_p = task.logits(task.net(x)).log_softmax(1)
            for classes, factor in _classes(log_p.detach(), draws, task.rng):
                loss = -log_p.gather(1, classes[:, None]).sum()
                (slope,) = torch.autograd.grad(loss, seen["outputs"], retain_graph=True)
                total += _squared(module, seen["inputs"], slope, factor).cpu()
            faces += len(batch)
    finally:
        handle.remove()
        task.net.train(was_training)
    return (total / faces).numpy()


def _classes(
    log_p: Tensor, draws: int | None, rng: np.random.Generator
) -> list[tuple[Tensor, Tensor]]:
    """Classes int64 N to take derivatives of, each with its weight per face, float N."""
    faces, count = log_p.shape
    p = log_p.exp()
    if draws is None:
        return [(torch.full((faces,), c, device=p.device), p[:, c]) for c in range(count)]
    seed = torch.Generator().manual_seed(int(rng.integers(1 << 62)))
    drawn = torch.multinomial(p.cpu(), draws, replacement=True, generator=seed).to(p.device)
    equal = torch.full((faces,), 1 / draws, device=p.device)
    return [(drawn[:, i], equal) for i in range(draws)]


def _squared(module: nn.Module, inputs: Tensor, slope: Tensor, factor: Tensor) -> Tensor:
    """Sum over faces of factor · (derivative by the weight)², in the shape of the weight."""
    shape = tuple(cast(Tensor, module.weight).shape)
    b = inputs_by_position(module, inputs)  # positions × N × K
    a = outputs_by_position(slope)  # positions × N × channels
    if not isinstance(module, nn.Conv2d):
        squares = (a.square() * factor[None, :, None]).transpose(1, 2) @ b.square()
        return squares.reshape(shape).double()
    total = torch.zeros(a.shape[2], b.shape[2], dtype=torch.float64, device=b.device)
    for face in range(b.shape[1]):
        derivative = a[:, face].T @ b[:, face]
        total += factor[face] * derivative.double().square()
    return total.reshape(shape)
