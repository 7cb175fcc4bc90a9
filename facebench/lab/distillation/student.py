"""Students: networks to train of any architecture of facebench, and how they are published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from facebench.base.errors import UserError, nearest
from facebench.base.validation import validated
from facebench.lab.data.augment import FACE_SIZE
from facebench.lab.data.sources import TrainingData
from facebench.lab.learning.learner import CompactLearner, Learner, untrained, untrained_compact
from facebench.lab.learning.losses import Supervision
from facebench.lab.learning.recipes import RecipeFile
from facebench.models.architectures.base import CompactNet, parameters
from facebench.models.architectures.registry import ARCHITECTURES, build, smallest_side
from facebench.models.architectures.shapes import FEATURES, scaled
from facebench.models.cards.card import ModelCard, read_card
from facebench.models.cards.publish import publish_compact, publish_weights, write_card

CONVNET = "convnet"
STUDENTS = (CONVNET, *ARCHITECTURES)
EMBEDDING = 128
Student = Learner | CompactLearner


@dataclass(frozen=True)
class StudentShape:
    """What a student is built from; it sees 112×96 faces. UserError: there is no such network.

    architecture: one of `STUDENTS`; width: factor on the channels; embedding: dimension of a
    compact network, None: 128; a ConvNet's follows from its width.
    """

    architecture: str = CONVNET
    width: float = 0.125
    embedding: int | None = None

    def __post_init__(self) -> None:
        if self.architecture not in STUDENTS:
            raise UserError(
                f"no student {self.architecture!r}{nearest(self.architecture, STUDENTS)} "
                f"({', '.join(STUDENTS)})"
            )
        if not 0 < self.width <= 4:
            raise UserError(f"--width {self.width:g}: must be above 0 and at most 4")
        if self.architecture == CONVNET:
            if self.embedding is not None:
                raise UserError("--embedding is of compact networks; a convnet's follows its width")
        elif not 1 <= self.features <= 8192:
            raise UserError(f"--embedding {self.embedding}: must be from 1 to 8192")
        elif min(FACE_SIZE) < smallest_side(self.architecture):
            raise UserError(f"{self.architecture} does not take faces of 112x96")

    @property
    def features(self) -> int:
        """Dimension of the student's embedding."""
        if self.architecture == CONVNET:
            return scaled(FEATURES, self.width)
        return EMBEDDING if self.embedding is None else self.embedding


def untrained_student(
    shape: StudentShape, recipe: RecipeFile, data: TrainingData, supervision: Supervision, seed: int
) -> Student:
    """A student with random weights that depend on shape and seed alone, under a supervision."""
    if shape.architecture == CONVNET:
        learner: Student = untrained(recipe, shape.width, FACE_SIZE, data, seed)
    else:
        learner = untrained_compact(
            lambda: build(shape.architecture, shape.features, FACE_SIZE, shape.width),
            shape.features,
            recipe,
            data,
            seed,
        )
    learner.supervision = supervision
    return learner


def parameters_of(learner: Student) -> int:
    """Parameters of the network as it is published: normalisation of a ConvNet folded in."""
    net = learner.plain() if isinstance(learner, Learner) else learner.net
    return parameters(net)


def publish_student(
    name: str,
    shape: StudentShape,
    learner: Student,
    title: str,
    licence: str,
    training: Mapping[str, Any],
    models: Path,
) -> ModelCard:
    """Write card and packed weights into ``models``; a student has no parent."""
    if isinstance(learner, CompactLearner):
        net = learner.net
        assert isinstance(net, CompactNet)
        return publish_compact(
            name, net.eval(), training, models, title=title, licence=licence, notes=""
        )
    path = models / f"{name}.toml"
    card = validated(
        ModelCard,
        {
            "name": name,
            "title": title,
            "architecture": CONVNET,
            "width": shape.width,
            "licence": licence,
            "preprocessing": {"size": FACE_SIZE, "flip": "add"},
        },
        name,
    )
    write_card(card, path)
    with torch.no_grad():
        publish_weights(name, learner.plain().state_dict(), {}, training, models)
    return read_card(path)
