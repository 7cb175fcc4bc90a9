"""Filters removed in steps, with training between: stopped at any point and continued."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from facebench.base.errors import UserError
from facebench.base.storage import write_atomically
from facebench.lab.data.augment import make_batch
from facebench.lab.filters.groups import filter_counts, find_groups
from facebench.lab.filters.importance import CRITERIA, FilterTask, per_filter
from facebench.lab.filters.plan import FilterPlan, written
from facebench.lab.filters.points import measure_together, publish_point
from facebench.lab.filters.removal import choose_units, least_filters, remove_units, target
from facebench.lab.laboratory.laboratory import Laboratory
from facebench.lab.laboratory.work_folder import (
    FINAL,
    SETTINGS,
    as_json,
    at_work,
    begin_folder,
    check_card,
    fingerprint_of,
    folder_of,
    learned_there,
    name_unseen,
    read_kept,
)
from facebench.lab.learning.learner import CompactLearner
from facebench.lab.learning.loop import CHECKPOINT
from facebench.models.cards.card import ModelCard, is_compact, shape_of
from facebench.models.cards.trained import compact_network_of, packed_weights

START, REMOVED, COUNTS, POINTS = "start.pt", "removed.pt", "filters.json", "points.json"


@dataclass(frozen=True)
class FilterRun:
    """A plan, the card that it starts from, and what it is carried out with."""

    plan: FilterPlan
    card: ModelCard
    lab: Laboratory

    @property
    def folder(self) -> Path:
        """Where the series is worked on."""
        return folder_of(self.lab.work, self.plan.model, _settings(self))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the faces."""
        return shape_of(self.card).size

    @property
    def learned_here(self) -> Path | None:
        """Where this work folder learned the card's network, with the supervision wanted now; None:
        nowhere. Other data have other people and perhaps no teacher: prototypes and regressor are
        fitted to them.
        """
        own = as_json(self.lab.data.settings)
        for folder in learned_there(self.lab.work, self.card.name, self.card.sha256):
            if read_kept(folder / SETTINGS).get("data") == own:
                return folder
        return None

    def fresh(self) -> CompactLearner:
        """The whole network with random weights, to load another into."""
        return self.lab.learner(self.card, self.plan.seed)

    def step_file(self, step: int) -> Path:
        """The network after a step and its training; step 0: as it was."""
        return self.folder / (f"step_{step:03d}.pt" if step else START)

    def counts(self) -> dict[str, int]:
        """Filters by layer of the whole network, those that may be removed."""
        counts: dict[str, int] = read_kept(self.folder / COUNTS)
        return counts


def prune_filters(run: FilterRun) -> list[str]:
    """Remove filters step by step until the plan's end; the names of the points' models.

    Every step: importance over training faces, the least important units go until the step's
    share of the ORIGINAL number of filters is reached, then training under the recipe's
    ``retrain``. At points: card, packed weights, evaluation, a point of the curve, pictures. What
    the work folder holds is not done again; on the CPU the result is that of an undisturbed run.
    UserError where a card would be overwritten.

    Source: Molchanov et al. 2019, Importance Estimation for Neural Network Pruning;
    Alonso-Fernandez et al., Taylor scores.
    """
    plan = run.plan
    _check(run)
    with at_work(run.folder, run.lab.machine.report):
        _begin(run)
        _tidy(run)
        _remove_stepwise(run)
        measure_together(run.card, run.lab, plan)
    return list(plan.marks.values())


def _remove_stepwise(run: FilterRun) -> None:
    plan, published = run.plan, _published(run)
    told = run.lab.machine.bar(plan.model, plan.steps) if run.lab.machine.bar else None
    if told is not None and _done(run) < plan.steps:
        told(_done(run))
    for step in range(1, plan.steps + 1):
        if step > _done(run):
            _one_step(run, step)
        # A point is published before the next step removes what it is published from.
        name = plan.marks.get(step)
        if name is not None and name not in published:
            _publish(run, step, name)
        if told is not None:
            told(step)


# Their layers of unshared weights have no filters that could be taken out.
_WITHOUT_SHARED_FILTERS = ("deepid2_plus", "deepid3")


def has_shared_filters(card: ModelCard) -> bool:
    """Whether filters of a card's network can be removed."""
    return is_compact(card) and card.architecture not in _WITHOUT_SHARED_FILTERS


def check_start(card: ModelCard, spec: str) -> None:
    """UserError where filters of a card, ``spec`` for the user, cannot be removed."""
    if not has_shared_filters(card):
        raise UserError(f"{spec}: filters of a {card.architecture} cannot be removed here")
    if card.filters_removed is not None:
        raise UserError(
            f"{spec} has lost filters already; prune {card.parent or 'its parent'} again with a "
            "higher --until: it continues"
        )
    packed_weights(card)


def _check(run: FilterRun) -> None:
    plan = run.plan
    check_start(run.card, plan.start)
    settings = _settings(run)
    _check_until(run)
    published, done = _published(run), _done(run)
    for step, name in plan.marks.items():
        check_card(run.lab.models / f"{name}.toml", settings, run.lab.overwrite)
        if step < done and name not in published:
            raise UserError(
                f"--points: {written(plan.share_at(step))} lies behind the {done} steps that "
                f"{run.folder} holds; give only points ahead of them, or another --work"
            )


def _settings(run: FilterRun) -> dict[str, object]:
    """What a series depends on; not its end, its points or protocols: those may be changed."""
    plan = run.plan
    return {
        "criterion": plan.criterion,
        "step": written(plan.step),
        "fine_tune": plan.fine_tune,
        "point_fine_tune": plan.point_fine_tune,
        "importance_batches": plan.importance_batches,
        "seed": plan.seed,
        "from": run.card.sha256,
        "continues": run.learned_here and run.learned_here.name,
        **run.lab.settings,
        # A point's longer training changes every network after it, also the last one's.
        "points": list(plan.marks.values()) if plan.point_fine_tune else [],
    }


def _begin(run: FilterRun) -> None:
    lab = run.lab
    begin_folder(run.folder, _settings(run), lab.data.unseen, lab.machine.report)
    if not (run.folder / COUNTS).exists():
        learner = run.fresh()
        learned = run.learned_here
        if learned is not None:
            learner.load(learned / FINAL)
        else:
            learner.adopt(compact_network_of(run.card).state_dict())
        learner.save(run.step_file(0))
        counts = filter_counts(find_groups(learner.net, run.size))
        layers = [name for name, _ in learner.net.named_modules() if name in counts]
        _write(run.folder / COUNTS, {name: counts[name] for name in layers})


def _check_until(run: FilterRun) -> None:
    counts = filter_counts(find_groups(compact_network_of(run.card), run.size))
    most = sum(count - least_filters(count) for count in counts.values())
    if target(run.plan.steps, run.plan.step, sum(counts.values()), run.plan.until) > most:
        raise UserError(
            f"--until {written(run.plan.until)}: every layer keeps an eighth of its filters, so at "
            f"most {most / sum(counts.values()):.0%} of {run.plan.start} can go"
        )


def _done(run: FilterRun) -> int:
    """Steps that are done; only the last one's file is kept."""
    files = run.folder.glob("step_???.pt")
    return max((int(path.stem.removeprefix("step_")) for path in files), default=0)


def _one_step(run: FilterRun, step: int) -> None:
    plan, folder = run.plan, run.folder / f"step_{step:03d}"
    removed = folder / REMOVED
    if not removed.exists():
        learner = run.fresh()
        learner.load(run.step_file(step - 1))
        _remove(run, learner, step)
        learner.save(removed)
    # Read back even when just written: the order of values in memory decides the last digit.
    learner = run.fresh()
    learner.load(removed)
    extra = plan.point_fine_tune if step in plan.marks else 0
    if plan.fine_tune + extra:
        learner.learn("retrain", folder, run.lab.machine, _seed(plan, step) + 1,
                      plan.fine_tune + extra, compiled=False)  # fmt: skip
    learner.save(run.step_file(step))
    _tidy(run)


def _tidy(run: FilterRun) -> None:
    """Delete what the last step that is done has made superfluous: gigabytes of large networks."""
    done = _done(run)
    for step in range(1, done + 1):
        folder = run.folder / f"step_{step:03d}"
        for path in (folder / REMOVED, folder / CHECKPOINT):
            path.unlink(missing_ok=True)
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
        if step < done:
            run.step_file(step).unlink(missing_ok=True)


def _remove(run: FilterRun, learner: CompactLearner, step: int) -> None:
    """Take out what is least important, until the share of this step is reached."""
    plan, original = run.plan, run.counts()
    net, total = learner.net, sum(original.values())
    groups = find_groups(net, run.size)
    gone = total - sum(filter_counts(groups).values())
    count = target(step, plan.step, total, plan.until) - gone
    if count <= 0:  # the last unit of an earlier step had several filters
        return
    net.to(run.lab.machine.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    task = FilterTask(
        net, groups, run.size,
        batches=lambda: (
            make_batch(learner.data.sources, _seed(plan, step), number)
            for number in range(plan.importance_batches)
        ),
        loss=learner.loss,
        rng=np.random.default_rng([plan.seed, step]),
    )  # fmt: skip
    scores = CRITERIA[plan.criterion](task)
    net.to("cpu")
    learner.supervision.to("cpu")
    learner.supervision.zero_grad(set_to_none=True)
    ranked = per_filter(groups, scores, plan.criterion)
    remove_units(net, groups, choose_units(groups, ranked, count, original), run.size)
    run.lab.machine.report(
        f"step {step} of {plan.steps}: {written(plan.share_at(step))} of {total} filters removed"
    )


def _publish(run: FilterRun, step: int, name: str) -> None:
    learner = run.fresh()
    learner.load(run.step_file(step))
    steps = step * run.plan.fine_tune
    steps += run.plan.point_fine_tune * sum(mark <= step for mark in run.plan.marks)
    name_unseen(run.lab.models, name, run.lab.data)
    card = publish_point(
        learner.net, name, step, steps, run.card, run.counts(), run.lab, run.plan,
        fingerprint_of(run.folder),
    )  # fmt: skip
    _write(run.folder / POINTS, {**_published(run), name: card.sha256})


def _published(run: FilterRun) -> dict[str, str]:
    path = run.folder / POINTS
    return read_kept(path) if path.exists() else {}


def _seed(plan: FilterPlan, step: int) -> int:
    """Of the importance's batches; the next number is of the training's."""
    return 2 * (plan.seed * 10_007 + step)


def _write(path: Path, values: object) -> None:
    write_atomically(path, json.dumps(values, indent=1).encode())
