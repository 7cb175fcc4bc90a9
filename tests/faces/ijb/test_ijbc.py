"""The reader of the lists in which IJB-B and IJB-C circulate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.faces.ijb.ijbc import meta_folder, read_face_points, read_ijbc
from tests.helpers.ijb_folders import write_ijbc

FACES, PAIRS, POINTS = (
    f"meta/ijbc_{name}.txt" for name in ("face_tid_mid", "template_pair_label", "name_5pts_score")
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_ijbc(tmp_path / "IJBC", images=False)


def refused(folder: Path, *words: str) -> None:
    with pytest.raises(UserError) as error:
        read_ijbc(folder / "meta", "ijbc")
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


def test_the_lists(folder: Path) -> None:
    pairs = read_ijbc(folder / "meta", "ijbc")
    templates = pairs.templates
    assert templates.ids.tolist() == [5, 9, 12] and templates.subjects is None
    assert templates.keys == ("1.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg")
    assert templates.row_template.tolist() == [0, 0, 1, 2, 2]
    assert templates.medium_template.tolist() == [0, 0, 1, 2]
    assert pairs.left.tolist() == [0, 0, 1] and pairs.right.tolist() == [1, 2, 2]
    assert pairs.mated.tolist() == [True, False, False]


def test_where_the_lists_may_lie(folder: Path) -> None:
    assert meta_folder(folder, "ijbc") == folder / "meta"
    assert meta_folder(folder.parent, "ijbc") == folder / "meta"
    assert meta_folder(folder, "ijbb") is None


def test_trap_unknown_template_id_never_maps_to_row_0(folder: Path) -> None:
    for number in (7, 99, 0):
        (folder / PAIRS).write_text(f"5 9 1\n5 12 0\n5 {number} 0\n")
        refused(folder, f"{PAIRS}, line 3: template {number} has no face in ijbc_face_tid_mid.txt")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5 9 1\n5 12 2\n", ", line 2: the label is 2; it must be 0 or 1"),
        ("5 9 1\n5 12\n", ", line 2: expected two template numbers and a label, not '5 12'"),
        ("5 9 1\n5 12 0 4\n", ", line 2: expected two template numbers and a label"),
        ("5 9 1\n5 -12 0\n", ", line 2: expected two template numbers and a label"),
        ("5 9 1\n5 x 0\n", ", line 2: expected two template numbers and a label"),
        ("5 9 1\n\n5 12 0\n", ", line 2: expected two template numbers and a label"),
        ("5 9 1\n99999999999 9 0\n", ", line 2: expected two template numbers and a label"),
        ("5 9 1\n5 12 0\n12 12 1\n", ", line 3: a template is compared with itself"),
        ("5 9 1\n", ": all 1 comparisons are mated"),
        ("", " is empty"),
        ("5 9 1\n5 \xe9 0\n", ", line 2: expected two template numbers and a label"),
    ],
)
def test_malformed_pairs(folder: Path, text: str, message: str) -> None:
    (folder / PAIRS).write_bytes(text.encode("latin-1"))
    refused(folder, PAIRS + message)


@pytest.mark.parametrize("separate", ["\t", "  ", ","])
def test_pairs_with_other_separators(folder: Path, separate: str) -> None:
    expected = read_ijbc(folder / "meta", "ijbc").digest()
    text = (folder / PAIRS).read_text()
    (folder / PAIRS).write_text(text.replace(" ", separate))
    assert read_ijbc(folder / "meta", "ijbc").digest() == expected
    (folder / PAIRS).write_text(text.rstrip())  # no newline at the end
    assert read_ijbc(folder / "meta", "ijbc").digest() == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "1.jpg 5 50\n2.jpg 9\n",
            ", line 2: expected an image, a template number and a medium number",
        ),
        ("1.jpg 5 50\n2.jpg nine 1\n", ", line 2: expected an image, a template number"),
        ("1.jpg 5 50\n2.jpg 9999999999 1\n", ", line 2: the number is too large"),
        ("", " is empty"),
    ],
)
def test_malformed_faces(folder: Path, text: str, message: str) -> None:
    (folder / FACES).write_text(text)
    refused(folder, FACES + message)


def test_faces_with_nul_bytes(folder: Path) -> None:
    (folder / FACES).write_bytes(b"1.jpg 5 50\n2\0.jpg 5 51\n")
    refused(folder, f"{FACES}, line 2: holds NUL bytes")


def test_faces_that_are_not_utf_8(folder: Path) -> None:
    (folder / FACES).write_bytes(b"1.jpg 5 50\n\xff.jpg 5 50\n")
    refused(folder, f"{FACES}, line 2: not UTF-8")


def test_points_and_scores(folder: Path) -> None:
    found = read_face_points(folder / POINTS)
    assert found.scores["2.jpg"] == 0.92
    assert np.array_equal(found.landmarks["1.jpg"][0], [30.3, 51.7])
    assert read_face_points(folder / "absent.txt") is None


@pytest.mark.parametrize(
    ("line", "number"),
    [("9.jpg 1 2 3", 6), ("9.jpg " + "1 " * 10 + "0.9", 6), ("9.jpg " + "x " * 10 + "0.9", 6)],
)
def test_malformed_points(folder: Path, line: str, number: int) -> None:
    with (folder / POINTS).open("a") as file:
        file.write(line + "\n")
    with pytest.raises(
        UserError, match=f"name_5pts_score.txt, line {number}: expected an image, x y"
    ):
        read_face_points(folder / POINTS)


def test_points_of_a_face_twice(folder: Path) -> None:
    text = (folder / POINTS).read_text()
    (folder / POINTS).write_text(text + text.splitlines()[1] + "\n")
    with pytest.raises(UserError, match=r", line 6: the face 2.jpg has a row already"):
        read_face_points(folder / POINTS)
