"""Training a compact network from its card: learned, published and evaluated, resumable."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facebench.base.errors import UserError
from facebench.base.storage import write_atomically
from facebench.lab.data.augment import FACE_SIZE
from facebench.lab.data.people import write_held_out
from facebench.lab.data.sources import TrainingData
from facebench.lab.laboratory.work_folder import (
    DONE,
    EVALUATED,
    FINAL,
    NO_LICENCE,
    Evaluate,
    Evaluated,
    at_work,
    begin_folder,
    check_card,
    fingerprint_of,
    folder_of,
    is_published,
    name_unseen,
    own_notes,
    training_fields,
)
from facebench.lab.learning.learner import CompactLearner, Machine, untrained_compact
from facebench.lab.learning.recipes import RecipeFile
from facebench.models.architectures.base import CompactNet
from facebench.models.cards.card import ModelCard, PreprocessingFields, read_card, shape_of
from facebench.models.cards.publish import publish_compact, write_card


@dataclass(frozen=True)
class Laboratory:
    """What compact networks are trained with.

    data_text: what is learned from, in words, for the cards; recipe_name: as the user gave it;
    work: checkpoints, a folder per network; models, results: where cards and curves go; evaluate:
    None: never; overwrite: cards with weights that this work folder did not learn.
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
        if shape.size != FACE_SIZE:
            height, width = shape.size
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
        return untrained_compact(shape.net, shape.embedding, self.recipe, self.data, seed)

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
        self, recipe: str, steps: int, fingerprint: str, log: Path | None = None
    ) -> dict[str, Any]:
        """The fields of a card's training; log: what states the speed at its end."""
        return training_fields(
            data=self.data_text, recipe=recipe, faces=self.recipe.faces_per_step * steps,
            device=self.machine.device, log=log, precision=self.precision,
            fingerprint=fingerprint, learned_from=self.data,
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

    def evaluated(self, card: ModelCard, protocols: tuple[str, ...]) -> list[Evaluated]:
        """Evaluate a card that was written, and say so in its notes."""
        if self.evaluate is None or not protocols:
            return []
        told = self.evaluate(card.path, protocols)
        notes = f"{own_notes(card.notes)} {EVALUATED}" + " ".join(one.sentence for one in told)
        write_card(card.model_copy(update={"notes": notes.strip()}), card.path)
        return told


def train_compact(
    card: ModelCard,
    lab: Laboratory,
    steps: int | None = None,
    seed: int = 0,
    protocols: tuple[str, ...] = (),
    licence: str = "",
) -> ModelCard:
    """Learn the weights of a compact card under the recipe's ``train``; the new card.

    Card and weights are written to ``lab.models`` under the card's name; what the work folder
    holds is not learned again, but published again where the card has not its weights. UserError:
    a card with weights would be overwritten that other settings or data have learned.
    """
    path, count = lab.models / f"{card.name}.toml", steps or lab.recipe.train.steps
    settings = {**lab.settings, "shape": list(shape_of(card)), "seed": seed, "steps": count}
    folder = folder_of(lab.work, card.name, settings)
    check_card(path, settings, lab.overwrite)
    learner = lab.learner(card, seed)
    with at_work(folder, lab.machine.report):
        begin_folder(folder, settings, lab.data.unseen, lab.machine.report)
        _learn_and_publish(card, lab, learner, folder, seed, count, protocols, licence)
    return read_card(path)


def _learn_and_publish(
    card: ModelCard,
    lab: Laboratory,
    learner: CompactLearner,
    folder: Path,
    seed: int,
    count: int,
    protocols: tuple[str, ...],
    licence: str,
) -> None:
    path = lab.models / f"{card.name}.toml"
    if not (folder / FINAL).exists():
        learner.learn("train", folder, lab.machine, seed, count)
        write_held_out(folder, learner.net, learner.supervision, learner.data)
        learner.save(folder / FINAL)
    if not is_published(folder, path):
        learner.load(folder / FINAL)
        assert isinstance(learner.net, CompactNet)
        words = f"{lab.recipe.title} {count} mini-batches of {lab.recipe.faces_per_step} faces"
        training = lab.training(
            f"{words} from random weights", count, fingerprint_of(folder), folder / "log.csv"
        )
        name_unseen(lab.models, card.name, lab.data)
        given = lab.licence(licence)
        title = card.title if card.path != path else None
        new = publish_compact(
            card.name, learner.net, training, lab.models, title=title, licence=given
        )
        lab.evaluated(lab.prepared_as(card, new), protocols)
        write_atomically(folder / DONE, json.dumps({"sha256": new.sha256}).encode())
        lab.machine.report(f"{card.name}: {read_card(path).notes}")
