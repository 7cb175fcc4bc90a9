"""The script that learned the first weights of the zoo: ``python -m facebench.training.first_zoo``.

    python -m facebench.training.first_zoo --data ../shared/data/train \\
        --teacher ../shared/data/teacher/mobilefacenet.onnx --work ~/facebench-training

It goes through the chain baseline, sparse_096, sparse_076, sparse_074, continues where it was
stopped, and publishes the models named with ``--publish`` into the cards of ``--models``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from facebench.allocator import keep_freed_memory
from facebench.errors import UserError
from facebench.faces.synthetic import training_faces
from facebench.nets.options import parse_options
from facebench.nets.publish import publish_weights
from facebench.nets.zoo import load_model
from facebench.training.crops import Teacher, TrainingCrops, prepare_crops
from facebench.training.loop import Recipe
from facebench.training.sparse_chain import (
    Chain,
    Learned,
    Link,
    learn_dense,
    learn_link,
    load,
    start,
    steps_to,
)

WIDTH = 0.5
SYNTHETIC_IDENTITIES, SYNTHETIC_IMAGES = 1200, 14
HELD_OUT_SYNTHETIC = 30
HELD_OUT_REAL, HELD_OUT_SHARE, HELD_OUT_SEED = 30, 0.02, 7
PER_BATCH_REAL, PER_BATCH_SYNTHETIC = 48, 16
WEIGHTS = {"regression": 2.0, "similarity": 20.0, "identity": 0.1}
CHAIN = Chain(
    width=WIDTH,
    dense=Recipe(7000, rate=1.5e-3, fall=0.6, weights=WEIGHTS, checkpoint_every=250),
    links=(
        Link("sparse_096", "f", Fraction(1, 256), 900),
        Link("sparse_076", "5b", Fraction(1, 128), 1200),
        Link("sparse_074", "4b", Fraction(1, 2), 2200),
    ),
    retrain=Recipe(1, rate=1e-3, warmup=50, fall=0.7, weights=WEIGHTS, checkpoint_every=250),
    # Less than the paper's 30% and 50%: seven epochs do not overfit as its hundreds might.
    dropout=(0.1, 0.1),
)

Sources = list[tuple[TrainingCrops, int]]


def training_data(data: Path, teacher: Path, work: Path) -> tuple[Sources, NDArray[np.uint8]]:
    """Crops to learn from, with their numbers per batch, and held-out crops uint8 N×128×112×3.

    Real crops of an index CSV with the teacher's embeddings, and synthetic identities. Held out,
    for the correlations: 30 identities and 2% of the other crops, and 30 synthetic identities.
    """
    crops = prepare_crops(data, work / "crops", teacher_of(teacher))
    real, held_real = _split(crops)
    synthetic, held_synthetic = _synthetic(crops.targets.shape[1])
    sources = [(real, PER_BATCH_REAL), (synthetic, PER_BATCH_SYNTHETIC)]
    return sources, np.concatenate([held_real, held_synthetic])


def teacher_of(path: Path) -> Teacher:
    """The teacher network as a function of 128×112 crops: their central 112×112 faces."""
    options = parse_options(size="112x112", normalise="imagenet", flip="normalised-add")
    embedder = load_model(str(path), options)
    return lambda crops: embedder.embed(np.ascontiguousarray(crops[:, 8:120]))


def _split(crops: TrainingCrops) -> tuple[TrainingCrops, NDArray[np.uint8]]:
    rng = np.random.default_rng(HELD_OUT_SEED)
    apart = rng.permutation(crops.classes)[:HELD_OUT_REAL]
    held = np.isin(crops.labels, apart) | (rng.random(len(crops.labels)) < HELD_OUT_SHARE)
    kept = np.setdiff1d(np.arange(crops.classes), apart)
    renumbered = np.full(crops.classes + 1, -1)  # the last place serves the label -1
    renumbered[kept] = np.arange(len(kept))
    rows = np.flatnonzero(~held)
    learned = TrainingCrops(
        np.asarray(crops.images[rows]), renumbered[crops.labels[rows]], crops.targets[rows]
    )
    return learned, np.asarray(crops.images[np.flatnonzero(held)])


def _synthetic(embedding: int) -> tuple[TrainingCrops, NDArray[np.uint8]]:
    faces, labels = training_faces(0, range(SYNTHETIC_IDENTITIES), range(SYNTHETIC_IMAGES))
    learned = labels < SYNTHETIC_IDENTITIES - HELD_OUT_SYNTHETIC
    nothing = np.full((int(learned.sum()), embedding), np.nan, np.float32)
    return TrainingCrops(faces[learned], labels[learned], nothing), faces[~learned]


def learn(chain: Chain, sources: Sources, held_out: NDArray[np.uint8], work: Path) -> list[str]:
    """Learn every model of the chain that ``work`` does not hold yet; returns their names."""
    learned = fresh(chain, sources)
    names = ["baseline", *(link.name for link in chain.links)]
    if _done(work, "baseline"):
        load(learned, work / "baseline" / "final.pt")
    else:
        learn_dense(learned, chain, sources, work)
    for link in chain.links:
        if _done(work, link.name):
            load(learned, work / link.name / "final.pt")
        else:
            learn_link(learned, link, chain, sources, held_out, work)
    return names


def fresh(chain: Chain, sources: Sources) -> Learned:
    """An untrained network for these sources."""
    return start(chain, sources, max(crops.targets.shape[1] for crops, _ in sources))


def publish(name: str, sources: Sources, work: Path, to: Path) -> None:
    """Fold, pack and publish one learned model into its card, with what it was learned from."""
    learned = fresh(CHAIN, sources)
    load(learned, work / name / "final.pt")
    parts = steps_to(CHAIN, name)
    per_batch = sum(number for _, number in sources)
    training = {
        "data": "facebench's aligned training crops (CelebA, UTKFace, MEBeauty and others) with a "
        "MobileFaceNet teacher's embeddings, and synthetic identities of the renderer, version 1",
        "recipe": f"AdamW on mini-batches of {PER_BATCH_REAL} real and {PER_BATCH_SYNTHETIC} "
        "synthetic crops: regression onto the teacher's embedding and similarities, and "
        "normalised softmax over identities. Mini-batches: "
        + ", ".join(f"{part} {steps}" for part, steps in parts)
        + ". Batch normalisation while learning, folded into the weights afterwards; connections "
        "by correlation on held-out crops. Script: facebench/training/first_zoo.py",
        "images": per_batch * sum(steps for _, steps in parts),
        "duration": f"about {_minutes(work, parts, per_batch):.0f} minutes with its ancestors",
        "device": f"CPU, {torch.get_num_threads()} threads",
        "precision": "bfloat16 autocast",
    }
    publish_weights(name, learned.net.folded().state_dict(), learned.masks, training, to)


def _minutes(work: Path, parts: list[tuple[str, int]], per_batch: int) -> float:
    """From the speed that the end of each log states."""
    minutes = 0.0
    for part, steps in parts:
        log = work / ("baseline" if part == "dense" else part) / "log.csv"
        speed = float(log.read_text().splitlines()[-1].rsplit(",", 1)[1])
        minutes += steps * per_batch / speed / 60
    return minutes


def _done(work: Path, name: str) -> bool:
    return (work / name / "final.pt").exists()


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of the script."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of index.csv and zips")
    parser.add_argument("--teacher", type=Path, required=True, help="the teacher's ONNX file")
    parser.add_argument("--work", type=Path, required=True, help="checkpoints, outside the project")
    parser.add_argument("--models", type=Path, default=Path("models"), help="folder of cards")
    parser.add_argument("--publish", nargs="*", default=[], metavar="NAME")
    chosen = parser.parse_args(arguments)
    keep_freed_memory()
    try:
        sources, held_out = training_data(chosen.data, chosen.teacher, chosen.work)
        names = learn(CHAIN, sources, held_out, chosen.work)
        if unknown := set(chosen.publish) - set(names):
            raise UserError(f"--publish {', '.join(sorted(unknown))}: only {', '.join(names)}")
        for name in chosen.publish:
            publish(name, sources, chosen.work, chosen.models)
    except UserError as error:
        sys.exit(f"first_zoo: {error}")


if __name__ == "__main__":
    main()
