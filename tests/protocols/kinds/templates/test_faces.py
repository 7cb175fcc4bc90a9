"""Faces of template lists: what must not be evaluated in silence."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.embedding.extract import extract
from facebench.embedding.store import EmbeddingStore
from facebench.models.embedders.base import Embedder, Preprocessing
from facebench.protocols.cards import TemplateCard, TemplateSearchCard, load_protocol
from facebench.protocols.kinds.templates import search as template_search
from facebench.protocols.kinds.templates import verification as template
from facebench.protocols.kinds.templates.verification import prepare
from facebench.protocols.settings import Settings
from tests.helpers.ijb_folders import write_ijba, write_ijbc

IJBA = load_protocol("ijba").model_copy(update={"splits": 2})
SEARCH = load_protocol("ijba-search").model_copy(update={"splits": 2})
IJBC = load_protocol("ijbc")
assert isinstance(IJBA, TemplateCard) and isinstance(IJBC, TemplateCard)
assert isinstance(SEARCH, TemplateSearchCard)


SIZE = (14, 12)


class Means(Embedder):
    """Mean of every channel; counts the faces it saw."""

    id, weights_hash, preprocessing = "means", "f" * 64, Preprocessing(size=SIZE)

    def __init__(self) -> None:
        self.seen = 0

    def forward(self, faces: np.ndarray) -> np.ndarray:
        self.seen += len(faces)
        return faces.mean(axis=(1, 2)).astype(np.float32) + 1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_ijba(tmp_path / "ijba")


def replace_boxes(folder: Path, new: str) -> None:
    """Another box for img/3.jpg, which is all of template 21."""
    for path in folder.glob("IJB-A_11_sets/*/verify_metadata_*.csv"):
        path.write_text(path.read_text().replace(",8,8,20,20,", f",{new},"))


def test_trap_a_box_outside_its_image_is_refused_or_counted(folder: Path, tmp_path: Path) -> None:
    replace_boxes(folder, "9000,9000,110,110")
    store = EmbeddingStore(tmp_path / "store")
    prepared = prepare(IJBA, folder, images=True)
    with pytest.raises(UserError, match=r"1 of 8 .* \(img/3\.jpg: .* 9000,9000,110,110 is inside"):
        extract(
            Means(),
            prepared.faces.source,
            prepared.faces.keys,
            prepared.faces.aligner,
            workers=0,
            store=store,
        )
    prepared = prepare(IJBA, folder, Settings(on_missing="count"), images=True)
    for _ in range(2):
        model = Means()
        found = extract(
            model,
            prepared.faces.source,
            prepared.faces.keys,
            prepared.faces.aligner,
            workers=0,
            store=store,
            on_missing="count",
        )
        assert [key for key, ok in zip(found.keys, found.acquired, strict=True) if not ok] == [
            "img/3.jpg"
        ]
    assert model.seen == 0  # the second time everything was in the store
    assert (
        prepared.faces.aligner("img/1.jpg", np.zeros((64, 80, 3), np.uint8), SIZE).shape[:2] == SIZE
    )


def test_a_row_without_a_box_is_refused_or_counted(folder: Path) -> None:
    replace_boxes(folder, ",,,")
    with pytest.raises(UserError, match=r"1 \(img/3\.jpg\) of 8 faces have no face box"):
        prepare(IJBA, folder, images=True)
    prepared = prepare(IJBA, folder, Settings(on_missing="count"), images=True)
    assert prepared.faces.aligner("img/3.jpg", np.zeros((64, 80, 3), np.uint8), SIZE) is None
    assert prepare(IJBA, folder, images=False).faces.aligner is None  # nothing to cut out


def test_absent_landmarks_of_ijbc_are_an_error(tmp_path: Path) -> None:
    folder = write_ijbc(tmp_path / "IJBC")
    points = folder / "meta/ijbc_name_5pts_score.txt"
    points.unlink()
    with pytest.raises(UserError, match=f"landmarks absent: add {points}, or choose detector="):
        prepare(IJBC, folder, images=True)
    prepared = prepare(IJBC, folder, Settings(align="centre"), images=True)
    assert prepared.faces.aligner.signature.startswith("centre-crop(")
    assert prepare(IJBC, folder, images=False).faces.aligner is None


@pytest.mark.parametrize("on_missing", ["error", "count"])
def test_an_absent_folder_of_images_is_named(tmp_path: Path, on_missing: str) -> None:
    ijba = write_ijba(tmp_path / "ijba", images=False)
    ijbc = write_ijbc(tmp_path / "IJBC", images=False)
    for card, folder, name in ((IJBA, ijba, "images"), (IJBC, ijbc, "loose_crop")):
        with pytest.raises(UserError, match=f"there is no folder {folder / name}, which the imag"):
            prepare(card, folder, Settings(on_missing=on_missing), images=True)
        prepare(card, folder, images=False)  # embeddings need none


def test_images_beside_the_lists(tmp_path: Path) -> None:
    folder = write_ijba(tmp_path / "ijba", images=False)
    (folder / "img").mkdir()
    with pytest.raises(UserError, match="8 of 8 images of ijba cannot be used"):
        prepare(IJBA, folder, images=True)


@pytest.mark.parametrize(("card", "ready"), [(IJBA, prepare), (SEARCH, template_search.prepare)])
def test_a_small_folder_of_ijba_is_not_the_published_list(
    folder: Path, monkeypatch: pytest.MonkeyPatch, card, ready
) -> None:
    prepared = ready(card, folder, images=True)
    assert prepared.published_list is False
    twin = dataclasses.replace(prepared.faces, kind="synthetic")
    assert dataclasses.replace(prepared, faces=twin).published_list is None
    mine = card.model_copy(update={"dataset": "mine"})
    assert ready(mine, folder, images=True).published_list is None
    for name, counts in (("COMPARISONS", (8, 3)), ("SEARCHES", (2, 4))):
        monkeypatch.setattr(f"facebench.faces.ijb.published.{name}", (counts,) * 10)
    assert prepared.published_list is False  # two splits
    monkeypatch.setattr("facebench.faces.ijb.published.SPLITS", 2)
    assert prepared.published_list is None  # which is not to say that it is the published one
    kind = template if ready is prepare else template_search
    name = "VERIFICATION_FINGERPRINT" if ready is prepare else "SEARCH_FINGERPRINT"
    monkeypatch.setattr(kind, name, prepared.fingerprint)
    assert prepared.published_list is True
