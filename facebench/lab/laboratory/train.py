"""Training a compact network from its card: learned, published and evaluated, resumable."""

from __future__ import annotations

from pathlib import Path

from facebench.lab.data.people import write_held_out
from facebench.lab.laboratory.laboratory import Laboratory
from facebench.lab.laboratory.work_folder import (
    FINAL,
    at_work,
    begin_folder,
    check_card,
    fingerprint_of,
    folder_of,
    is_published,
    name_unseen,
)
from facebench.lab.learning.learner import CompactLearner
from facebench.models.architectures.base import CompactNet
from facebench.models.cards.card import ModelCard, read_card, shape_of
from facebench.models.cards.publish import publish_compact


def train(
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
            f"{words} from random weights", lab.recipe.faces_per_step * count,
            fingerprint_of(folder), folder / "log.csv",
        )  # fmt: skip
        name_unseen(lab.models, card.name, lab.data)
        given = lab.licence(licence)
        title = card.title if card.path != path else None
        new = publish_compact(
            card.name, learner.net, training, lab.models, title=title, licence=given
        )
        lab.evaluated(lab.prepared_as(card, new), protocols)
        lab.published(folder, path)
