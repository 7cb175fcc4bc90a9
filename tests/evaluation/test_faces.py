"""What a protocol asked embeddings of, counted as it asks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from facebench.embedding.types import Embeddings
from facebench.evaluation.faces import SubjectFaces


def _faces(names: list[str]) -> SubjectFaces:
    rows = np.arange(2 * len(names), dtype=np.float32).reshape(-1, 2) + 1
    given = Embeddings(tuple(names), rows, np.ones(len(names), np.bool_))
    subject: Any = SimpleNamespace(embeddings=given, embedder=None)
    prepared: Any = SimpleNamespace(keys=("a/1.jpg", "a/2.jpg", "b/1.jpg", "b/2.jpg"))
    settings: Any = SimpleNamespace(on_missing="count")
    return SubjectFaces(subject, prepared, settings)


def test_faces_are_those_that_were_asked_for_not_all_that_there_are() -> None:
    faces = _faces(["a/1.jpg", "b/1.jpg"])
    parts = list(faces.embed.stream(["b/1.jpg", "a/1.jpg", "b/2.jpg"]))
    assert [key for part in parts for key in part.keys] == ["a/1.jpg", "b/1.jpg", "b/2.jpg"]
    assert (faces.asked, faces.failed, faces.dimension) == (3, 1, 2)


def test_whole_and_streamed_embeddings_are_the_same() -> None:
    keys = ["a/1.jpg", "b/1.jpg"]
    faces = _faces(keys)
    whole, (part,) = faces.embed.all(keys), list(faces.embed.stream(keys))
    np.testing.assert_array_equal(whole.vectors, part.vectors)
