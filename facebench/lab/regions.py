"""The script that learns the members of a region ensemble, one ConvNet per region of the face.

    python -m facebench.lab.regions --ensemble ensemble_5 --data ../shared/data/train \\
        --teacher ../shared/data/teacher/mobilefacenet.onnx --work ~/facebench-regions

All members share a beginning on the whole face; then each learns its own region, is made sparse by
correlation, learns on, and is published as a card and weights of its own in ``--models``. Whatever
``--work`` holds already of the same data is not learned again, so that it continues where it was
stopped.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facebench.base.errors import UserError, in_one_line
from facebench.base.threads import keep_freed_memory, torch_threads
from facebench.faces.synthetic import RENDERER_VERSION, training_faces
from facebench.lab.connections.correlation import prune_layer
from facebench.lab.data.augment import region_change, regions_of
from facebench.lab.data.crops import (
    Sources,
    Teacher,
    TrainingCrops,
    key_of,
    prepare_crops,
    teacher_from,
)
from facebench.lab.laboratory.work_folder import (
    at_work,
    begin_folder,
    folder_of,
    precision_words,
)
from facebench.lab.learning.learned import Learned
from facebench.lab.learning.loop import Recipe, load_checkpoint, train
from facebench.lab.learning.losses import Supervision
from facebench.lab.learning.normalised import NormalisedConvNet
from facebench.models.cards.card import Member, ModelCard
from facebench.models.cards.publish import publish_weights, write_card
from facebench.models.embedders.options import parse_options
from facebench.models.regions import Region
from facebench.models.zoo import card_for, load_model

SYNTHETIC_IDENTITIES, SYNTHETIC_IMAGES = 1100, 14
HELD_OUT_REAL, HELD_OUT_SHARE, HELD_OUT_SEED = 100, 0.02, 7
PER_BATCH_REAL, PER_BATCH_SYNTHETIC = 52, 12
WEIGHTS = {"regression": 2.0, "similarity": 20.0, "identity": 0.1}
WHOLE = Region(box=(0, 0, 96, 112))


@dataclass
class LearnedMember(Learned):
    """A network with batch normalisation."""

    net: NormalisedConvNet
    supervision: Supervision


@dataclass(frozen=True)
class MemberPlan:
    """How members are learned: a shared beginning, then dense and sparse on the own region.

    degrees: S by layer, chosen on the dense network from the last layer down; none: all dense.
    """

    width: float
    beginning: Recipe
    dense: Recipe
    sparse: Recipe
    degrees: tuple[tuple[str, Fraction], ...]


_RECIPE = partial(Recipe, rate=2e-3, weights=WEIGHTS, precision="bfloat16", checkpoint_every=50)
PLAN = MemberPlan(
    width=0.25,
    beginning=_RECIPE(2200, warmup=150, fall=0.0),
    dense=_RECIPE(400, warmup=50, fall=0.0, seed=1),
    sparse=_RECIPE(800, warmup=25, fall=0.9, seed=2),
    degrees=(("5b", Fraction(1, 8)), ("5a", Fraction(1, 8))),
)


def teacher_of(path: Path) -> Teacher:
    """The teacher network, which sees the central 112×112 faces of 128×112 crops."""
    options = parse_options(size="112x112", normalise="imagenet", flip="normalised-add")
    with torch_threads(1):  # every worker's own (`side_by_side`)
        embedder = load_model(str(path), options)
    return teacher_from(embedder)


def training_data(data: Path, teacher: Path, work: Path) -> tuple[Sources, NDArray[np.uint8]]:
    """Crops to learn from, with their numbers per batch, and held-out crops uint8 N×128×112×3.

    Of the real crops 100 identities are not used at all, so that they can test what was learned,
    and 2% of the others are held out for the correlations.
    """
    crops = prepare_crops(data, work / "crops", teacher_of(teacher))
    rng = np.random.default_rng(HELD_OUT_SEED)
    apart = rng.permutation(crops.classes)[:HELD_OUT_REAL]
    unseen = np.isin(crops.labels, apart)
    held = ~unseen & (rng.random(len(crops.labels)) < HELD_OUT_SHARE)
    renumbered = np.full(crops.classes + 1, -1)  # the last place serves the label -1
    kept = np.setdiff1d(np.arange(crops.classes), apart)
    renumbered[kept] = np.arange(len(kept))
    rows = np.flatnonzero(~unseen & ~held)
    real = TrainingCrops(
        np.asarray(crops.images[rows]), renumbered[crops.labels[rows]], crops.targets[rows],
        key=crops.key,
    )  # fmt: skip
    faces, labels = training_faces(0, range(SYNTHETIC_IDENTITIES), range(SYNTHETIC_IMAGES))
    nothing = np.full((len(faces), crops.targets.shape[1]), np.nan, np.float32)
    key = f"synthetic-v{RENDERER_VERSION}-s0-{SYNTHETIC_IDENTITIES}x{SYNTHETIC_IMAGES}"
    synthetic = TrainingCrops(faces, labels, nothing, key=key)
    sources = [(real, PER_BATCH_REAL), (synthetic, PER_BATCH_SYNTHETIC)]
    return sources, np.asarray(crops.images[np.flatnonzero(held)])


def settings_of(
    plan: MemberPlan, sources: Sources, held_out: NDArray[np.uint8]
) -> dict[str, object]:
    """What members depend on, by content, as JSON."""
    targets = hashlib.sha256()
    for crops, _ in sources:
        targets.update(np.ascontiguousarray(crops.targets).tobytes())
    return {
        "plan": json.loads(json.dumps(asdict(plan), default=str)),
        "learned": [[key_of(crops), count] for crops, count in sources],
        "held_out": hashlib.sha256(np.ascontiguousarray(held_out).tobytes()).hexdigest(),
        "teacher": targets.hexdigest(),
    }


def learn_beginning(plan: MemberPlan, sources: Sources, work: Path) -> None:
    """Train what all members begin from, on the whole face; stopped at any point it continues."""
    if (work / "beginning" / "final.pt").exists():
        return
    learned = _fresh(plan, WHOLE, sources)
    train(learned.net, learned.supervision, sources, plan.beginning, work / "beginning")
    learned.save(work / "beginning" / "final.pt")


def learn_member(
    member: str,
    region: Region,
    plan: MemberPlan,
    sources: Sources,
    held_out: NDArray[np.uint8],
    work: Path,
) -> LearnedMember:
    """One member: from the shared beginning to a sparse network of its region.

    held_out: uint8 N×128×112×3 crops that nothing is trained on, for the correlations. Checkpoints
    lie in ``work/MEMBER``; what is there already is not learned again.

    Source: Sun, Wang, Tang 2015, Sections 4.1 and 5.5; all layers are made sparse at once here.
    """
    folder, learned = work / member, _fresh(plan, region, sources)
    if (folder / "final.pt").exists():
        learned.load(folder / "final.pt", same_people=False)
        return learned
    change = region_change(region)
    if (folder / "dense.pt").exists():
        learned.load(folder / "dense.pt", same_people=False)
    else:
        _begin_from(learned, work / "beginning" / "final.pt")
        train(learned.net, learned.supervision, sources, plan.dense, folder / "dense",
              change=change)  # fmt: skip
        learned.masks = _connections(learned.net, plan, regions_of(held_out, region))
        learned.save(folder / "dense.pt")
    train(learned.net, learned.supervision, sources, plan.sparse, folder / "sparse",
          learned.masks, change=change)  # fmt: skip
    learned.save(folder / "final.pt")
    return learned


def publish(
    learned: LearnedMember, member: Member, region: Region, plan: MemberPlan, licence: str, to: Path
) -> ModelCard:
    """Fold, pack and publish a member as a model of its own, with what it was learned from."""
    steps = [("beginning", plan.beginning), ("dense", plan.dense), ("sparse", plan.sparse)]
    per_batch, threads = PER_BATCH_REAL + PER_BATCH_SYNTHETIC, torch.get_num_threads()
    card = ModelCard.model_validate(
        {
            "name": member.model,
            "title": f"ConvNet of the face region {member.region}, {region.colour}",
            "architecture": "convnet",
            "width": plan.width,
            "licence": licence,
            "sparsity": {layer: str(degree) for layer, degree in plan.degrees},
            "region": region,
            "preprocessing": {"size": region.size, "flip": "add"},
        }
    )
    training = {
        "data": "facebench's aligned training crops (CelebA, UTKFace, MEBeauty and others) with a "
        "MobileFaceNet teacher's embeddings, and synthetic identities of the renderer, version 1",
        "recipe": f"AdamW on mini-batches of {PER_BATCH_REAL} real and {PER_BATCH_SYNTHETIC} "
        "synthetic crops: regression onto the teacher's embedding and similarities, and "
        "normalised softmax over identities. Mini-batches: "
        + ", ".join(f"{part} {recipe.steps}" for part, recipe in steps)
        + "; the beginning is shared by all members, on the whole face. Batch normalisation while "
        "learning, folded into the weights afterwards; connections by correlation on held-out "
        "crops. Script: facebench/lab/regions.py",
        "images": per_batch * sum(recipe.steps for _, recipe in steps),
        "device": f"CPU, {threads} thread{'s' if threads > 1 else ''}",
        "precision": precision_words(plan.sparse.precision),
    }
    write_card(card, to / f"{card.name}.toml")
    state = learned.net.folded().state_dict()
    return publish_weights(card.name, state, learned.masks, training, to)


def _fresh(plan: MemberPlan, region: Region, sources: Sources) -> LearnedMember:
    torch.manual_seed(plan.beginning.seed)
    # No dropout: a quarter-width network does not overfit in the time that it has here.
    net = NormalisedConvNet(plan.width, region.size, dropout=(0.0, 0.0))
    classes = sum(crops.classes for crops, _ in sources)
    embedding = max(crops.targets.shape[1] for crops, _ in sources)
    return LearnedMember(net, Supervision(net.features, embedding, classes))


def _begin_from(learned: LearnedMember, path: Path) -> None:
    """Take over what fits; local layers of another input size start anew."""
    saved = load_checkpoint(path)
    parts: tuple[tuple[nn.Module, str], ...]
    parts = ((learned.net, "net"), (learned.supervision, "supervision"))
    for module, name in parts:
        own = module.state_dict()
        fitting = {k: v for k, v in saved[name].items() if v.shape == own[k].shape}
        module.load_state_dict(own | fitting)


def _connections(
    net: NormalisedConvNet, plan: MemberPlan, faces: NDArray[np.uint8]
) -> dict[str, Tensor]:
    folded, masks = net.eval().folded(), {}
    for number, (layer, keep) in enumerate(plan.degrees):
        rng = np.random.default_rng([plan.dense.seed, number])
        parts = (faces[begin : begin + 64] for begin in range(0, len(faces), 64))
        name, mask = prune_layer(folded, layer, keep, parts, rng)
        masks[name] = mask
    return masks


def learn_members(
    ensemble: ModelCard,
    only: Sequence[str],
    plan: MemberPlan,
    data: tuple[Sources, NDArray[np.uint8]],
    work: Path,
    to: Path,
    tell: Callable[[str], None],
) -> None:
    """Learn and publish the members of an ensemble, or those named; tell: of waiting."""
    sources, held_out = data
    settings = settings_of(plan, sources, held_out)
    work = folder_of(work, "members", settings)
    with at_work(work, tell):
        begin_folder(work, settings, (), tell)
        learn_beginning(plan, sources, work)
        for member in ensemble.members:
            if only and member.model not in only:
                continue
            region = ensemble.regions[member.region]
            learned = learn_member(member.model, region, plan, sources, held_out, work)
            publish(learned, member, region, plan, card_for("baseline").licence, to)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of the script."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--ensemble", default="ensemble_5", help="the card with the regions")
    parser.add_argument("--only", nargs="*", default=[], metavar="MEMBER")
    parser.add_argument("--data", type=Path, required=True, help="folder of index.csv and zips")
    parser.add_argument("--teacher", type=Path, required=True, help="the teacher's ONNX file")
    parser.add_argument("--work", type=Path, required=True, help="checkpoints, outside the project")
    parser.add_argument("--models", type=Path, default=Path("models"), help="folder of cards")
    chosen = parser.parse_args(arguments)
    keep_freed_memory()
    with in_one_line("region_members"):
        ensemble = card_for(chosen.ensemble)
        names = [member.model for member in ensemble.members]
        if unknown := set(chosen.only) - set(names):
            raise UserError(f"--only {', '.join(sorted(unknown))}: members are {', '.join(names)}")
        data = training_data(chosen.data, chosen.teacher, chosen.work)
        learn_members(ensemble, chosen.only, PLAN, data, chosen.work, chosen.models, print)


if __name__ == "__main__":
    main()
