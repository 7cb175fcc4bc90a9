"""What may be done to a network to make it smaller, in small steps: filters, connections, int8."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.lab.compress.brought import require_filters, shared_weights
from facebench.lab.compress.piece import Piece
from facebench.lab.compress.plan import CompressPlan, Objective
from facebench.lab.connections.criteria import CRITERIA, kept_by_magnitude
from facebench.lab.connections.task import LayerTask
from facebench.lab.data.augment import make_batch
from facebench.lab.filters.groups import filter_counts, find_groups
from facebench.lab.filters.importance import (
    CRITERIA as FILTER_CRITERIA,
)
from facebench.lab.filters.importance import FilterTask
from facebench.lab.filters.removal import choose_units, remove_units
from facebench.lab.filters.schedule import has_shared_filters
from facebench.lab.filters.worth import UnitWorth, worth_of_units
from facebench.lab.learning.learner import CompactLearner, Learner, Machine
from facebench.lab.learning.own_input import OwnInput
from facebench.models.architectures.base import CompactNet
from facebench.models.architectures.convnet import ConvNet
from facebench.models.architectures.shapes import LAYERS, module_name
from facebench.models.cards.card import ModelCard
from facebench.models.cards.trained import packed_weights

# A step leaves these shares of what filters are counted in, and of all connections.
FILTERS_LEFT, CONNECTIONS_LEFT = Fraction(93, 100), Fraction(8, 10)
STEPS = 16
# A layer that keeps more than this stays whole: its mask would cost what it saves.
WHOLE_FROM = 0.9
LEAST_KEPT = Fraction(1, 256)
IMPORTANCE_BATCHES = 8


class CompressMove(Protocol):
    """One way to make a network smaller, by a number of steps.

    name: as users write it; most: steps in all; trains: whether a step is followed by training.
    """

    @property
    def name(self) -> str: ...

    @property
    def most(self) -> int: ...

    @property
    def trains(self) -> bool: ...

    def step(self, piece: Piece, number: int, seed: int) -> None:
        """Carry out one step, in place, number from 1; nothing, where nothing is left to take."""
        ...


@dataclass(frozen=True)
class Filters:
    """Whole filters, the least important per unit of the objective first.

    Importance is Taylor's over training faces, the mean L1 norm where there are none; a unit is
    ranked by it over what its removal saves: multiply-adds, or weights where bytes are the
    objective. Step k leaves 0.93^k of what the network had of these, as far as every layer keeps
    an eighth of its filters.

    Source: Molchanov et al. 2019 (the importance); importance over cost as in Theis et al. 2018,
    Faster gaze prediction with dense networks and Fisher pruning, equation 10.
    """

    objective: Objective
    machine: Machine
    start: Piece
    name: str = "filters"
    most: int = STEPS
    trains: bool = True

    def step(self, piece: Piece, number: int, seed: int) -> None:
        net = piece.net if piece.learner is None else piece.learner.net
        assert isinstance(net, (CompactNet, OwnInput))
        size, original = net.input_size, self.original
        groups = find_groups(net, size)
        worth = worth_of_units(net, groups, size)
        own = [self._saved(one) for one in worth]
        gone = self._cost(net) - float(FILTERS_LEFT) ** number * self._cost(self._start_net)
        if gone <= 0:
            return
        scores = self._scores(piece, net, seed)
        ranked = [score / saved for score, saved in zip(scores, own, strict=True)]
        try:
            units = choose_units(groups, ranked, gone, original, own)
        except ValueError:  # every layer keeps some
            return
        remove_units(net, groups, units, size)
        piece.settle()
        piece.renew_masks()

    @property
    def _start_net(self) -> CompactNet | OwnInput:
        assert isinstance(self.start.net, (CompactNet, OwnInput))
        return self.start.net

    @property
    def original(self) -> dict[str, int]:
        """Filters by layer before anything was removed."""
        net = self._start_net
        return filter_counts(find_groups(net, net.input_size))

    def _saved(self, worth: UnitWorth) -> float:
        return float(worth.weights if self.objective == "bytes" else worth.multiply_adds)

    def _cost(self, net: CompactNet | OwnInput) -> float:
        """What filters are counted in here: weights, or multiply-adds."""
        from facebench.lab.filters.latency import multiply_adds
        from facebench.models.architectures.base import parameters

        size = net.input_size
        return float(parameters(net) if self.objective == "bytes" else multiply_adds(net, size))

    def _scores(
        self, piece: Piece, net: CompactNet | OwnInput, seed: int
    ) -> list[NDArray[np.float64]]:
        groups, learner = find_groups(net, net.input_size), piece.learner
        rng = np.random.default_rng([seed, 1])
        if not isinstance(learner, CompactLearner):
            task = FilterTask(net, groups, net.input_size, lambda: (), _no_loss, rng)
            found = FILTER_CRITERIA["l1"](task)
            return [score * len(g.members) for score, g in zip(found, groups, strict=True)]
        device = self.machine.device
        net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

        def batches() -> Iterator[object]:
            return (make_batch(learner.data.sources, seed, n) for n in range(IMPORTANCE_BATCHES))

        task = FilterTask(net, groups, net.input_size, batches, learner.loss, rng)
        found = FILTER_CRITERIA["taylor"](task)
        net.to("cpu")
        learner.supervision.to("cpu")
        learner.supervision.zero_grad(set_to_none=True)
        return found


def _no_loss(*_: object) -> torch.Tensor:
    raise AssertionError("norms need no loss")


@dataclass(frozen=True)
class Connections:
    """Single connections of all layers together. Step k keeps 0.8^k of those that the start has.

    has: the share of all connections that these are.

    How many each layer keeps is told by its magnitudes (`shares_kept`); which ones, by the
    criterion.

    Source: Lee et al. 2021, Layer-Adaptive Sparsity for the Magnitude-Based Pruning, equation 2.
    """

    criterion: str
    has: float = 1.0
    name: str = "connections"
    most: int = STEPS
    trains: bool = True

    def step(self, piece: Piece, number: int, seed: int) -> None:
        layers = layers_of(piece)
        weights = {name: _weight(piece, module) for name, module in layers.items()}
        keep = self.has * float(CONNECTIONS_LEFT) ** number
        rng = np.random.default_rng([seed, 2])
        masks: dict[str, torch.Tensor] = {}
        for name, share in shares_kept(weights, keep).items():
            module = layers[name]
            before = piece.masks.get(module)
            allowed = np.ones(weights[name].shape, bool) if before is None else before.numpy()
            if share > WHOLE_FROM or share * allowed.size >= allowed.sum():
                continue
            mask = self._kept(piece, name, weights[name], allowed, share, rng)
            masks[module] = torch.from_numpy(mask)
        piece.drop(masks)

    def _kept(
        self,
        piece: Piece,
        layer: str,
        weight: NDArray[np.float32],
        allowed: NDArray[np.bool_],
        share: Fraction,
        rng: np.random.Generator,
    ) -> NDArray[np.bool_]:
        if self.criterion == "magnitude":
            return kept_by_magnitude(weight, allowed, share)
        assert isinstance(piece.net, ConvNet) and isinstance(piece.learner, Learner)
        data = piece.learner.data
        task = LayerTask(
            piece.net, layer, share, rng, faces=lambda: data.held_out_faces(),
            logits=piece.learner.supervision.logits, before=allowed,
        )  # fmt: skip
        try:
            return CRITERIA[self.criterion](task)
        except ValueError as error:
            raise UserError(f"--criterion {self.criterion}: {error}") from None


@dataclass(frozen=True)
class Int8:
    """Weights rounded to 8 bits with one scale per output channel when they are written."""

    name: str = "int8"
    most: int = 1
    trains: bool = False

    def step(self, piece: Piece, number: int, seed: int) -> None:
        """Nothing: it is done when a candidate is written."""


def layers_of(piece: Piece) -> dict[str, str]:
    """Layers whose connections may go: names, of a ConvNet the paper's, and of their modules.

    The first layer, which sees three channels, and layers of one weight per channel stay whole:
    they hold next to nothing; so do layers of a brought network that share their weight.
    """
    if isinstance(piece.net, ConvNet):
        return {name: module_name(name) for name in LAYERS[1:]}
    found = {
        name: name
        for name, module in piece.net.named_modules()
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)) or hasattr(module, "out_size")
    }
    first = next(iter(found), "")
    shared = shared_weights(piece.net) if isinstance(piece.net, OwnInput) else set()
    return {
        n: m
        for n, m in found.items()
        if n != first and n not in shared and not _by_channel(piece, m)
    }


def share_of_connections(piece: Piece) -> float:
    """Of its layers' connections those that it still has, above 0 to 1."""
    layers = layers_of(piece).values()
    whole = sum(piece.net.get_submodule(name).get_parameter("weight").numel() for name in layers)
    gone = sum(int((~mask).sum()) for mask in piece.masks.values())
    return 1 - gone / whole


def _by_channel(piece: Piece, module: str) -> bool:
    layer = piece.net.get_submodule(module)
    return isinstance(layer, torch.nn.Conv2d) and layer.groups > 1


def _weight(piece: Piece, module: str) -> NDArray[np.float32]:
    weight = piece.net.get_submodule(module).get_parameter("weight").detach()
    return weight.cpu().numpy().astype(np.float32)


def shares_kept(weights: dict[str, NDArray[np.float32]], keep: float) -> dict[str, Fraction]:
    """Share of its connections that each layer keeps, where all layers together keep ``keep``.

    The largest by the score w² / (sum of the squares in the layer that are no smaller than w²)
    stay: what their removal would distort of the layer's output, whatever is removed elsewhere.

    Source: Lee et al. 2021, equation 2 and Section 2.2.
    """
    scores = {name: _scores(weight) for name, weight in weights.items()}
    together = np.concatenate(list(scores.values()))
    count = max(1, round(keep * together.size))
    bound = np.partition(together, -count)[-count]
    return {
        name: max(LEAST_KEPT, Fraction(int((score >= bound).sum()), score.size))
        for name, score in scores.items()
    }


def _scores(weight: NDArray[np.float32]) -> NDArray[np.float64]:
    """In ascending order of magnitude: each square over the sum of it and all larger ones."""
    squares = np.sort(np.square(weight, dtype=np.float64), axis=None)
    above = np.cumsum(squares[::-1])[::-1]
    return np.asarray(squares / np.maximum(above, 1e-300))


def moves_for(
    plan: CompressPlan, start: Piece, machine: Machine
) -> tuple[dict[str, CompressMove], list[str]]:
    """The plan's moves that suit its network and objective, and why others do not, a line each."""
    made: dict[str, CompressMove] = {}
    told: list[str] = []
    for name in plan.moves:
        if name == "filters":
            try:
                _require_filters(start)
                made[name] = Filters(plan.objective, machine, start)
            except UserError as error:
                told.append(f"filters: {error}")
        elif plan.objective != "bytes":
            told.append(f"{name}: saves bytes, and no {plan.objective}")
        elif name == "connections" and not layers_of(start):
            told.append(
                "connections: no layer has any, but the first or those that must stay whole"
            )
        elif name == "connections":
            made[name] = Connections(plan.criterion, share_of_connections(start))
        elif packed_dtype(start.card) == "int8":
            told.append("int8: the weights are in int8 already")
        else:
            made[name] = Int8()
    if "connections" in made and plan.criterion != "magnitude":
        if not isinstance(start.net, ConvNet):
            raise UserError(
                f"--criterion {plan.criterion}: is of ConvNets; of a {start.card.architecture} "
                "network connections are chosen by magnitude"
            )
        if start.learner is None:
            raise UserError(
                f"--criterion {plan.criterion}: needs training faces: give --data, or choose "
                "magnitude"
            )
    if not made:
        raise UserError(f"--moves: none suits {start.card.name}: {'; '.join(told)}")
    return made, [f"passed over {line}" for line in told]


def _require_filters(start: Piece) -> None:
    """UserError: why no filter can be removed."""
    if isinstance(start.net, OwnInput):
        try:
            require_filters(start.card, start.net)
        except UserError as error:
            raise UserError(f"those of {start.card.name} are not available: {error}") from None
    elif not has_shared_filters(start.card):
        raise UserError(f"those of a {start.card.architecture} cannot be removed here")


def packed_dtype(card: ModelCard) -> str:
    """Of the values in a card's file of weights."""
    return packed_weights(card).dtype
