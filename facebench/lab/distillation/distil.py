"""Distillation: a compact student learns from one teacher or several; stopped and continued."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.lab.distillation.knowledge import Knowledge, Lesson, knowledge_of
from facebench.lab.distillation.publish import Taught, publish_taught, teacher_sizes
from facebench.lab.distillation.student import CONVNET, Student, StudentShape, untrained_student
from facebench.lab.distillation.teachers import Teachers, neurons_of
from facebench.lab.laboratory.laboratory import Laboratory
from facebench.lab.laboratory.work_folder import (
    FINAL,
    at_work,
    begin_folder,
    check_card,
    folder_of,
    is_published,
    name_unseen,
)
from facebench.models.cards.card import ModelCard, read_card

NEURONS = "neurons"


@dataclass(frozen=True)
class Distillation:
    """A student that is asked for, and what it is taught with.

    name: of the student's card; steps: other mini-batches than those of the recipe's ``train``;
    seed: fixes first weights, mini-batches and augmentation, so that students of one shape that are
    taught selected neurons, all neurons or soft labels differ in nothing else.
    """

    name: str
    shape: StudentShape
    teachers: Teachers
    lesson: Lesson
    lab: Laboratory
    steps: int | None = None
    seed: int = 0
    licence: str = ""
    protocols: tuple[str, ...] = ()

    @property
    def mini_batches(self) -> int:
        """Of the training."""
        return self.steps or self.lab.recipe.train.steps

    @property
    def folder(self) -> Path:
        """Where the student is learned."""
        return folder_of(self.lab.work, self.name, _settings(self))

    @property
    def card_path(self) -> Path:
        """Where its card goes."""
        return self.lab.models / f"{self.name}.toml"


def distil(run: Distillation) -> ModelCard:
    """Learn what the work folder does not hold yet; returns the student's card.

    The teacher's neurons of every training crop, without augmentation; the choice; training;
    ``results/distillation/NAME.json`` with what was chosen; card, packed weights, sizes beside the
    teacher's and evaluation. UserError before any work where a card would be overwritten.

    Source: Luo et al. 2016, abstract; what is ours is said in `neuron_selection.Energy` and
    `supervision.NeuronSupervision`.
    """
    _check(run)
    with at_work(run.folder, run.lab.machine.report):
        if is_published(run.folder, run.card_path):
            return read_card(run.card_path)
        return _taught(run)


def _taught(run: Distillation) -> ModelCard:
    sizes = teacher_sizes(run.teachers)
    knowledge = knowledge_of(
        run.lesson, run.teachers, run.lab.data, _neurons(run), run.shape.features
    )
    learner = _untaught(run, knowledge)
    begin_folder(run.folder, _settings(run), run.lab.data.unseen, run.lab.machine.report)
    _learn(run, learner)
    name_unseen(run.lab.models, run.name, run.lab.data)
    taught = Taught(
        run.name, run.shape, run.teachers, sizes, knowledge.report, run.mini_batches, run.seed,
        run.licence, run.protocols,
    )  # fmt: skip
    card = publish_taught(learner, taught, run.lab, run.folder)
    run.lab.published(run.folder, card.path)
    return card


def _untaught(run: Distillation, knowledge: Knowledge) -> Student:
    # Seeded on its own: the network's first weights must not depend on what is taught.
    torch.manual_seed(run.seed)
    supervision = knowledge.supervise(run.shape.features)
    return untrained_student(run.shape, run.lab.recipe, knowledge.data, supervision, run.seed)


def _learn(run: Distillation, learner: Student) -> None:
    if (run.folder / FINAL).exists():
        learner.load(run.folder / FINAL)
    else:
        learner.learn("train", run.folder, run.lab.machine, run.seed, run.steps)
        learner.save(run.folder / FINAL)


def _neurons(run: Distillation) -> list[NDArray[np.float32]]:
    """The teacher's, of every source; of the work folder where they are there."""
    found = []
    for number, (crops, _) in enumerate(run.lab.data.sources, 1):
        bar = run.lab.machine.bar
        title = f"teacher, source {number}"
        advance = bar(title, len(crops.images), "faces") if bar else None
        found.append(neurons_of(crops, run.teachers, run.lab.work / NEURONS, advance))
    return found


def _check(run: Distillation) -> None:
    """UserError before any work, rather than after hours of it."""
    if run.lab.recipe.supervision != "normalised":
        raise UserError("students learn under supervision 'normalised': give --recipe short")
    if run.name in run.teachers.names:
        raise UserError(f"the student {run.name!r} is its own teacher: give it another name")
    check_card(run.card_path, _settings(run), run.lab.overwrite)
    own = run.shape.architecture
    if own != CONVNET and run.card_path.is_file():
        found = read_card(run.card_path).architecture
        if found != own:  # its other fields would be kept
            raise UserError(
                f"{run.card_path}: is of architecture {found}, the student is a {own}; give it "
                "another --student name"
            )


def _settings(run: Distillation) -> dict[str, Any]:
    """What a student depends on."""
    return {
        "shape": vars(run.shape),
        "teachers": run.teachers.signature,
        "lesson": vars(run.lesson),
        "steps": run.mini_batches,
        "seed": run.seed,
        **run.lab.settings,
    }
