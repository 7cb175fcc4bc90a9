"""The criteria by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import prune

from facebench.base.errors import UserError, nearest
from facebench.lab.connections.correlation import correlation, highest, random
from facebench.lab.connections.moments import inputs_by_position, outputs_by_position
from facebench.lab.connections.task import Criterion, KeptConnections, LayerTask
from facebench.models.architectures.base import LocallyConnected2d
from facebench.models.architectures.convnet import to_input


def whole(share: Fraction, count: int) -> int:
    """share · count as a whole number: the nearest one, a half goes up; at least 1."""
    return max(1, int(share * count + Fraction(1, 2)))


def largest(
    values: NDArray[np.floating], count: int, allowed: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Mask of the ``count`` largest values among those allowed; of equal ones the first."""
    flat, places = values.ravel(), np.flatnonzero(allowed)
    order = places[np.argsort(-flat[places], kind="stable")]
    kept = np.zeros(values.size, bool)
    kept[order[:count]] = True
    return kept.reshape(values.shape)


BELOW = Fraction(1, 10)
PENALTY, GROWTH, ROUNDS = 1e-4, 1.3, 60


def brp(task: LayerTask) -> KeptConnections:
    """Connections left when learning under L1, and removing the smallest, has reached S.

    The network learns on between removals, so the retrained one starts from what it has become.
    The penalty grows by 30% from round to round: the paper's "repeated until S" says nothing of
    its strength, and with a constant one the removals may cease. After 60 rounds the largest
    weights left are taken. The last removal keeps exactly S·|W|, to the nearest whole number, a
    half up.

    Source: Williams 1995, Sections 4 and 5; Sun, Wang, Tang 2015, Section 5.4.
    """
    if task.learn is None:
        raise ValueError("brp learns while it prunes: it needs training data")
    learn, count = task.learn, whole(task.keep, task.weight.size)
    return until(
        count, task.allowed, lambda kept, number: learn(kept, strength(number), number), ROUNDS
    )


def strength(number: int) -> float:
    """Factor of the sum of absolute weights in the loss of a round."""
    return float(PENALTY * GROWTH**number)


def until(
    count: int,
    kept: KeptConnections,
    learn: Callable[[KeptConnections, int], NDArray[np.float32]],
    rounds: int,
) -> KeptConnections:
    """Learn and remove, round by round, until ``count`` connections are left."""
    for number in range(rounds):
        weight = learn(kept, number)
        kept = remove(weight, kept, count)
        if kept.sum() <= count:
            return kept
    return largest(np.abs(weight), count, kept)


def remove(weight: NDArray[np.floating], kept: KeptConnections, least: int) -> KeptConnections:
    """Without the weights below 10% of the mean absolute value of those kept; ``least`` stay.

    Source: Sun, Wang, Tang 2015, Section 5.4.
    """
    size = np.abs(weight)
    left = kept & (size >= float(BELOW) * size[kept].mean())
    return left if left.sum() >= least else largest(size, least, kept)


def magnitude(task: LayerTask) -> KeptConnections:
    """S·|W⁺| positive and S·|W⁻| negative weights with the largest absolute values.

    Over the layer, not per neuron. Rounding: the layer keeps S·|W| and the positive ones S·|W⁺|,
    both to the nearest whole number, a half up; the negative ones are the rest. Zeros count as
    positive; of equal weights the first stay.

    Source: Sun, Wang, Tang 2015, Section 5.4; Collins, Kohli 2014.
    """
    return kept_by_magnitude(task.weight, task.allowed, task.keep)


def kept_by_magnitude(
    weight: NDArray[np.float32], allowed: NDArray[np.bool_], keep: Fraction
) -> KeptConnections:
    """`magnitude` of a layer of any network, of its connections that may be kept."""
    positive = allowed & (weight >= 0)
    negative = allowed & (weight < 0)
    total = whole(keep, weight.size)
    # Where a layer is made sparser once more, the share of what it still has.
    share = keep * weight.size / int(allowed.sum())
    above = min(int(positive.sum()), total, int(share * int(positive.sum()) + 0.5))
    above = max(above, total - int(negative.sum()))
    return largest(weight, above, positive) | largest(-weight, total - above, negative)


DRAWS = 4


def obd(task: LayerTask) -> KeptConnections:
    """The S·|W| weights of the largest saliency h·w²/2, h the diagonal second derivative.

    Over the layer, not per neuron; S·|W| rounded to the nearest whole number, a half up; of equal
    saliencies the first. The loss is the softmax over identities, on held-out faces.

    Source: LeCun, Denker, Solla 1990, equations 3 and 5.
    """
    saliency = second_derivatives(task) * np.square(task.weight, dtype=np.float64) / 2
    return largest(saliency, whole(task.keep, saliency.size), task.allowed)


def second_derivatives(task: LayerTask, draws: int | None = DRAWS) -> NDArray[np.float64]:
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


def scratch(net: nn.Module, masks: Mapping[str, Tensor], seed: int) -> dict[str, Tensor]:
    """Give a network the weights that an untrained one has, in place; returns copies of the masks.

    masks: module name (``local5b``) → 0/1 or bool in the shape of its weight. Weights keep the
    variance 2/K of the dense network, as in the paper's comparison nothing says otherwise.
    ValueError where a mask fits no layer.

    Source: Sun, Wang, Tang 2015, Section 5.3, Table 7.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in net.modules():
            _renew(module)
    for name, mask in masks.items():
        layer = net.get_submodule(name)
        if mask.shape != layer.weight.shape:
            raise ValueError(f"{name}: mask {tuple(mask.shape)} fits another network")
        prune.custom_from_mask(layer, "weight", mask.to(torch.float32))
        prune.remove(layer, "weight")
    return {name: mask.clone() for name, mask in masks.items()}


def _renew(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, LocallyConnected2d):
        nn.init.normal_(module.weight, std=(2.0 / module.weight.shape[2]) ** 0.5)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.modules.batchnorm._BatchNorm):
        module.reset_parameters()


CRITERIA: Mapping[str, Criterion] = MappingProxyType(
    {
        "correlation": correlation,
        "random": random,
        "highest": highest,
        "magnitude": magnitude,
        "obd": obd,
        "brp": brp,
    }
)
# Not a criterion of its own: it takes the masks of a network that exists.
SCRATCH = "scratch"
NAMES = (*CRITERIA, SCRATCH)


def check_criterion(name: str) -> None:
    """UserError for a criterion that is not known, with the nearest one."""
    if name not in NAMES:
        raise UserError(f"unknown criterion {name!r}{nearest(name, NAMES)} ({', '.join(NAMES)})")
