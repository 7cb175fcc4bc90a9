"""Similarities of embeddings: higher is more alike, always."""

from facebench.similarity.base import Projection, Similarity
from facebench.similarity.cosine import Cosine
from facebench.similarity.scoring import SIMILARITIES, pair_scores

__all__ = ["SIMILARITIES", "Cosine", "Projection", "Similarity", "pair_scores"]
