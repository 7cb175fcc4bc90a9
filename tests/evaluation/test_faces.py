"""What a protocol asked embeddings of, counted as it asks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from facebench.embedding.types import Embeddings, joined
from facebench.evaluation.faces import CandidateFaces


def _faces(names: list[str], asked: list[str]) -> CandidateFaces:
    rows = np.arange(2 * len(names), dtype=np.float32).reshape(-1, 2) + 1
    given = Embeddings(tuple(names), rows, np.ones(len(names), np.bool_))
    candidate: Any = SimpleNamespace(embeddings=given, embedder=None)
    prepared: Any = SimpleNamespace(keys=lambda settings: asked)
    settings: Any = SimpleNamespace(on_missing="count")
    return CandidateFaces(candidate, prepared, settings)


def test_faces_are_those_that_were_asked_for_not_all_that_there_are() -> None:
    faces = _faces(["a/1.jpg", "a/2.jpg", "b/1.jpg"], ["a/1.jpg", "b/1.jpg", "b/2.jpg"])
    parts = list(faces.embeddings())
    assert [key for part in parts for key in part.keys] == ["a/1.jpg", "b/1.jpg", "b/2.jpg"]
    assert (faces.asked, faces.failed, faces.dimension) == (3, 1, 2)


def test_many_faces_come_in_parts_and_none_is_lost() -> None:
    names = [f"{number:05d}.jpg" for number in range(1300)]
    parts = list(_faces(names, names).embeddings())
    assert [len(part.keys) for part in parts] == [512, 512, 276]
    whole = joined(parts)
    assert whole.keys == tuple(names)
    np.testing.assert_array_equal(whole.vectors, np.arange(2600).reshape(-1, 2) + 1)
