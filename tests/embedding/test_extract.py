"""Extraction: the right numbers, told failures, a quiet standard output."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facebench.base.errors import UserError, on_command_line
from facebench.embedding.extract import extract
from facebench.embedding.store import EmbeddingStore
from facebench.embedding.types import ExtractionProfile
from tests.helpers.embedding_toys import SIZE, BlindFaces, Crop, FolderFaces, Linear, LookingFaces
from tests.helpers.sums_of_products import apart

Faces = tuple[FolderFaces, list[str]]


def assert_answers(vectors: np.ndarray, source: FolderFaces, keys: list[str]) -> None:
    """The vectors are the model's answers for the faces, up to the order of its sums."""
    crops = np.stack([source.read(key)[: SIZE[0], : SIZE[1]] for key in keys])
    model, pixels = Linear(), crops.reshape(len(crops), -1)
    assert (np.abs(vectors - model.embed(crops)) <= apart(pixels, model.matrix)).all()


@pytest.mark.any_order
def test_rows_are_the_models_answers_in_the_order_asked_for(faces: Faces) -> None:
    source, keys = faces
    asked = list(np.random.default_rng(3).permutation(keys))
    result = extract(Linear(), source, asked, Crop(), batch=7, workers=0, progress=False)
    assert result.keys == tuple(asked)
    assert result.vectors.dtype == np.float32
    assert result.acquired.all()
    assert_answers(result.vectors, source, asked)


@pytest.mark.any_order
def test_order_and_workers_do_not_change_a_bit(many_faces: Faces) -> None:
    source, keys = many_faces
    plain = extract(Linear(), source, keys, Crop(), workers=0, progress=False)
    ahead = extract(Linear(), source, keys[::-1], Crop(), workers=2, progress=False)
    assert ahead.keys == plain.keys[::-1]
    np.testing.assert_array_equal(ahead.vectors[::-1], plain.vectors)
    assert_answers(plain.vectors[500:530], source, keys[500:530])


def test_batches_start_anew_in_every_shard(many_faces: Faces) -> None:
    source, keys = many_faces
    model = Linear()
    extract(model, source, keys, Crop(), batch=200, workers=0, progress=False)
    assert model.batches == [200, 200, 112, 200, 200, 112, 76]


@pytest.mark.any_order
def test_a_face_that_is_not_found_is_counted_not_dropped(faces: Faces) -> None:
    source, keys = faces
    hidden = frozenset({keys[0], keys[8], *keys[16:24]})  # a whole batch among them
    result = extract(Linear(), source, keys, Crop(hidden), batch=8, workers=0, progress=False)
    assert [key for key, ok in zip(keys, result.acquired, strict=True) if not ok] == sorted(hidden)
    assert not result.vectors[~result.acquired].any()
    seen = [key for key in keys if key not in hidden]
    assert_answers(result.vectors[result.acquired], source, seen)


def test_nobody_found_is_a_result_too(faces: Faces) -> None:
    source, keys = faces
    model = Linear()
    result = extract(model, source, keys, Crop(frozenset(keys)), workers=0, progress=False)
    assert not result.acquired.any() and len(result.vectors) == 40
    assert model.batches == []


@pytest.mark.parametrize("kind", [FolderFaces, LookingFaces])
@pytest.mark.parametrize("stored", [False, True])
def test_absent_images_are_all_told_and_nothing_is_written(
    faces: Faces, tmp_path: Path, kind: type[FolderFaces], stored: bool
) -> None:
    source, keys = faces
    store = EmbeddingStore(tmp_path / "store") if stored else None
    asked = [*keys, *(f"Nobody/Nobody_{number:04d}.jpg" for number in range(5))]
    with pytest.raises(UserError) as caught:
        extract(
            Linear(), kind(source.folder), asked, Crop(), workers=0, store=store, progress=False
        )
    message = str(caught.value)
    assert message.startswith("5 of 45 images of toy cannot be used (Nobody/Nobody_0000.jpg: no")
    assert "and 2 more" in message and "on_missing='count'" in message and "\n" not in message
    assert not list(tmp_path.glob("store/*"))


def test_absent_images_are_found_before_the_network_runs(faces: Faces) -> None:
    source, keys = faces
    model = Linear()
    looking = LookingFaces(source.folder)
    with pytest.raises(UserError, match="1 of 41"):
        extract(model, looking, [*keys, "zz.jpg"], Crop(), workers=0, progress=False)
    assert model.batches == []


@pytest.mark.any_order
@pytest.mark.parametrize("kind", [FolderFaces, LookingFaces])
def test_absent_and_truncated_images_can_be_counted(
    faces: Faces, tmp_path: Path, kind: type[FolderFaces]
) -> None:
    source, keys = faces
    path = source.folder / keys[3]
    path.write_bytes(path.read_bytes()[:-40])
    result = extract(
        Linear(),
        kind(source.folder),
        [*keys, "zz.jpg"],
        Crop(),
        on_missing="count",
        workers=0,
        store=EmbeddingStore(tmp_path / "store"),
        progress=False,
    )
    assert list(np.flatnonzero(~result.acquired)) == [3, 40]
    assert_answers(result.vectors[5:6], source, keys[5:6])


def test_an_unreadable_image_that_is_mended_unseen_is_not_remembered(
    faces: Faces, tmp_path: Path
) -> None:
    source, keys = faces
    blind = BlindFaces(source.folder)
    store = EmbeddingStore(tmp_path / "store")
    path = source.folder / keys[3]
    good = path.read_bytes()
    for content, acquired in ((good[:-40], 39), (good, 40)):
        path.write_bytes(content)
        result = extract(
            Linear(),
            blind,
            keys,
            Crop(),
            on_missing="count",
            workers=0,
            store=store,
            progress=False,
        )
        assert np.count_nonzero(result.acquired) == acquired


def test_truncated_images_stop_the_network_and_leave_nothing(faces: Faces, tmp_path: Path) -> None:
    source, keys = faces
    for number in (10, 39):
        path = source.folder / keys[number]
        path.write_bytes(path.read_bytes()[:-40])
    model = Linear()
    with pytest.raises(UserError, match=r"2 of 40 .*P0002_0002.jpg: truncated; .*P0009_0003.jpg"):
        extract(
            model,
            source,
            keys,
            Crop(),
            batch=4,
            workers=0,
            store=EmbeddingStore(tmp_path / "store"),
            progress=False,
        )
    assert model.batches == [4, 4]
    assert not list((tmp_path / "store").iterdir())


def test_nan_names_the_face_and_the_model_and_leaves_nothing(
    many_faces: Faces, tmp_path: Path
) -> None:
    source, keys = many_faces
    store = EmbeddingStore(tmp_path / "store")
    model = Linear(nan_after=600)
    with pytest.raises(UserError, match="model linear gives NaN or infinity for the face P0"):
        extract(model, source, keys, Crop(), workers=0, store=store, progress=False)
    assert sum(model.batches) > 512  # a first shard had been finished
    assert store.entries() == []


class Brought(Linear):
    """A user's embedder: ``answer`` makes its embeddings of those that are right."""

    def __init__(self, answer: Callable[[np.ndarray], Any]) -> None:
        super().__init__()
        self.answer = answer

    def embed(self, faces: np.ndarray) -> Any:
        return self.answer(super().embed(faces))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda v: v @ np.ones((3, 2)), "failed on 8 faces: ValueError: matmul"),
        (lambda v: {}["first\nsecond"], "failed on 8 faces: KeyError: "),
        (lambda v: v[0], r"gave an array \(8,\) for 8 faces"),
        (lambda v: v[:, :0], r"gave an array \(8, 0\) for 8 faces"),
        (lambda v: [["a"]] * len(v), "gave <U1 numbers; it must give floats"),
        (lambda v: None, r"gave an array \(\)"),
        (lambda v: v.astype(np.float64) * 1e300, "gives NaN or infinity for the face P0000"),
    ],
)
def test_whatever_a_users_model_does_is_one_line(faces: Faces, answer: Any, message: str) -> None:
    source, keys = faces
    with pytest.raises(UserError, match=f"^model linear {message}") as caught:
        extract(Brought(answer), source, keys, Crop(), batch=8, workers=0, progress=False)
    assert "\n" not in str(caught.value)


@pytest.mark.any_order
def test_lists_and_wider_floats_are_taken(faces: Faces) -> None:
    source, keys = faces
    plain = extract(Linear(), source, keys, Crop(), workers=0, progress=False)
    for answer in (np.ndarray.tolist, lambda v: v.astype(np.float64)):
        result = extract(Brought(answer), source, keys, Crop(), workers=0, progress=False)
        assert result.vectors.dtype == np.float32
        np.testing.assert_array_equal(result.vectors, plain.vectors)


def test_a_width_that_changes_between_batches_is_told(faces: Faces) -> None:
    source, keys = faces
    widths = iter((8, 8, 5))
    model = Brought(lambda v: v[:, : next(widths)])
    with pytest.raises(UserError, match=r"^model linear gives embeddings of 5 numbers"):
        extract(model, source, keys, Crop(), batch=8, workers=0, progress=False)


def test_a_width_that_changes_between_shards_leaves_nothing(
    many_faces: Faces, tmp_path: Path
) -> None:
    source, keys = many_faces
    store = EmbeddingStore(tmp_path / "store")
    extract(Linear(), source, keys, Crop(), workers=0, store=store, progress=False)
    next(iter(store.folder.glob("*/shard-00001*"))).unlink()
    narrow = Brought(lambda v: v[:, :3])
    with pytest.raises(UserError, match="of 3 numbers for some faces and of 8 for others"):
        extract(narrow, source, keys, Crop(), workers=0, store=store, progress=False)
    assert store.entries() == []


def test_an_embedder_that_lacks_something_is_refused(faces: Faces) -> None:
    model = Linear()
    model.preprocessing = None  # type: ignore[assignment]
    with pytest.raises(UserError, match=r"needs 'preprocessing'.* but Linear has none"):
        extract(model, faces[0], faces[1], Crop(), workers=0, progress=False)


def test_misuse_is_refused(faces: Faces) -> None:
    source, keys = faces
    with pytest.raises(ValueError, match="distinct"):
        extract(Linear(), source, [*keys, keys[0]], Crop(), progress=False)
    with pytest.raises(UserError, match="batch"):
        extract(Linear(), source, keys, Crop(), batch=0, progress=False)
    with pytest.raises(UserError, match="on_missing"):
        extract(Linear(), source, keys, Crop(), on_missing="drop", progress=False)  # type: ignore[arg-type]


def test_no_keys_give_no_rows(faces: Faces) -> None:
    result = extract(Linear(), faces[0], [], Crop(), workers=0, progress=False)
    assert result.keys == () and len(result.vectors) == len(result.acquired) == 0


def test_profile_adds_up(faces: Faces, tmp_path: Path) -> None:
    source, keys = faces
    store, profile = EmbeddingStore(tmp_path / "store"), ExtractionProfile()
    hidden = Crop(frozenset(keys[:3]))
    for _ in range(2):
        extract(
            Linear(0.02),
            source,
            keys,
            hidden,
            batch=8,
            workers=0,
            store=store,
            progress=False,
            profile=profile,
        )
    assert (profile.embedded, profile.from_store, profile.failed) == (37, 40, 6)
    assert profile.network >= 0.1
    assert profile.network + profile.waiting + profile.store <= profile.total
    assert 0 < profile.network_share < 1
    assert "network" in str(profile)


@pytest.mark.parametrize("progress", [True, False])
@pytest.mark.parametrize("where", [on_command_line, nullcontext])
def test_without_a_terminal_the_command_line_alone_says_what_was_done(
    faces: Faces,
    capfd: pytest.CaptureFixture[str],
    progress: bool,
    where: Callable[[], AbstractContextManager[None]],
) -> None:
    source, keys = faces
    with where():
        extract(Linear(), source, keys, Crop(frozenset(keys[:1])), workers=0, progress=progress)
    out, err = capfd.readouterr()
    told = progress and where is on_command_line
    assert out == ""
    assert err.count("\n") == int(told)
    assert ("linear on toy: 39 faces embedded" in err) == told
    assert ("1 not acquired" in err) == told
