"""Faces with identities: what a folder, an index and the renderer give."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.faces.people import AlignedCrop, ZippedCrops
from facebench.faces.synthetic import render
from facebench.faces.types import ImageError
from facebench.lab.data.labelled import (
    SYNTHETIC_FIRST,
    RenderedPeople,
    labelled_faces,
    read_identities,
)


def encoded(value: int) -> bytes:
    image = np.full((128, 112, 3), (value, 10, 200), dtype=np.uint8)
    return cv2.imencode(".png", image)[1].tobytes()


@pytest.fixture
def index(tmp_path: Path) -> Path:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(3):
            archive.writestr(f"a/{number}.png", encoded(number))
    rows = "file,source,identity\na/0.png,a,x\na/1.png,a,y\na/2.png,a,\na/9.png,a,x\n"
    (tmp_path / "index.csv").write_text(rows)
    return tmp_path / "index.csv"


def test_an_index_gives_rows_with_an_identity(index: Path) -> None:
    faces = labelled_faces(str(index.parent))
    assert faces.keys == ("a/0.png", "a/1.png", "a/9.png") and faces.identities == ("x", "y", "x")
    image = faces.source.read("a/1.png")
    assert image.shape == (128, 112, 3) and image[0, 0].tolist() == [200, 10, 1]
    assert faces.restricted(["y"], "only y").keys == ("a/1.png",)


def test_an_index_reads_zips_in_another_process_and_tells_what_is_absent(index: Path) -> None:
    source = ZippedCrops(index)
    source.read("a/0.png")
    other = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(other.read("a/0.png"), source.read("a/0.png"))
    with pytest.raises(ImageError, match=r"a\.zip"):
        source.read("a/9.png")
    before = source.fingerprint(source.keys())
    with zipfile.ZipFile(index.parent / "a.zip", "w") as archive:
        archive.writestr("a/0.png", encoded(77))
    assert ZippedCrops(index).fingerprint(source.keys()) != before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,source\na/0.png,a\n", "columns file, source and identity"),
        ("file,source,identity\na/0.png,a,\n", "no row has an identity"),
        ("file,source,identity\na/0.png,b,x\n", r"b\.zip: cannot be read"),
    ],
)
def test_a_wrong_index_is_one_line(index: Path, text: str, message: str) -> None:
    index.write_text(text)
    with pytest.raises(UserError, match=message):
        labelled_faces(str(index))


def test_rendered_people_are_the_renderer_s_and_for_training_only() -> None:
    faces = labelled_faces("synthetic", synthetic_identities=3)
    assert len(faces.keys) == 36 and len(set(faces.identities)) == 3
    assert faces.source.kind == "synthetic"
    expected = render(0, SYNTHETIC_FIRST + 1, 2)
    np.testing.assert_array_equal(faces.source.read(faces.keys[14]), expected)
    assert faces.source.fingerprint(faces.keys) != faces.source.fingerprint(faces.keys[:3])
    with pytest.raises(UserError, match="at most 500,000"):
        RenderedPeople(range(SYNTHETIC_FIRST, 1_000_001), 2)


def test_crops_of_a_size_that_is_no_crop_are_refused() -> None:
    align = AlignedCrop()
    crop = np.zeros((128, 112, 3), dtype=np.uint8)
    assert align("x", crop, (112, 96)).shape == (112, 96, 3)
    with pytest.raises(UserError, match="x is 250x250; an aligned crop is"):
        align("x", np.zeros((250, 250, 3), dtype=np.uint8), (112, 96))


def test_lists_of_identities(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("b\n a \n\nb\n")
    assert read_identities(path) == ["b", "a"]
    path.write_text("\n")
    with pytest.raises(UserError, match="empty"):
        read_identities(path)
    with pytest.raises(UserError, match="cannot read"):
        read_identities(tmp_path / "absent")


def test_an_index_names_zips_beside_it_alone(index: Path) -> None:
    index.write_text(index.read_text().replace(",a,", ",../a,"))
    with pytest.raises(UserError, match=r"source '\.\./a' is no name of a file"):
        ZippedCrops(index)
