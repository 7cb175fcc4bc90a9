"""What a step of a plan leaves behind: card, packed weights, diagnostics and evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from torch import Tensor

from facebench.base.validation import validated
from facebench.lab.data.crops import TrainingCrops
from facebench.lab.data.frozen import Frozen
from facebench.lab.data.sources import faces_of
from facebench.lab.laboratory.work_folder import (
    EVALUATED,
    NO_LICENCE,
    name_unseen,
    own_notes,
    training_fields,
)
from facebench.lab.learning.diagnostics import (
    input_correlation,
    layer_inputs,
    mean_absolute_correlation,
    rank_distance,
    rank_frequencies,
    rankings,
    verification_error,
    write_diagnostics,
)
from facebench.lab.learning.learner import Learner, features_of
from facebench.models.architectures.convnet import ConvNet, module_name
from facebench.models.cards.card import ModelCard, read_card
from facebench.models.cards.publish import publish_weights, write_card

FACES, PAIRS = 1500, 2000


@dataclass(frozen=True)
class Outcome:
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


def publish_outcome(
    learner: Learner,
    outcome: Outcome,
    parent: ConvNet | None,
    *,
    data: str,
    licence: str,
    models: Path,
    results: Path,
    width: float,
    device: str,
    precision: str,
    log: Path,
    fingerprint: str,
    evaluate: Callable[[Path], list[str]],
) -> ModelCard:
    """Write diagnostics, packed weights and the card with its parent and evaluation.

    parent: N_(m-1) as it was when connections were selected, None: none were. data: in words;
    log: of the training; fingerprint: of all that it depends on. Returns the card.
    """
    net = learner.plain()
    values = diagnose(learner, net, outcome, parent)
    write_diagnostics(outcome.model, values, f"facebench train / prune on {data}", results)
    path = models / f"{outcome.model}.toml"
    if not _usable(path, outcome, width):
        write_card(
            _card(outcome, width, licence or NO_LICENCE + data.partition("; recipe")[0]), path
        )
    faces = learner.recipe.faces_per_step
    seen = faces * (sum(outcome.steps) + outcome.selecting)
    training = training_fields(
        data=data, recipe=f"{learner.recipe.title} {outcome.words(faces)}",
        faces=seen, device=device, precision=precision, log=log,
        without="its ancestors", fingerprint=fingerprint, learned_from=learner.data,
    )  # fmt: skip
    name_unseen(models, outcome.model, learner.data)
    masks: dict[str, Tensor] = {name: mask.bool() for name, mask in learner.masks.items()}
    card = publish_weights(outcome.model, net.state_dict(), masks, training, models)
    told = [_errors(values), *evaluate(path)]
    notes = " ".join(filter(None, [own_notes(card.notes), *told]))
    write_card(card.model_copy(update={"notes": notes, "parent": outcome.parent}), path)
    return read_card(path)


def diagnose(
    learner: Learner, net: ConvNet, outcome: Outcome, parent: ConvNet | None
) -> dict[str, float | str | list[float]]:
    """Errors on pairs of training and held-out faces; of a new sparse layer Tables 5, 6, Figure 1.

    Names: training_error, held_out_error, correlation_before, correlation_after,
    input_correlation, rank_frequencies, rank_distance (positive weights), rank_distance_negative.
    """
    values: dict[str, float | str | list[float]] = {
        "training_error": _error(net, [crops for crops, _ in learner.data.sources]),
        "held_out_error": _error(net, [learner.data.held_out]),
    }
    if parent is None or outcome.layer is None:
        return values
    layer = outcome.layer
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
        values["input_correlation"] = input_correlation(mask, inputs)
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


def _usable(path: Path, outcome: Outcome, width: float) -> bool:
    """Whether a card of this structure is there, whose title, source and notes stay."""
    if not path.is_file():
        return False
    card = read_card(path)
    return card.width == width and card.degrees == dict(outcome.degrees)


def _card(outcome: Outcome, width: float, licence: str) -> ModelCard:
    structure = " ".join(f"{degree}-{layer}" for layer, degree in outcome.degrees.items())
    kind = f"Sparse ConvNet {structure}" if structure else "ConvNet"
    return validated(
        ModelCard,
        {
            "name": outcome.model,
            "title": f"{kind}, width {width:g}",
            "architecture": "convnet",
            "width": width,
            "parent": outcome.parent,
            "licence": licence,
            "sparsity": {layer: str(degree) for layer, degree in outcome.degrees.items()},
            "preprocessing": {"size": (112, 96), "flip": "add"},
        },
        outcome.model,
    )


def _errors(values: Mapping[str, object]) -> str:
    """The errors on pairs, as the card says them."""
    parts = [
        f"{what} {values[name]:.4f}"
        for name, what in (("training_error", "training"), ("held_out_error", "held-out"))
        if values[name] == values[name]
    ]
    return f"{EVALUATED}verification error on {' and '.join(parts)} pairs." if parts else ""
