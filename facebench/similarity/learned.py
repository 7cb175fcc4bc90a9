"""Similarities by name: cosine, or a metric that was learned for one network's embeddings."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError, nearest
from facebench.similarity.base import Projection, Similarity
from facebench.similarity.cosine import Cosine
from facebench.similarity.joint_bayesian.model import JointBayesianModel
from facebench.similarity.metric_file import (
    MetricFacts,
    MetricFile,
    MetricModel,
    as_stored,
    metric_bytes,
    read_metric,
)
from facebench.similarity.projection import ProjectionModel
from facebench.similarity.scoring import SIMILARITIES, no_effect


class _OtherDimensionError(UserError, ValueError):
    """Embeddings of another network than the metric's: a user's mistake, and a wrong argument."""


class MetricSimilarity(Similarity):
    """A learned metric as a similarity.

    signature: ``<name>(<first 12 hex digits of the metric file's SHA-256>)``; values: how many
    numbers it has learned; how: to make one, for messages.
    """

    how: str

    def __init__(self, model: MetricModel, facts: MetricFacts, sha256: str) -> None:
        self.model, self.facts, self.sha256 = model, facts, sha256
        self.signature = f"{self.name}({sha256[:12]})"
        self.values = model.values

    @classmethod
    def of(cls, model: MetricModel, facts: MetricFacts | None = None) -> Self:
        """A metric that lies in no file (``JointBayesian.model_``); its signature and its scores
        are as if it did: of values in float32.

        For metrics that are learned during a protocol, as on the training sets of IJB-A's splits.
        """
        facts = facts or MetricFacts()
        sha256 = hashlib.sha256(metric_bytes(model, facts)).hexdigest()
        return cls(as_stored(model), facts, sha256)

    @property
    def dimension(self) -> int:
        """Of the embeddings that it takes."""
        return self.model.dimension

    def project(
        self, vectors: NDArray[np.floating], dtype: type[np.floating] = np.float32
    ) -> Projection:
        """See `Similarity.project`; UserError, also a ValueError: embeddings of another D."""
        if vectors.ndim == 2 and vectors.shape[1] != self.dimension:
            raise _OtherDimensionError(
                f"the metric {self.signature} takes embeddings of {self.dimension} numbers, these "
                f"have {vectors.shape[1]}; make one for this model with `{self.how}`"
            )
        return self.model.project(vectors, dtype)

    def require(self, weights_hash: str, preprocessing: str) -> None:
        """UserError where the metric was fitted on the embeddings of another network.

        weights_hash, preprocessing: an `Embedder`'s (``preprocessing.signature``). Empty texts, of
        embeddings that were given, are not compared; nor is what the metric does not know.
        """
        mine = self.facts
        whose = f" ({mine.model})" if mine.model else ""
        if weights_hash and mine.weights_hash and weights_hash != mine.weights_hash:
            raise UserError(
                f"the metric {self.signature} was fitted for the weights {mine.weights_hash[:12]}"
                f"{whose}, the model has {weights_hash[:12]}; make one for this model with "
                f"`{self.how}`"
            )
        if preprocessing and mine.preprocessing and preprocessing != mine.preprocessing:
            raise UserError(
                f"the metric {self.signature} was fitted with `{mine.preprocessing}`, the model "
                f"prepares faces with `{preprocessing}`; use the same, or make one for this"
            )


class JointBayesianSimilarity(MetricSimilarity):
    """A fitted Joint Bayesian as a similarity: log-likelihood ratios in nats, 0 is even odds."""

    name = "joint-bayesian"
    how = "facebench metric fit MODEL --data FOLDER --attach"
    model: JointBayesianModel


class ProjectionSimilarity(MetricSimilarity):
    """Cosine of a learned linear map of the embeddings; an embedding of zeros scores 0."""

    name = "projection"
    how = "facebench metric projection MODEL --checkpoint WORK/MODEL-FINGERPRINT/final.pt --attach"
    low, high = -1.0, 1.0
    model: ProjectionModel


METRICS: dict[str, type[MetricSimilarity]] = {
    kind.name: kind for kind in (JointBayesianSimilarity, ProjectionSimilarity)
}


def load_metric(path: Path, sha256: str | None = None) -> MetricSimilarity:
    """The similarity of a metric file; sha256: what its bytes must hash to.

    UserError in one line where the file is absent, changed or no metric.
    """
    return similarity_of(read_metric(Path(path), sha256))


def similarity_of(found: MetricFile) -> MetricSimilarity:
    """The similarity of a metric file that was read."""
    projection = isinstance(found.model, ProjectionModel)
    kind = ProjectionSimilarity if projection else JointBayesianSimilarity
    return kind(found.model, found.facts, found.sha256)


def similarity_for(
    name: str,
    *,
    metric: Path | None = None,
    card_metric: Path | None = None,
    weights_hash: str = "",
    preprocessing: str = "",
    card_sha256: str | None = None,
) -> Similarity:
    """The similarity that a user names, for one model.

    metric: a file that the user gave, before card_metric, the file that the model's card names for
    this similarity (with its card_sha256). weights_hash, preprocessing: the embedder's
    ``weights_hash`` and ``preprocessing.signature``; empty for embeddings that were given, whose
    origin is not known.

    UserError: unknown name, no metric, one that is not used, of another kind or another network.
    """
    if name not in SIMILARITIES:
        raise UserError(
            f"unknown similarity {name!r}{nearest(name, SIMILARITIES)} ({', '.join(SIMILARITIES)})"
        )
    if name == "cosine":
        if metric is not None:
            raise UserError(no_effect(metric))
        return Cosine()
    path = metric or card_metric
    if path is None:
        raise UserError(
            f"the similarity {name} needs a metric: make one with `{METRICS[name].how}`, or name "
            "its file with --metric"
        )
    found = load_metric(path, None if metric else card_sha256)
    if found.name != name:
        raise UserError(f"{path}: a metric of kind {found.name}; add --similarity {found.name}")
    found.require(weights_hash, preprocessing)
    return found
