"""People who look like those that a network will be judged on are left out."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

import facebench.lab.data.sources as data_module
from facebench.base.errors import UserError
from facebench.lab.data.apart import (
    Apart,
    embeddings_of_people,
    identities_near,
    reference_people,
    require_sources,
)
from facebench.lab.data.crops import TrainingCrops, teacher_from
from facebench.lab.data.sources import training_data
from facebench.models.embedders.base import CheckedEmbedder, Preprocessing
from tests.helpers.training_toys import write_people


def crops() -> TrainingCrops:
    """Identity 0 along the first axis, 1 between the first and the second, 2 along the third."""
    targets = np.array([[1, 0, 0], [0.8, 0.6, 0], [0.6, 0.8, 0], [0, 0, 1], [1, 0, 0]], np.float32)
    labels = np.array([0, 1, 1, 2, -1])
    return TrainingCrops(np.zeros((5, 128, 112, 3), np.uint8), labels, targets, ("a", "b", "c"))


def test_who_is_near_is_said_by_the_mean() -> None:
    others = np.array([[0, 1, 0], [0, -1, 0]], np.float32)
    # The mean of identity 1 has a cosine of 0.7 / sqrt(0.7² + 0.7²) to the first of them.
    assert identities_near(crops(), Apart(others), 0.70) == [1]
    assert identities_near(crops(), Apart(others), 0.71) == []
    assert identities_near(crops(), Apart(np.array([[1, 0, 0]], np.float32))) == [0, 1]


def test_embeddings_of_another_teacher_are_refused() -> None:
    with pytest.raises(UserError, match="--teacher"):
        identities_near(crops(), Apart(np.zeros((1, 4), np.float32)))


def test_only_people_of_the_named_sources_are_left_out() -> None:
    """A person with a face in one of them is, too."""
    known = replace(crops(), sources=("fiw", "pins", "fiw", "pins", "fiw"))
    face = np.array([[1, 0, 0]], np.float32)
    assert identities_near(known, Apart(face, ("fiw",))) == [0, 1]
    assert identities_near(known, Apart(face, ("pins",))) == [1]
    assert identities_near(crops(), Apart(face, ("fiw",))) == []
    require_sources(Apart(face, ("fiw",)), known.sources)
    with pytest.raises(UserError, match=r"--apart-source fwi: .*did you mean 'fiw'"):
        require_sources(Apart(face, ("fwi",)), known.sources)
    with pytest.raises(UserError, match="name no sources"):
        require_sources(Apart(face, ("fiw",)), ())


class Colours(CheckedEmbedder):
    """Centred mean colours as embeddings."""

    id, weights_hash, preprocessing = "colours", "0" * 64, Preprocessing(size=(112, 112))
    passes = 0

    def _run(self, faces: np.ndarray) -> np.ndarray:
        self.passes += 1
        means = faces.mean((1, 2)) - 127.5
        return means.astype(np.float32)


def test_the_very_people_are_left_out_of_what_is_learned_and_held_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    everyone, teacher = write_people(tmp_path / "people", people=8), Colours()

    judged = tmp_path / "judged"
    judged.mkdir()
    (everyone / "person3").rename(judged / "person3")
    alike = write_people(tmp_path / "again", people=8)
    people = reference_people(judged)
    found = embeddings_of_people(people, teacher, tmp_path / "cache")
    passes = teacher.passes
    np.testing.assert_array_equal(embeddings_of_people(people, teacher, tmp_path / "cache"), found)
    assert teacher.passes == passes == 1  # and kept
    near = 0.999
    own = [
        name
        for name in sorted(path.name for path in alike.iterdir())
        if _cosine(_mean(alike / name), _mean(judged / "person3")) > near
    ]
    assert "person3" in own
    monkeypatch.setattr(data_module, "identities_near", partial(identities_near, near=near))
    data = training_data(
        [str(alike)],
        4,
        tmp_path / "data",
        teacher_from(teacher),
        hold_out=2,
        apart_from=Apart(found),
    )
    assert data.left_out == len(own)
    assert data.strangers is not None and data.strangers.sum() == 2 * 4
    assert data.classes == 8 - len(own) - 2 and not set(own) & set(data.unseen)
    assert len(data.sources[0][0].images) + len(data.held_out.images) == 4 * (8 - len(own))


def _mean(folder: Path) -> np.ndarray:
    return np.mean(
        [cv2.imread(str(p))[..., ::-1].mean((0, 1)) - 127.5 for p in folder.iterdir()], 0
    )


def _cosine(one: np.ndarray, two: np.ndarray) -> float:
    return float(one @ two / np.linalg.norm(one) / np.linalg.norm(two))
