"""Learning a metric for a model: embeddings of faces with identities, Joint Bayesian, a file."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError, nearest
from facebench.base.storage import write_atomically, write_together
from facebench.embedding.extract import extract
from facebench.embedding.precomputed import load_embeddings
from facebench.embedding.store import EmbeddingStore
from facebench.embedding.stream import OnMissing
from facebench.faces.people import LabelledFaces
from facebench.lab.data.labelled import labelled_faces, read_identities, require_identities
from facebench.lab.data.people import refuse_seen
from facebench.models.cards.card import MetricFields, ModelCard, read_card
from facebench.models.cards.publish import card_bytes
from facebench.models.embedders.base import Embedder
from facebench.similarity.joint_bayesian.estimator import JointBayesian
from facebench.similarity.joint_bayesian.model import NORMALISATIONS
from facebench.similarity.metric_file import MetricFacts, metric_bytes

Watch = Callable[[int, float], None]


@dataclass(frozen=True, eq=False)
class Labelled:
    """Embeddings float32 N×D of N identities' names, and what they are in words.

    unknown: lines on whether the model was trained on them, where that is not known.
    """

    vectors: NDArray[np.float32]
    identities: tuple[str, ...]
    words: tuple[str, ...]
    alignment: str
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class FitChoices:
    """How a metric is learned; see `JointBayesian`. components: None for no PCA."""

    components: int | None = 100
    normalise: str = "none"
    shrinkage: float = 20.0
    iterations: int = 100
    tolerance: float = 1e-6

    def check(self) -> None:
        """UserError for choices that are wrong whatever the data are."""
        if self.normalise not in NORMALISATIONS:
            raise UserError(
                f"--normalise {self.normalise}: choose one of {', '.join(NORMALISATIONS)}"
                f"{nearest(self.normalise, NORMALISATIONS)}"
            )
        if self.components is not None and self.components < 1:
            raise UserError(f"--components {self.components}: at least 1, or 0 for no PCA")
        if self.iterations < 1:
            raise UserError(f"--iterations {self.iterations}: at least 1")
        for name, value in (("--shrinkage", self.shrinkage), ("tolerance", self.tolerance)):
            if not (math.isfinite(value) and value >= 0):
                raise UserError(f"{name} {value:g}: a number from 0 up")

    def estimator(self, dimension: int) -> JointBayesian:
        """For embeddings of that many numbers; UserError: as `check`."""
        self.check()
        components = self.components
        return JointBayesian(
            None if components is None else min(components, dimension),
            normalise=self.normalise,  # type: ignore[arg-type]
            shrinkage=self.shrinkage,
            iterations=self.iterations,
            tolerance=self.tolerance,
        )


@dataclass(frozen=True, eq=False)
class FittedMetric:
    """A metric with its facts, and the estimator that it was fitted with."""

    estimator: JointBayesian
    facts: MetricFacts
    asked: int | None = None  # components of the PCA; None for no PCA

    def fewer(self) -> str | None:
        """One line where the PCA has fewer components than were asked for, or None."""
        kept, numbers = len(self.estimator.model_.ratios), self.estimator.n_features_in_
        if self.asked is None or kept >= self.asked:
            return None
        vary = f", which vary in {kept} directions" if kept < numbers else ""
        return (
            f"the PCA has {kept} components, not {self.asked}: embeddings have {numbers} "
            f"numbers{vary}"
        )

    def write(self, path: Path) -> None:
        """Write the metric file, complete or not at all."""
        write_atomically(path, metric_bytes(self.estimator.model_, self.facts))

    def attach(self, card: ModelCard) -> Path:
        """Write ``weights/<card>.metric.safetensors`` beside the card and name it there.

        UserError where the model has no card of its own to write into.
        """
        return attach_metric(
            card, "metric", metric_bytes(self.estimator.model_, self.facts), self.facts
        )


def embed_labelled(
    embedder: Embedder,
    data: Sequence[str],
    *,
    identities: Path | None = None,
    landmarks: Path | None = None,
    synthetic_identities: int = 300,
    on_missing: OnMissing = "error",
    batch: int = 32,
    workers: int = 1,
    store: bool = True,
    progress: bool = True,
    card: ModelCard | None = None,
) -> Labelled:
    """Embeddings of the faces that each ``--data`` names (`labelled_faces`), of all or of the
    listed identities; rendered ones are never restricted. UserError: whatever is wrong with them.

    on_missing: ``count`` leaves faces out that cannot be read or aligned.
    card: of the model, for `refuse_seen`; None: anybody is embedded.
    """
    parts = [labelled_faces(name, landmarks, synthetic_identities, on_missing) for name in data]
    if not parts:
        raise UserError("nothing to learn from: --data FOLDER, or --embeddings with --names")
    if identities is not None:
        parts = _restricted(parts, identities)
    unknown = [] if card is None else refuse_seen(card, data, parts)
    vectors, names = [], []
    for part in parts:
        found = extract(
            embedder,
            part.source,
            part.keys,
            part.aligner,
            on_missing=on_missing,
            batch=batch,
            workers=workers,
            store=EmbeddingStore() if store and embedder.storable else None,
            progress=progress,
        )
        vectors.append(found.vectors[found.acquired])
        names += [
            n for n, acquired in zip(part.identities, found.acquired, strict=True) if acquired
        ]
    alignment = " + ".join(dict.fromkeys(part.aligner.signature for part in parts))
    words = tuple(part.words for part in parts)
    return Labelled(np.concatenate(vectors), tuple(names), words, alignment, tuple(unknown))


def read_labelled(npy: Path, names: Path, identities: Path | None = None) -> Labelled:
    """Embeddings of a file, whose rows are named ``identity/image``. UserError: wrong files."""
    found = load_embeddings(npy, names)
    people = []
    for key in found.keys:
        person, slash, _ = key.replace("\\", "/").rpartition("/")
        if not slash or not person:
            raise UserError(f"{names}: {key!r} names no identity; name rows identity/image")
        people.append(person)
    keep, words = np.ones(len(people), dtype=np.bool_), npy.name
    if identities is not None:
        wanted = read_identities(identities)
        require_identities(wanted, people, identities)
        keep, words = np.isin(people, wanted), f"{words}, identities of {identities.name}"
    chosen = tuple(p for p, k in zip(people, keep, strict=True) if k)
    return Labelled(found.vectors[keep], chosen, (words,), "")


def fit_metric(
    labelled: Labelled,
    choices: FitChoices,
    embedder: Embedder | None = None,
    watch: Watch | None = None,
) -> FittedMetric:
    """A metric for the embedder whose embeddings these are (None: not known).

    UserError: too few identities or images, or choices that do not fit them.
    """
    estimator = choices.estimator(labelled.vectors.shape[1])
    try:
        estimator.fit(labelled.vectors, np.array(labelled.identities), watch)
    except ValueError as error:
        what = " + ".join(labelled.words)
        raise UserError(f"no metric can be learned from {what}: {error}") from None
    settings = (
        f"components={'none' if choices.components is None else len(estimator.model_.ratios)} "
        f"normalise={choices.normalise} shrinkage={choices.shrinkage:g} "
        f"iterations={estimator.n_iter_}"
    )
    facts = MetricFacts(
        fitted_on=" + ".join(labelled.words),
        identities=estimator.identities_,
        images=estimator.images_,
        alignment=labelled.alignment,
        settings=settings,
        model=embedder.id if embedder else "",
        weights_hash=embedder.weights_hash if embedder else "",
        preprocessing=embedder.preprocessing.signature if embedder else "",
    )
    return FittedMetric(estimator, facts, choices.components)


def attach_metric(
    card: ModelCard, field: Literal["metric", "projection"], data: bytes, facts: MetricFacts
) -> Path:
    """Write ``weights/<card>.<field>.safetensors`` beside the card and name it in that field.

    data: a metric file's bytes. UserError where the model has no card of its own to write into.
    """
    require_own_card(card)
    file = f"weights/{card.name}.{field}.safetensors"
    fields = MetricFields(
        file=file,
        sha256=hashlib.sha256(data).hexdigest(),
        fitted_on=facts.fitted_on,
        identities=facts.identities or None,
        images=facts.images or None,
    )
    named = read_card(card.path).model_copy(update={field: fields})
    write_together({card.path.parent / file: data, card.path: card_bytes(named, card.path)})
    return card.path.parent / file


def require_own_card(card: ModelCard) -> None:
    """UserError where the model has no card of its own to write into."""
    if not card.path.is_file():
        raise UserError(
            f"model {card.name}: has no card to attach a metric to; write {card.path.name}, or "
            "use --out FILE"
        )


def _restricted(parts: Sequence[LabelledFaces], identities: Path) -> list[LabelledFaces]:
    wanted = read_identities(identities)
    real = [part for part in parts if part.source.kind == "real"]
    known = [name for part in real for name in part.identities]
    require_identities(wanted, known, identities)
    words = f"identities of {identities.name}"
    return [
        part.restricted(wanted, words) if part.source.kind == "real" else part for part in parts
    ]
