"""What a network makes of people and faces that nothing was learned of."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from facebench.base.errors import UserError
from facebench.base.storage import write_atomically
from facebench.faces.people import LabelledFaces
from facebench.lab.data.crops import UNLABELLED, indexed_files
from facebench.lab.data.labelled import people_files, read_identities
from facebench.lab.data.sources import TrainingData, faces_of
from facebench.models.architectures.convnet import to_input
from facebench.models.cards.card import ModelCard, find_card, read_card
from facebench.models.embedders.base import unit

if TYPE_CHECKING:
    from facebench.lab.learning.losses import Judge


def unseen_beside(name: str) -> str:
    """Where a card's people are named that its network has not seen, relative to the card."""
    return f"weights/{name}.unseen.txt"


FILE = "held_out.json"
FALSE_MATCHES = 1e-3
_BATCH, _MOST = 64, 8192


def held_out_figures(net: nn.Module, supervision: Judge, data: TrainingData) -> dict[str, float]:
    """Errors of a network on held-out people and its cosine to the teacher on held-out faces.

    net: faces float N×3×112×96 → float N×F, in evaluation mode. A face is embedded with its mirror
    image. Names, for all pairs of faces of people of whom nothing was learned: ``error`` and
    ``true_matches`` by the network's output, ``error_regressed`` and ``true_matches_regressed`` by
    what the supervision makes of it for the teacher, ``error_teacher`` and
    ``true_matches_teacher`` by the teacher itself; ``cosine_to_teacher`` over all held-out faces.
    What cannot be had is left out.
    """
    crops, regressor = data.held_out, getattr(supervision, "regressor", None)
    rows = np.linspace(0, len(crops.labels) - 1, min(_MOST, len(crops.labels))).astype(np.int64)
    labels, targets = crops.labels[rows], crops.targets[rows]
    if data.strangers is not None:
        labels = np.where(data.strangers[rows], labels, UNLABELLED)
    taught = ~np.isnan(targets[:, 0])
    outputs = np.concatenate(list(outputs_of(net, data, rows)))
    found = _verification("", outputs, labels)
    if regressor is None or not taught.any():
        return found
    with torch.no_grad():
        regressed = regressor(torch.from_numpy(outputs)).numpy()
    found |= _verification("_regressed", regressed, labels)
    found |= _verification("_teacher", targets[taught], labels[taught])
    cosines = (unit(regressed[taught]) * unit(targets[taught])).sum(1)
    return found | {"cosine_to_teacher": float(cosines.mean())}


def write_held_out(
    folder: Path, net: nn.Module, supervision: Judge, data: TrainingData
) -> dict[str, float]:
    """The figures, written to ``held_out.json`` in a folder of work."""
    found = held_out_figures(net, supervision, data)
    text = json.dumps({name: round(value, 5) for name, value in found.items()}, indent=1)
    write_atomically(folder / FILE, text.encode())
    return found


def balanced_error(mated: NDArray[np.floating], others: NDArray[np.floating]) -> float:
    """The least mean of the shares of mated and of other pairs that are told wrongly."""
    edges = np.unique(np.concatenate([mated, others]))
    missed = np.searchsorted(np.sort(mated), edges) / len(mated)
    taken = 1 - np.searchsorted(np.sort(others), edges) / len(others)
    return float(min((missed + taken).min() / 2, 0.5))


def true_matches(
    scores: NDArray[np.floating], people: NDArray[np.int64], others: NDArray[np.floating]
) -> float:
    """Share of mated pairs above the threshold of one false match in a thousand, mean over people.

    scores, people: of the mated pairs; others: scores of the other pairs. One person with many
    faces weighs no more than one with two.
    """
    threshold = np.quantile(others, 1 - FALSE_MATCHES)
    shares = [(scores[people == person] > threshold).mean() for person in np.unique(people)]
    return float(np.mean(shares))


def outputs_of(
    net: nn.Module, data: TrainingData, rows: NDArray[np.int64]
) -> Iterator[NDArray[np.float32]]:
    """A network's outputs of some held-out faces with their mirror images, batches float32 n×F."""
    net.eval()
    for begin in range(0, len(rows), _BATCH):
        faces = to_input(torch.from_numpy(faces_of(data.held_out, rows[begin : begin + _BATCH])))
        with torch.no_grad():
            yield (0.5 * (net(faces) + net(faces.flip(3)))).numpy()


def _verification(
    ending: str, embeddings: NDArray[np.float32], labels: NDArray[np.int64]
) -> dict[str, float]:
    known = np.flatnonzero(labels >= 0)
    one, two = np.triu_indices(len(known), 1)
    scores = unit(embeddings[known]) @ unit(embeddings[known]).T
    scores, own = scores[one, two], labels[known]
    same = own[one] == own[two]
    if same.all() or not same.any():
        return {}
    mated, others = scores[same], scores[~same]
    return {
        f"error{ending}": balanced_error(mated, others),
        f"true_matches{ending}": true_matches(mated, own[one][same], others),
    }


def refuse_seen(card: ModelCard, given: Sequence[str], parts: Sequence[LabelledFaces]) -> list[str]:
    """UserError where a model, or one whose weights it started from, was trained on some of the
    people; a line for each of the data of which that cannot be known.

    given: the data as the user named them; parts: the faces of each. Faces are known by their
    contents (`Training.faces`), and of these all people were learned that no list holds out.
    """
    ancestors = list(_lineage(card))
    unknown = []
    silent = [one.name for one in ancestors if not one.training.fingerprint]
    for name, part in zip(given, parts, strict=True):
        if part.source.kind != "real":
            continue
        key = _key(Path(name)) if len(silent) < len(ancestors) else ""
        learned = [one for one in ancestors if key in one.training.faces]
        for one in learned:
            _require_unseen(card, one, name, part)
        if silent or not learned:
            why = (
                f"the card of {silent[0]} does not say whom" if silent else "it learned other files"
            )
            unknown.append(
                f"whether {card.name} was trained on people of {name} cannot be known: {why}"
            )
    return unknown


def _require_unseen(card: ModelCard, learned: ModelCard, name: str, part: LabelledFaces) -> None:
    path = learned.path.parent / unseen_beside(learned.name)
    held_out = set(read_identities(path)) if path.is_file() else set()
    seen = sorted(set(part.identities) - held_out)
    if not seen:
        return
    what = f"{card.name} was" if learned is card else f"{card.name} started from {learned.name},"
    way = f"give --identities {path}" if held_out else "train with --hold-out, or bring others"
    raise UserError(
        f"{what} trained on {len(seen):,} of the {len(set(part.identities)):,} identities of "
        f"{name} (first: {seen[0]!r}), whom a metric would take for easier than others: {way}"
    )


def _lineage(card: ModelCard) -> Iterator[ModelCard]:
    """A card, the members of an ensemble, and all that they started from, as far as they are there.

    Every card once, though a card may name itself as its ancestor.
    """
    waiting, seen = [card], set()
    while waiting:
        one = waiting.pop()
        if one.name in seen:
            continue
        seen.add(one.name)
        yield one
        names = [*([one.parent] if one.parent else []), *(member.model for member in one.members)]
        for name in names:
            beside = one.path.parent / f"{name}.toml"
            try:
                waiting.append(read_card(beside) if beside.is_file() else find_card(name))
            except UserError:  # it is not there any more
                continue


def _key(place: Path) -> str:
    """The short name of faces by content, as their training took it."""
    if place.is_file():
        return indexed_files(place.parent).key if place.name == "index.csv" else ""
    if (place / "index.csv").is_file():
        return indexed_files(place).key
    return people_files(place).key
