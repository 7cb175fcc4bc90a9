"""The layer-wise schedule: a plan from N_0 to N_M, stopped at any point and continued."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.lab.connections.correlation import connections_of
from facebench.lab.connections.criteria import CRITERIA, SCRATCH, scratch
from facebench.lab.connections.plan import ConnectionPlan, Step
from facebench.lab.connections.publish import LearnedNetwork, publish_learned
from facebench.lab.connections.task import KeptConnections, LayerTask
from facebench.lab.data.frozen import Frozen
from facebench.lab.data.people import write_held_out
from facebench.lab.laboratory.laboratory import Laboratory
from facebench.lab.laboratory.work_folder import (
    FINAL,
    SETTINGS,
    as_json,
    at_work,
    begin_folder,
    check_card,
    fingerprint,
    folder_of,
    is_published,
    learned_there,
    read_kept,
)
from facebench.lab.learning.learner import Learner, copy_of, untrained
from facebench.lab.learning.recipes import Which
from facebench.models.architectures.convnet import ConvNet
from facebench.models.architectures.shapes import LAYERS, module_name
from facebench.models.cards.names import card_for
from facebench.models.cards.trained import network_of
from facebench.models.sparsity.masks import masks_of

SIZE = (112, 96)
# Of the retraining's mini-batches, one round of brp.
BRP_ROUND = 1 / 20
START = "start.pt"


@dataclass(frozen=True)
class ConnectionRun:
    """A plan, and what it is carried out with."""

    plan: ConnectionPlan
    lab: Laboratory

    def fresh(self) -> Learner:
        """An untrained network in the plan's shape."""
        learner = untrained(self.lab.recipe, self.plan.width, SIZE, self.lab.data, self.plan.seed)
        learner.stored = self.lab.work / "stored"
        return learner

    @property
    def base(self) -> dict[str, Fraction]:
        """Degrees of sparsity of the baseline: none, unless it is a card's."""
        start = self.plan.baseline.start
        return {} if start is None else card_for(start).degrees

    def folder(self, name: str) -> Path:
        """Where a network is learned. One taken from a card has an own folder, unless the card is
        of this work folder, recipe and data: then learning goes on where it ended.
        """
        there = self.learned_here if name == self.plan.baseline.model else None
        return there or folder_of(self.lab.work, name, _settings(self, name))

    @property
    def learned_here(self) -> Path | None:
        """Where this work folder learned the card that is the baseline, from the same data and by
        the same recipe; None: nowhere.
        """
        baseline, own = self.plan.baseline, _common(self)
        if baseline.start is None:
            return None
        for folder in learned_there(self.lab.work, baseline.model, card_for(baseline.start).sha256):
            before = read_kept(folder / SETTINGS)
            if all(before.get(key) == own[key] for key in ("width", "data", "recipe")):
                return folder
        return None

    def learned(self, name: str) -> Learner:
        """A network that was learned already."""
        learner = self.fresh()
        learner.load(self.folder(name) / FINAL)
        return learner


def prune_connections(run: ConnectionRun) -> list[str]:
    """Learn what the work folder does not hold yet; returns the names of the plan's networks.

    For every step: connections are selected on N_(m-1) over held-out faces, N_m starts from its
    weights and is trained under the masks of all layers so far, and card, packed weights,
    diagnostics and evaluation are written. UserError where a card would be overwritten.

    Source: Sun, Wang, Tang 2015, Section 4 and Table 2.
    """
    plan = run.plan
    _check_supervised(run)
    _check_shares(run)
    names = [plan.baseline.model, *(step.model for step in plan.step)]
    for name in names:
        _check(run, name)
    _learn_baseline(run)
    for step in plan.step:
        _learn_step(run, step)
    return names


def _check(run: ConnectionRun, name: str) -> None:
    """UserError before any work, rather than after hours of it."""
    if name == run.plan.baseline.model and run.plan.baseline.start is not None:
        return
    settings = _settings(run, name)
    folder_of(run.lab.work, name, settings)
    check_card(run.lab.models / f"{name}.toml", settings, run.lab.overwrite)


def _check_supervised(run: ConnectionRun) -> None:
    """UserError where the recipe supervises a layer that the plan freezes."""
    frozen = run.plan.frozen
    if frozen is None:
        return
    for layer in run.lab.recipe.earlier:
        if LAYERS.index(layer) < LAYERS.index(frozen.below):
            raise UserError(
                f"recipe {run.plan.recipe} supervises layer {layer}, which the plan freezes (below "
                f"{frozen.below}); freeze fewer layers, or take another recipe"
            )


def _check_shares(run: ConnectionRun) -> None:
    """UserError where a step would keep nothing, or nothing less; neurons without an input are
    told of.
    """
    with torch.device("meta"):
        net = ConvNet(run.plan.width, SIZE)
    for step in run.plan.step:
        if step.layer is None:
            continue
        shape = net.layer(step.layer).weight.shape
        total, inputs = shape.numel(), connections_of(np.empty(shape, np.bool_))
        kept = step.degree * total
        # A card may state what was rounded, but not another share: see `trained.fits`.
        if any(abs(whole / kept - 1) > Fraction(1, 4) for whole in {kept // 1, -(-kept // 1)}):
            raise UserError(
                f"{step.model}: keep = {step.keep}: that is {float(kept):.3g} of the {total:,} "
                f"connections of {step.layer}; keep at least 1/{total // 4}"
            )
        has = run.plan.structure(run.plan.parent_of(step), run.base).get(step.layer)
        if has is not None and step.degree >= has:
            raise UserError(
                f"{step.model}: keep = {step.keep}: its parent keeps {has} of {step.layer} already"
            )
        if step.degree * inputs < 1:
            run.lab.machine.report(
                f"{step.model}: {step.keep} of {inputs} inputs is less than one: many neurons of "
                f"{step.layer} will have none"
            )


def _settings(run: ConnectionRun, name: str) -> dict[str, object]:
    """What a network of the plan depends on, with its ancestors, as JSON reads it back."""
    plan, baseline = run.plan, run.plan.baseline
    if name == baseline.model:
        learned: dict[str, object] = {"rounds": baseline.rounds(run.lab.recipe.train.steps)}
        if baseline.start is not None:
            here = run.learned_here
            learned = {"from": card_for(baseline.start).sha256, "continues": here and here.name}
        return as_json({**_common(run), "baseline": learned})
    own = plan.of(name)
    frozen = _frozen(run, own)
    phase = run.lab.recipe.train if own.criterion == SCRATCH else run.lab.recipe.retrain
    made = {"layer": own.layer, "keep": str(own.degree), "criterion": own.criterion,
            "steps": own.steps or phase.steps, "seed": _seed(run, own)}  # fmt: skip
    return as_json(
        {
            **_common(run),
            "step": made,
            "frozen": None if frozen is None else asdict(frozen),
            "parent": fingerprint(_settings(run, plan.parent_of(own))),
        }
    )


def _common(run: ConnectionRun) -> dict[str, object]:
    """What all networks of a plan depend on."""
    return as_json(
        {
            "width": run.plan.width,
            "seed": run.plan.seed,
            **run.lab.settings,
        }
    )


def _seed(run: ConnectionRun, step: Step) -> int:
    """Of a step's selection and training."""
    return run.plan.seed + 1 + run.plan.step.index(step)


@contextmanager
def _begun(run: ConnectionRun, name: str) -> Iterator[Path]:
    """The folder of a network of the plan, in which nobody else is at work meanwhile."""
    folder = run.folder(name)
    with at_work(folder, run.lab.machine.report):
        begin_folder(folder, _settings(run, name), run.lab.data.unseen, run.lab.machine.report)
        yield folder


def _learn_baseline(run: ConnectionRun) -> None:
    with _begun(run, run.plan.baseline.model) as folder:
        _learn_baseline_in(run, folder)


def _learn_baseline_in(run: ConnectionRun, folder: Path) -> None:
    baseline = run.plan.baseline
    rounds = baseline.rounds(run.lab.recipe.train.steps)
    if not (folder / FINAL).exists():
        learner = run.fresh()
        if baseline.start is not None:
            net = network_of(card_for(baseline.start))
            _require_shape(run, net, baseline.start)
            learner.adopt(copy_of(net), masks_of(net))
        else:
            for number, steps in enumerate(rounds):
                own = folder / f"round_{number:02d}" if number else folder
                learner.learn("train", own, run.lab.machine, run.plan.seed + number, steps)
            write_held_out(folder, learner.plain(), learner.supervision, learner.data)
        learner.save(folder / FINAL)
    if baseline.start is None and not is_published(folder, _card_path(run, baseline.model)):
        _publish(run, run.learned(baseline.model), LearnedNetwork(baseline.model, None, {}, rounds))


def _require_shape(run: ConnectionRun, net: ConvNet, start: str) -> None:
    if net.width != run.plan.width:
        raise UserError(
            f"{start} has width {net.width:g}, the plan {run.plan.width:g}; write width = "
            f"{net.width:g}"
        )
    if net.input_size != SIZE:
        height, width = net.input_size
        raise UserError(f"{start} takes {height}x{width} faces; only 112x96 can be pruned here")


def _card_path(run: ConnectionRun, name: str) -> Path:
    return run.lab.models / f"{name}.toml"


def _learn_step(run: ConnectionRun, step: Step) -> None:
    with _begun(run, step.model) as folder:
        _learn_step_in(run, step, folder)


def _learn_step_in(run: ConnectionRun, step: Step, folder: Path) -> None:
    seed = _seed(run, step)
    if not (folder / FINAL).exists():
        learner = run.fresh()
        learner.frozen = _frozen(run, step)
        if (folder / START).exists():
            learner.load(folder / START)
        else:
            _select(run, step, learner, seed)
            learner.save(folder / START)
        which: Which = "train" if step.criterion == SCRATCH else "retrain"
        learner.learn(which, folder, run.lab.machine, seed, step.steps)
        learner.save(folder / FINAL)
    if not is_published(folder, _card_path(run, step.model)):
        parent = None if step.criterion == SCRATCH else run.plan.parent_of(step)
        phase = run.lab.recipe.train if step.criterion == SCRATCH else run.lab.recipe.retrain
        degrees = run.plan.structure(step.model, run.base)
        learned = LearnedNetwork(
            step.model, parent, degrees, (step.steps or phase.steps,), step.layer, step.criterion,
            _frozen(run, step), _learned_selecting(run, step),
        )  # fmt: skip
        _publish(run, run.learned(step.model), learned)


def _frozen(run: ConnectionRun, step: Step) -> Frozen | None:
    frozen = run.plan.frozen
    if frozen is None or step.criterion == SCRATCH:
        return None
    return Frozen(frozen.below, frozen.views)


def _select(run: ConnectionRun, step: Step, learner: Learner, seed: int) -> None:
    """Put parent's weights and the new dropping matrix into a learner (or masks alone: scratch)."""
    parent = run.learned(run.plan.parent_of(step))
    if step.criterion == SCRATCH:
        learner.masks = scratch(learner.net, parent.masks, seed)
        return
    learner.load(run.folder(run.plan.parent_of(step)) / FINAL)
    assert step.layer is not None
    name = module_name(step.layer)
    before = parent.masks.get(name)
    task = LayerTask(
        parent.plain(),
        step.layer,
        step.degree,
        np.random.default_rng([run.plan.seed, seed]),
        faces=lambda: run.lab.data.held_out_faces(),
        logits=parent.supervision.logits,
        learn=_rounds(run, step, learner, seed),
        before=None if before is None else before.numpy().astype(bool),
    )
    try:
        mask = CRITERIA[step.criterion](task)
    except ValueError as error:
        raise UserError(f"{step.model}: no connections can be selected: {error}") from None
    learner.masks[name] = torch.from_numpy(mask).to(torch.float32)
    with torch.no_grad():
        learner.net.layer(step.layer).weight.mul_(learner.masks[name])


def _rounds(
    run: ConnectionRun, step: Step, learner: Learner, seed: int
) -> Callable[[KeptConnections, float, int], NDArray[np.float32]]:
    """Training for criteria that select while they learn; every round is continued, too."""
    assert step.layer is not None
    layer, name = step.layer, module_name(step.layer)
    steps = _round_steps(run, step)

    def learn(kept: KeptConnections, penalty: float, number: int) -> NDArray[np.float32]:
        learner.masks[name] = torch.from_numpy(kept).to(torch.float32)
        folder = run.folder(step.model) / f"round_{number:02d}"
        round_seed = seed * 1000 + number
        quiet = replace(run.lab.machine, report=lambda _: None, bar=None)
        learner.learn("retrain", folder, quiet, round_seed, steps, (name, penalty))
        return learner.net.layer(layer).weight.detach().numpy().copy()

    return learn


def _round_steps(run: ConnectionRun, step: Step) -> int:
    return max(1, round((step.steps or run.lab.recipe.retrain.steps) * BRP_ROUND))


def _learned_selecting(run: ConnectionRun, step: Step) -> int:
    """Mini-batches of the rounds in which a criterion selected while it learned."""
    return _round_steps(run, step) * len(list(run.folder(step.model).glob("round_*")))


def _publish(run: ConnectionRun, learner: Learner, learned: LearnedNetwork) -> None:
    parent = run.learned(learned.parent).plain() if learned.layer and learned.parent else None
    folder = run.folder(learned.model)
    publish_learned(learner, learned, parent, run.plan, run.lab, folder)
    run.lab.published(folder, _card_path(run, learned.model))
