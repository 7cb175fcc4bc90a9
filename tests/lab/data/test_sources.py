"""Training data as users write it: folders, indices, synthetic; mixed by weight; held out."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.faces.synthetic import render
from facebench.lab.data.augment import make_batch
from facebench.lab.data.crops import RenderedCrops, Teacher
from facebench.lab.data.sources import DataSpec, _counts, parse_source, training_data
from tests.helpers.training_toys import write_people


@pytest.mark.parametrize(
    "text, spec",
    [
        ("../train:3", DataSpec("../train", 3)),
        ("synthetic", DataSpec("synthetic", 1)),
        ("synthetic:0.5", DataSpec("synthetic", 0.5)),
        ("/data/a:b", DataSpec("/data/a:b", 1)),
    ],
)
def test_sources(text: str, spec: DataSpec) -> None:
    assert parse_source(text) == spec


@pytest.mark.parametrize("text", ["a:0", "a:-1", "a:inf", "a:nan"])
def test_impossible_weights(text: str) -> None:
    with pytest.raises(UserError, match="positive"):
        parse_source(text)


def test_weights_share_a_batch() -> None:
    assert _counts([3, 1], 64) == [48, 16]
    assert _counts([1000, 1], 10) == [9, 1]
    assert _counts([1, 1, 1], 64) == [22, 21, 21]
    with pytest.raises(UserError, match="no room"):
        _counts([1, 1], 1)


def test_a_folder_per_identity_is_decoded_once_and_split(tmp_path: Path) -> None:
    folder = write_people(tmp_path / "people", people=20)
    data = training_data([str(folder)], 8, tmp_path / "cache")
    (learned, count) = data.sources[0]
    assert count == 8 and data.classes == learned.classes == 18
    assert len(learned.images) + len(data.held_out.images) == 80
    assert sorted(set(learned.labels.tolist())) == list(range(18))
    again = training_data([str(folder)], 8, tmp_path / "cache")
    assert np.array_equal(again.sources[0][0].labels, learned.labels)
    assert again.settings == data.settings
    shutil.rmtree(folder / "person3")
    fewer = training_data([str(folder)], 8, tmp_path / "cache")
    assert fewer.classes == 18 and len(fewer.unseen) == 1  # a tenth of 19
    assert fewer.settings != data.settings and fewer.real != data.real
    # Nobody is on both sides: colours tell people.
    own = {tuple(np.asarray(image).mean((0, 1)).round(-1)) for image in _images(learned)}
    held = [
        tuple(np.asarray(data.held_out.images[i]).mean((0, 1)).round(-1))
        for i in np.flatnonzero(data.held_out.labels >= 0)
    ]
    assert held and sum(colour in own for colour in held) <= 2  # 2% of the other crops


def _images(crops):
    return [crops.images[i] for i in range(len(crops.images))]


def test_faces_of_the_template_get_a_margin(tmp_path: Path) -> None:
    folder = write_people(tmp_path / "people", size=(112, 96))
    data = training_data([str(folder)], 8, tmp_path / "cache")
    image = data.sources[0][0].images[0]
    assert image.shape == (128, 112, 3)
    assert np.array_equal(image[0], image[8])
    assert next(data.held_out_faces()).shape[1:] == (112, 96, 3)


def test_folders_that_hold_nothing_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="nor folders of identities"):
        training_data([str(tmp_path / "empty")], 8, tmp_path / "cache")
    with pytest.raises(UserError, match="no such folder"):
        training_data([str(tmp_path / "absent")], 8, tmp_path / "cache")
    with pytest.raises(UserError, match="64x64"):
        training_data([str(write_people(tmp_path / "p", size=(64, 64)))], 8, tmp_path / "cache")
    with pytest.raises(UserError, match="--data"):
        training_data([], 8, tmp_path / "cache")


def test_rendered_crops_are_the_renderers_and_made_when_asked() -> None:
    crops = RenderedCrops(0, 6, 3)
    assert len(crops) == 18 and not crops._made
    assert np.array_equal(crops[7], render(0, 2, 1)) and crops.labels[7] == 2
    assert len(crops._made) == 1
    with pytest.raises(IndexError):
        crops[18]


def test_as_many_identities_are_held_out_as_asked_and_named(tmp_path: Path) -> None:
    folder = write_people(tmp_path / "people", people=20)
    few = training_data([str(folder)], 8, tmp_path / "cache")
    data = training_data([str(folder)], 8, tmp_path / "cache", hold_out=7)
    assert (few.classes, len(few.unseen)) == (18, 2)
    assert (data.classes, len(data.unseen)) == (13, 7)
    assert set(few.unseen) <= set(data.unseen) <= {f"person{i}" for i in range(20)}
    names = sorted(f"person{i}" for i in range(20))
    people = [names.index(name) for name in data.unseen]
    held = data.held_out.labels
    assert {int(label) for label in held} >= set(people)
    for person in people:  # all of their images
        assert (held == person).sum() == 4
    with pytest.raises(UserError, match="leave at least 2"):
        training_data([str(folder)], 8, tmp_path / "cache", hold_out=19)


def test_the_last_of_the_rendered_people_are_held_out_and_no_other_image() -> None:
    data = training_data(["synthetic"], 8, Path("unused"), identities=10, images=3, hold_out=4)
    (learned, _) = data.sources[0]
    assert learned.labels.tolist() == [i // 3 for i in range(18)] and not data.unseen
    assert np.array_equal(learned.images[17], render(0, 5, 2))
    assert data.held_out.labels.tolist() == [6 + i // 3 for i in range(12)]
    assert np.array_equal(data.held_out.images[0], render(0, 6, 0))


def test_synthetic_and_real_mix_in_batches(tmp_path: Path) -> None:
    folder = write_people(tmp_path / "people", people=10)
    data = training_data(
        [f"{folder}:3", "synthetic:1"], 8, tmp_path / "cache", identities=6, images=2
    )
    batch = make_batch(data.sources, 0, 0)
    assert [count for _, count in data.sources] == [6, 2]
    assert batch.faces.shape == (8, 112, 96, 3)
    assert (batch.labels[6:] >= 9).all() and (batch.labels[:6] < 9).all()
    # Rendered people are held out, too, and the figures are of the real ones alone.
    assert data.strangers is not None and set(data.held_out.labels[data.strangers]) < set(range(10))
    rendered = training_data(["synthetic"], 8, Path("unused"), identities=10, images=3)
    assert rendered.strangers is not None and rendered.strangers.all()


def test_a_teacher_gives_unit_targets(tmp_path: Path) -> None:
    folder = write_people(tmp_path / "people")
    first_values = lambda crops: crops.reshape(len(crops), -1)[:, :5].astype(np.float32) + 1  # noqa: E731
    data = training_data([str(folder)], 8, tmp_path / "cache", Teacher(first_values, "a"))
    targets = data.sources[0][0].targets
    assert data.embedding == 5 and np.allclose(np.linalg.norm(targets, axis=1), 1, atol=1e-5)


def test_what_a_training_depends_on_is_told_by_content(tmp_path: Path) -> None:
    folder, cache = write_people(tmp_path / "people", people=20), tmp_path / "cache"
    shutil.copytree(folder, tmp_path / "b" / "people")

    def settings(place: Path = folder, hold_out: int | None = None, batch: int = 8) -> object:
        return training_data([str(place)], batch, cache, hold_out=hold_out).settings

    assert settings() == settings(tmp_path / "b" / "people")
    assert settings() == settings(hold_out=2)  # a tenth of 20, as without being asked
    (tmp_path / "b" / "people" / "person3" / "0.png").unlink()
    others = [settings(tmp_path / "b" / "people"), settings(hold_out=3), settings(batch=4)]
    assert settings() not in others


def test_who_is_learned_from_one_source_is_not_unseen_though_held_out_of_another(
    tmp_path: Path,
) -> None:
    first, second = (write_people(tmp_path / name, people=20) for name in ("a", "b"))
    data = training_data([str(first), str(second)], 8, tmp_path / "cache", hold_out=5)
    alone = training_data([str(first)], 8, tmp_path / "cache", hold_out=5)
    assert len(alone.unseen) == 5 and len(set(data.unseen) - set(alone.unseen)) == 0
    assert len(data.unseen) < 5  # the two draws differ
