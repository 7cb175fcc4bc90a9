"""Drawings of groups: their rates, the matrix of pairs of groups, and who pays for a model."""
