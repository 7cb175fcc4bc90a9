"""What a step of a plan leaves behind: card, packed weights, diagnostics and evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from torch import Tensor

from facebench.base.validation import validated
from facebench.lab.connections.plan import ConnectionPlan
from facebench.lab.data.crops import TrainingCrops
from facebench.lab.data.frozen import Frozen
from facebench.lab.data.sources import faces_of
from facebench.lab.laboratory.laboratory import Laboratory
from facebench.lab.laboratory.work_folder import (
    EVALUATED,
    fingerprint_of,
    name_unseen,
    own_notes,
)
from facebench.lab.learning.diagnostics import (
    input_correlations,
    layer_inputs,
    mean_absolute_correlation,
    rank_distance,
    rank_frequencies,
    rankings,
    verification_error,
    write_diagnostics,
)
from facebench.lab.learning.learner import Learner, features_of
from facebench.models.architectures.convnet import ConvNet
from facebench.models.architectures.shapes import module_name
from facebench.models.cards.card import ModelCard, read_card
from facebench.models.cards.publish import publish_weights, write_card

FACES, PAIRS = 1500, 2000


@dataclass(frozen=True)
class LearnedNetwork:
    """A network that was learned: name, parent, structure, the newest sparse layer.

    steps: mini-batches of each round of training; frozen: the layers that it left as they were;
    selecting: mini-batches before them, of a criterion that selects while it learns.
    """

    model: str
    parent: str | None
    degrees: Mapping[str, Fraction]
    steps: tuple[int, ...]
    layer: str | None = None
    criterion: str = ""
    frozen: Frozen | None = None
    selecting: int = 0

    def words(self, faces: int) -> str:
        """How it was learned, for the card; faces: of a mini-batch."""
        rounds = " and ".join(map(str, self.steps))
        parts = [f"{rounds} mini-batches of {faces} faces from {self.parent or 'random weights'}"]
        if self.layer:
            also = f", {self.selecting} mini-batches while selecting" if self.selecting else ""
            parts.append(f"connections of {self.layer} by {self.criterion}{also}")
        if self.frozen:
            parts.append(
                f"layers below {self.frozen.below} frozen, {self.frozen.views} augmentations of "
                "each face"
            )
        return "; ".join(parts)


def publish_learned(
    learner: Learner,
    learned: LearnedNetwork,
    parent: ConvNet | None,
    plan: ConnectionPlan,
    lab: Laboratory,
    folder: Path,
) -> ModelCard:
    """Write diagnostics, packed weights and the card with its parent and evaluation.

    parent: N_(m-1) as it was when connections were selected, None: none were; folder: where the
    network was learned. Returns the card.
    """
    data = f"{lab.data_text}; recipe {Path(plan.recipe).name}"
    net = learner.plain()
    # An own generator: evaluation must not change what is learned later.
    values = diagnose(learner, net, learned, parent)
    write_diagnostics(learned.model, values, f"facebench train / prune on {data}", lab.results)
    path = lab.models / f"{learned.model}.toml"
    if not _usable(path, learned, plan.width):
        write_card(_card(learned, plan.width, lab.licence(plan.licence)), path)
    faces = learner.recipe.faces_per_step
    training = lab.training(
        f"{learner.recipe.title} {learned.words(faces)}",
        faces * (sum(learned.steps) + learned.selecting), fingerprint_of(folder),
        folder / "log.csv", data=data, without="its ancestors",
    )  # fmt: skip
    name_unseen(lab.models, learned.model, lab.data)
    masks: dict[str, Tensor] = {name: mask.bool() for name, mask in learner.masks.items()}
    card = publish_weights(learned.model, net.state_dict(), masks, training, lab.models)
    told = [_errors(values), *(one.sentence for one in lab.evaluations(path, plan.protocols))]
    notes = " ".join(filter(None, [own_notes(card.notes), *told]))
    write_card(card.model_copy(update={"notes": notes, "parent": learned.parent}), path)
    return read_card(path)


def diagnose(
    learner: Learner, net: ConvNet, learned: LearnedNetwork, parent: ConvNet | None
) -> dict[str, float | str | list[float]]:
    """Errors on pairs of training and held-out faces; of a new sparse layer Tables 5, 6, Figure 1.

    Names: training_error, held_out_error, correlation_before, correlation_after,
    input_correlation, input_correlation_absolute, rank_frequencies, rank_distance (positive
    weights), rank_distance_negative.
    """
    values: dict[str, float | str | list[float]] = {
        "training_error": _error(net, [crops for crops, _ in learner.data.sources]),
        "held_out_error": _error(net, [learner.data.held_out]),
    }
    if parent is None or learned.layer is None:
        return values
    layer = learned.layer
    mask = learner.masks[module_name(layer)].numpy().astype(bool)
    values["correlation_before"] = mean_absolute_correlation(
        parent, layer, mask, learner.data.held_out_faces
    )
    values["correlation_after"] = mean_absolute_correlation(
        net, layer, mask, learner.data.held_out_faces
    )
    weight = parent.layer(layer).weight.detach().numpy()
    ranks = rankings(weight, mask)
    values["rank_frequencies"] = rank_frequencies(ranks)
    values["rank_distance"] = rank_distance(ranks)
    values["rank_distance_negative"] = rank_distance(rankings(-weight, mask))
    if mask.ndim < 4:
        inputs = layer_inputs(net, layer, learner.data.held_out_faces)
        signed, absolute = input_correlations(mask, inputs)
        values |= {"input_correlation": signed, "input_correlation_absolute": absolute}
    return values


def _error(net: ConvNet, sources: list[TrainingCrops]) -> float:
    """Verification error over pairs within each source, mean over the sources that have pairs."""
    errors = []
    for crops in sources:
        rng = np.random.default_rng(11)
        # Whole identities: a few crops of each of all would leave few mated pairs.
        known = np.flatnonzero(crops.labels >= 0)
        order = rng.permutation(int(crops.labels.max(initial=0)) + 1)
        rows = known[np.argsort(order[crops.labels[known]], kind="stable")][:FACES]
        if len(rows) < 4:
            continue
        features = features_of(net, faces_of(crops, rows))
        errors.append(verification_error(features, crops.labels[rows], rng, PAIRS))
    found = [error for error in errors if error == error]
    return float(np.mean(found)) if found else float("nan")


def _usable(path: Path, learned: LearnedNetwork, width: float) -> bool:
    """Whether a card of this structure is there, whose title, source and notes stay."""
    if not path.is_file():
        return False
    card = read_card(path)
    return card.width == width and card.degrees == dict(learned.degrees)


def _card(learned: LearnedNetwork, width: float, licence: str) -> ModelCard:
    structure = " ".join(f"{degree}-{layer}" for layer, degree in learned.degrees.items())
    kind = f"Sparse ConvNet {structure}" if structure else "ConvNet"
    return validated(
        ModelCard,
        {
            "name": learned.model,
            "title": f"{kind}, width {width:g}",
            "architecture": "convnet",
            "width": width,
            "parent": learned.parent,
            "licence": licence,
            "sparsity": {layer: str(degree) for layer, degree in learned.degrees.items()},
            "preprocessing": {"size": (112, 96), "flip": "add"},
        },
        learned.model,
    )


def _errors(values: Mapping[str, object]) -> str:
    """The errors on pairs, as the card says them."""
    parts = [
        f"{what} {values[name]:.4f}"
        for name, what in (("training_error", "training"), ("held_out_error", "held-out"))
        if values[name] == values[name]
    ]
    return f"{EVALUATED}verification error on {' and '.join(parts)} pairs." if parts else ""
