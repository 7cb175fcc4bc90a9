"""All images of a data set, without a list of pairs."""

from __future__ import annotations

from pathlib import Path

import pytest

from facebench.base.errors import UserError
from facebench.base.storage import data_folder
from facebench.faces.locate import locate_images


def test_every_image_of_a_folder_without_any_list(small_lfw: Path) -> None:
    (small_lfw / "pairs.txt").unlink()
    (small_lfw / "lfw" / "Person_A" / "Person_A_0003.jpg").write_bytes(b"x")
    located = locate_images("lfw", small_lfw)
    assert len(located.keys()) == 9 and located.source.kind == "real" and not located.aligned
    assert located.landmarks is None and located.notice is None
    (small_lfw / "landmarks.txt").write_text("x")
    assert locate_images("lfw", small_lfw).landmarks == small_lfw / "landmarks.txt"


def test_what_is_installed_is_found(small_lfw: Path) -> None:
    data_folder().mkdir(parents=True)
    small_lfw.rename(data_folder() / "lfw")
    assert len(locate_images("lfw").keys()) == 8


def test_rendered_faces_keep_their_notice(small_twin: Path) -> None:
    located = locate_images("lfw", small_twin)
    assert located.source.kind == "synthetic" and located.aligned
    assert located.notice is not None and located.notice.startswith("SYNTHETIC FACES in")


def test_photographs_and_rendered_faces_are_never_mixed(small_lfw: Path, small_twin: Path) -> None:
    (small_twin / "COMPLETE.json").unlink()
    with pytest.raises(UserError, match=r"lost their COMPLETE\.json"):
        locate_images("lfw", small_twin)
    (small_lfw / "lfw" / "Synth_00001").mkdir()
    (small_lfw / "lfw" / "Synth_00001" / "Synth_00001_0001.jpg").write_bytes(b"x")
    with pytest.raises(UserError, match="never mixed"):
        locate_images("lfw", small_lfw)


def test_data_that_do_not_name_people_are_refused(tmp_path: Path) -> None:
    (tmp_path / "lfw.bin").write_bytes(b"x")
    for data in (tmp_path, tmp_path / "lfw.bin"):
        with pytest.raises(UserError, match="does not say who is in its images"):
            locate_images("lfw", data)
    with pytest.raises(UserError, match="there is no folder"):
        locate_images("lfw", tmp_path / "absent")
    with pytest.raises(UserError, match="no images in the layout"):
        (tmp_path / "empty").mkdir()
        locate_images("lfw", tmp_path / "empty")
