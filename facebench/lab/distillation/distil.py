"""Distillation: a compact student learns from one teacher or several; stopped and continued."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.base.storage import write_atomically
from facebench.lab.data.sources import TrainingData
from facebench.lab.distillation.knowledge import Knowledge, Lesson, knowledge_of
from facebench.lab.distillation.publish import Taught, publish_taught, teacher_sizes
from facebench.lab.distillation.student import CONVNET, Shape, Student, untrained_student
from facebench.lab.distillation.teachers import Teachers, neurons_of
from facebench.lab.laboratory.work_folder import (
    DONE,
    FINAL,
    Evaluate,
    at_work,
    begin_folder,
    check_card,
    fingerprint_of,
    folder_of,
    is_published,
    name_unseen,
)
from facebench.lab.learning.learner import Machine
from facebench.lab.learning.recipes import RecipeFile
from facebench.models.cards.card import ModelCard, read_card

NEURONS = "neurons"


@dataclass(frozen=True)
class Distillation:
    """A student with all that it needs.

    name: of the student's card; data: without targets; data_text: in words, for the card; recipe:
    its ``train`` phase is the budget, steps: other mini-batches than the recipe's; seed: fixes
    first weights, mini-batches and augmentation, so that students of one shape that are taught
    selected neurons, all neurons or soft labels differ in nothing else. work: checkpoints, and the
    teacher's neurons, which students share; models, results: where the card, and what was chosen,
    go; evaluate: on the protocols, None: never; overwrite: a card with weights that this work
    folder did not learn.
    """

    name: str
    shape: Shape
    teachers: Teachers
    lesson: Lesson
    recipe: RecipeFile
    data: TrainingData
    data_text: str
    work: Path
    models: Path
    results: Path
    steps: int | None = None
    seed: int = 0
    licence: str = ""
    protocols: tuple[str, ...] = ()
    evaluate: Evaluate | None = None
    overwrite: bool = False
    machine: Machine = field(default_factory=Machine)

    @property
    def folder(self) -> Path:
        """Where the student is learned."""
        return folder_of(self.work, self.name, _settings(self))

    @property
    def card_path(self) -> Path:
        """Where its card goes."""
        return self.models / f"{self.name}.toml"


def distil(run: Distillation) -> ModelCard:
    """Learn what the work folder does not hold yet; returns the student's card.

    The teacher's neurons of every training crop, without augmentation; the choice; training;
    ``results/distillation/NAME.json`` with what was chosen; card, packed weights, sizes beside the
    teacher's and evaluation. UserError before any work where a card would be overwritten.

    Source: Luo et al. 2016, abstract; what is ours is said in `neuron_selection.Energy` and
    `supervision.NeuronSupervision`.
    """
    _check(run)
    with at_work(run.folder, run.machine.report):
        if is_published(run.folder, run.card_path):
            return read_card(run.card_path)
        return _taught(run)


def _taught(run: Distillation) -> ModelCard:
    sizes = teacher_sizes(run.teachers)
    knowledge = knowledge_of(run.lesson, run.teachers, run.data, _neurons(run), run.shape.features)
    learner = _untaught(run, knowledge)
    begin_folder(run.folder, _settings(run), run.data.unseen, run.machine.report)
    _learn(run, learner)
    name_unseen(run.models, run.name, run.data)
    card = publish_taught(
        learner,
        Taught(
            run.name, run.shape, run.teachers, sizes, knowledge.report, run.recipe,
            run.steps or run.recipe.train.steps, run.seed, run.data_text, run.licence, run.data,
            fingerprint_of(run.folder),
        ),
        models=run.models, results=run.results, log=run.folder / "log.csv",
        device=run.machine.device, precision=run.machine.precision or run.recipe.precision,
        evaluate=_evaluation(run),
    )  # fmt: skip
    write_atomically(run.folder / DONE, json.dumps({"sha256": card.sha256}).encode())
    run.machine.report(f"{card.name}: {card.notes}")
    return card


def _untaught(run: Distillation, knowledge: Knowledge) -> Student:
    # Seeded on its own: the network's first weights must not depend on what is taught.
    torch.manual_seed(run.seed)
    supervision = knowledge.supervise(run.shape.features)
    return untrained_student(run.shape, run.recipe, knowledge.data, supervision, run.seed)


def _learn(run: Distillation, learner: Student) -> None:
    if (run.folder / FINAL).exists():
        learner.load(run.folder / FINAL)
    else:
        learner.learn("train", run.folder, run.machine, run.seed, run.steps)
        learner.save(run.folder / FINAL)


def _neurons(run: Distillation) -> list[NDArray[np.float32]]:
    """The teacher's, of every source; of the work folder where they are there."""
    found = []
    for number, (crops, _) in enumerate(run.data.sources, 1):
        bar = run.machine.bar
        title = f"teacher, source {number}"
        advance = bar(title, len(crops.images)) if bar else None
        found.append(neurons_of(crops, run.teachers, run.work / NEURONS, advance))
    return found


def _check(run: Distillation) -> None:
    """UserError before any work, rather than after hours of it."""
    if run.recipe.supervision != "normalised":
        raise UserError("students learn under supervision 'normalised': give --recipe short")
    if run.name in run.teachers.names:
        raise UserError(f"the student {run.name!r} is its own teacher: give it another name")
    check_card(run.card_path, _settings(run), run.overwrite)
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
        "recipe": run.recipe.settings,
        "steps": run.steps or run.recipe.train.steps,
        "seed": run.seed,
        "precision": run.machine.precision or run.recipe.precision,
        "data": run.data.settings,
    }


def _evaluation(run: Distillation) -> Callable[[Path], list[str]]:
    def evaluate(card: Path) -> list[str]:
        if run.evaluate is None or not run.protocols:
            return []
        return [one.sentence for one in run.evaluate(card, run.protocols)]

    return evaluate
