"""Similarities of embeddings: higher is more alike, always."""

from facebench.similarity.pairs import SIMILARITIES, PairSimilarity, pair_scores

__all__ = ["SIMILARITIES", "PairSimilarity", "pair_scores"]
