"""Batched inference and the embedding store."""
