"""How much a filter matters: the change of the loss to first order, its norm, or chance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from facebench.base.errors import UserError, nearest
from facebench.lab.filters.groups import FilterGroup, normalisation_after

# One float64 per unit of a group.
Scores = NDArray[np.float64]


@dataclass(frozen=True)
class FilterTask:
    """A trained network whose filters are to be told apart.

    groups: of `groups.find_groups`; size: of its faces; batches: starts another pass over training
    faces; loss: of the network on one batch, a scalar; rng: the only randomness.
    """

    net: nn.Module
    groups: Sequence[FilterGroup]
    size: tuple[int, int]
    batches: Callable[[], Iterable[Any]]
    loss: Callable[[nn.Module, Any], Tensor]
    rng: np.random.Generator


def taylor(task: FilterTask) -> list[Scores]:
    """Squared first-order change of the loss if a unit is removed, summed over mini-batches.

    Per mini-batch: (sum over the parameters of a unit of gradient × weight)². The parameters of a
    filter are its weights and bias as it runs, that is with the batch normalisation behind it
    multiplied in; their sum equals gradient × weight of that normalisation's scale and shift. The
    filters of a unit vanish together, so their changes are added before they are squared. The
    network is in evaluation mode: dropout is off, and running statistics stay as they are.

    Source: Molchanov et al. 2019, Importance Estimation for Neural Network Pruning: the first-order
    criterion in its form with a gate per filter, which squares the sum over the filter's
    parameters; where there is a batch normalisation, the gate is behind it.
    """
    task.net.eval()
    after = normalisation_after(task.net, task.size)
    totals = [np.zeros(group.size) for group in task.groups]
    for batch in task.batches():
        task.net.zero_grad(set_to_none=True)
        task.loss(task.net, batch).backward()
        changes = {
            name: first_order_change(task.net.get_submodule(after.get(name, name)))
            for group in task.groups
            for name in group.members
        }
        for total, group in zip(totals, task.groups, strict=True):
            total += unit_changes(group, changes) ** 2
    task.net.zero_grad(set_to_none=True)
    return totals


def first_order_change(module: nn.Module) -> Scores:
    """Sum over the parameters of each output channel of gradient × weight, float64 C."""
    total = np.zeros(1)
    for parameter in module.parameters(recurse=False):
        if parameter.grad is not None:
            product = parameter.detach().double() * parameter.grad.double()
            total = total + product.reshape(len(product), -1).sum(1).cpu().numpy()
    return total


def unit_changes(group: FilterGroup, changes: Mapping[str, Scores]) -> Scores:
    """Change of the loss by unit, float64 ``size``: that of its filters together."""
    total = np.zeros(group.size)
    for name, indices in group.members.items():
        total += changes[name][indices]
    return total


def l1(task: FilterTask) -> list[Scores]:
    """Mean over the filters of a unit of their L1 norm, relative to the mean norm in their layer.

    Bare norms cannot be compared between layers: they grow with the number of inputs.

    Source: Li et al. 2017, Pruning Filters for Efficient ConvNets, Section 3.1, within one layer.
    """
    answer = []
    for group in task.groups:
        norms = []
        for name, indices in group.members.items():
            weight = task.net.get_submodule(name).get_parameter("weight").detach().double()
            norm = weight.abs().flatten(1).sum(1).cpu().numpy()
            norms.append(norm[indices] / max(float(norm.mean()), 1e-300))
        answer.append(np.mean(norms, axis=0))
    return answer


def chance(task: FilterTask) -> list[Scores]:
    """Uniform random numbers."""
    return [task.rng.random(group.size) for group in task.groups]


CRITERIA: dict[str, Callable[[FilterTask], list[Scores]]] = {
    "taylor": taylor,
    "l1": l1,
    "random": chance,
}


def check_criterion(name: str) -> None:
    """UserError where there is no such criterion for filters."""
    if name not in CRITERIA:
        raise UserError(
            f"--criterion {name}: filters are removed by {', '.join(CRITERIA)}"
            f"{nearest(name, CRITERIA)}"
        )


def per_filter(groups: Sequence[FilterGroup], scores: Sequence[Scores], name: str) -> list[Scores]:
    """Scores as units are ranked by: what is removed is counted in filters, so Taylor's importance
    of a unit is shared among its filters; l1 and random have a score per filter already.
    """
    if name != "taylor":
        return list(scores)
    return [s / len(group.members) for group, s in zip(groups, scores, strict=True)]
