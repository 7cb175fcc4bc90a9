"""The laboratory: what every training, pruning and distillation is carried out with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from facebench.base.errors import UserError
from facebench.base.storage import write_atomically
from facebench.lab.data.augment import FACE_SIZE
from facebench.lab.data.sources import TrainingData
from facebench.lab.laboratory.work_folder import (
    DONE,
    EVALUATED,
    NO_LICENCE,
    Evaluate,
    Evaluated,
    own_notes,
    training_fields,
)
from facebench.lab.learning.learner import CompactLearner, Machine, untrained_compact
from facebench.lab.learning.recipes import RecipeFile
from facebench.models.architectures.registry import build
from facebench.models.cards.card import ModelCard, PreprocessingFields, read_card, shape_of
from facebench.models.cards.publish import write_card


@dataclass(frozen=True)
class Laboratory:
    """What networks are trained, pruned and distilled with.

    data: without a teacher's targets; data_text: what is learned from, in words, for the cards;
    recipe_name: as the user gave it; work: checkpoints, a folder per network; models, results:
    where cards, curves and diagnostics go; evaluate: None: never; overwrite: cards with weights
    that this work folder did not learn.
    """

    recipe: RecipeFile
    recipe_name: str
    data: TrainingData
    data_text: str
    work: Path
    models: Path
    results: Path
    machine: Machine
    evaluate: Evaluate | None = None
    overwrite: bool = False

    def learner(self, card: ModelCard, seed: int) -> CompactLearner:
        """A card's network with random weights; UserError: other faces than training makes."""
        shape = shape_of(card)
        self.require_usual_faces(card)
        made = partial(build, *shape)
        return untrained_compact(made, shape.embedding, self.recipe, self.data, seed)

    def require_usual_faces(self, card: ModelCard) -> None:
        """UserError where a card's network takes other faces than training makes."""
        size = card.preprocessing.size
        if size is not None and size != FACE_SIZE:
            height, width = size
            raise UserError(
                f"{card.name} takes {height}x{width} faces; only networks of 112x96 faces are "
                f"trained and pruned here: copy {card.path} under another name, with size = [112, "
                "96] and without weights, and train that"
            )
        prepared = card.preprocessing
        own = PreprocessingFields(size=prepared.size, flip=prepared.flip)
        if prepared != own:
            raise UserError(
                f"{card.name}: training prepares faces as (pixel - 127.5) / 128 in RGB; correct "
                "'preprocessing' in its card"
            )

    @property
    def precision(self) -> str:
        """Of the training."""
        return self.machine.precision or self.recipe.precision

    @property
    def settings(self) -> dict[str, Any]:
        """What every network that is learned here depends on, as JSON."""
        return {
            "data": self.data.settings,
            "recipe": self.recipe.settings,
            "precision": self.precision,
        }

    def training(
        self, recipe: str, faces: int, fingerprint: str, log: Path | None = None, *,
        data: str = "", without: str = "",
    ) -> dict[str, Any]:  # fmt: skip
        """The fields of a card's training; recipe, data: in words; faces: in all; log: what states
        the speed at its end; without: see `duration_words`.
        """
        return training_fields(
            data=data or self.data_text, recipe=recipe, faces=faces,
            device=self.machine.device, log=log, precision=self.precision,
            fingerprint=fingerprint, learned_from=self.data, without=without,
        )  # fmt: skip

    def licence(self, given: str) -> str:
        """Given, or whatever the training data demand."""
        return given or NO_LICENCE + self.data_text

    def prepared_as(self, start: ModelCard, card: ModelCard) -> ModelCard:
        """A card that was written, with its faces prepared as those of another: the same flip."""
        if card.preprocessing == start.preprocessing:
            return card
        write_card(card.model_copy(update={"preprocessing": start.preprocessing}), card.path)
        return read_card(card.path)

    def evaluations(self, card: Path, protocols: tuple[str, ...]) -> list[Evaluated]:
        """Evaluate a card's file, where there are protocols."""
        return [] if self.evaluate is None or not protocols else self.evaluate(card, protocols)

    def evaluated(self, card: ModelCard, protocols: tuple[str, ...]) -> list[Evaluated]:
        """Evaluate a card that was written, and say so in its notes."""
        told = self.evaluations(card.path, protocols)
        if told:
            notes = f"{own_notes(card.notes)} {EVALUATED}" + " ".join(one.sentence for one in told)
            write_card(card.model_copy(update={"notes": notes.strip()}), card.path)
        return told

    def published(self, folder: Path, path: Path) -> None:
        """Write down in a folder of work that a card's weights were published from it, and say so.

        path: of the card.
        """
        card = read_card(path)
        write_atomically(folder / DONE, json.dumps({"sha256": card.sha256}).encode())
        self.machine.report(f"{card.name}: {card.notes}")
