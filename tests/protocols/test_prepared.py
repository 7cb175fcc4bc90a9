"""A protocol with its faces, or with its lists alone."""

from __future__ import annotations

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.faces.twins.lfw import twin_name
from facebench.protocols.cards import VerificationCard, load_protocol
from facebench.protocols.kinds.verification import prepare
from facebench.protocols.prepared import SYNTHETIC_NOTICE
from facebench.protocols.settings import Settings


def card(name: str = "lfw") -> VerificationCard:
    found = load_protocol(name)
    assert isinstance(found, VerificationCard)
    return found


def pairs(folder: Path, a: str, b: str) -> Path:
    path = folder / "pairs.txt"
    path.write_text(f"2\t1\n{a}\t1\t2\n{a}\t1\t{b}\t1\n{b}\t1\t2\n{b}\t1\t{a}\t2\n")
    return path


def test_lists_alone_are_enough_for_embeddings(tmp_path: Path) -> None:
    files = (None, Settings(pairs=pairs(tmp_path, "Ann", "Bob")))
    prepared = prepare(card(), *files, images=False)
    assert prepared.faces.source is None and prepared.faces.aligner is None
    assert (prepared.faces.label, prepared.faces.kind, prepared.faces.notice) == (
        "lfw-unseen",
        "real",
        None,
    )
    assert len(prepared.comparisons) == 4


def test_rendered_faces_are_known_by_their_names(tmp_path: Path) -> None:
    files = (None, Settings(pairs=pairs(tmp_path, twin_name(1), twin_name(2))))
    prepared = prepare(card(), *files, images=False)
    assert prepared.faces.kind == "synthetic" and prepared.faces.notice == SYNTHETIC_NOTICE
    assert prepared.faces.told is None  # more than the notice
    assert prepared.faces.label == "synthetic-lfw-unseen"


def test_a_list_of_both_kinds_is_refused_without_images_too(tmp_path: Path) -> None:
    for a, b in (("Ann", twin_name(2)), (twin_name(2), "Ann")):
        with pytest.raises(UserError, match=r"pairs\.txt names synthetic faces .*never mixed"):
            prepare(card(), None, Settings(pairs=pairs(tmp_path, a, b)), images=False)


def test_only_the_published_list_is_one(tmp_path: Path) -> None:
    files = (None, Settings(pairs=pairs(tmp_path, "Ann", "Bob")))
    ours = prepare(card(), *files, images=False)
    assert ours.published_list is False
    same = card().model_copy(update={"pairs": ours.comparisons.fingerprint})
    assert prepare(same, *files, images=False).published_list is True
    own = card().model_copy(update={"pairs": None})
    assert prepare(own, *files, images=False).published_list is None
    # The published form of the others is a .bin file; nothing shows that a list of names is it.
    assert prepare(card("agedb-30"), *files, images=False).published_list is False
    rendered = (None, Settings(pairs=pairs(tmp_path, twin_name(1), twin_name(2))))
    assert prepare(card(), *rendered, images=False).published_list is None


def test_a_bin_file_numbers_its_images_so_no_one_can_tell(tmp_path: Path) -> None:
    faces = (np.full((112, 112, 3), grey, np.uint8) for grey in range(20))
    images = [cv2.imencode(".jpg", face)[1].tobytes() for face in faces]
    path = tmp_path / "lfw.bin"
    path.write_bytes(pickle.dumps((images, [True, False] * 5)))
    assert prepare(card(), path, images=True).published_list is None


def test_the_official_list_is_the_published_one(shared_data: Path) -> None:
    official = shared_data / "protocols" / "lfw_pairs.txt"
    prepared = prepare(card(), None, Settings(pairs=official), images=False)
    assert prepared.published_list is True
    mini = prepare(card(), shared_data / "lfw-mini", images=True)
    assert mini.published_list is False


def test_embeddings_without_any_list() -> None:
    with pytest.raises(UserError, match="name it with pairs=, or the images with data="):
        prepare(card(), None, images=False)


def test_data_that_are_not_installed_say_where_they_are_had() -> None:
    with pytest.raises(UserError, match=r"cfp_fp\.bin"):
        prepare(card("cfp-fp"), None, images=True)


def test_real_faces_have_the_fingerprint_of_their_contents(shared_data: Path) -> None:
    prepared = prepare(card(), shared_data / "lfw-mini", images=True)
    assert len(prepared.comparisons) == 600 and len(prepared.comparisons.keys) == 901
    assert prepared.comparisons.subjects is not None
    assert prepared.faces.label.startswith("lfw-") and prepared.faces.told is None
    assert prepared.faces.aligner is not None and prepared.faces.aligner.signature.startswith(
        "landmarks-5pt("
    )
