"""Lists in the other forms that circulate, each in exactly the published layout."""

from __future__ import annotations

from pathlib import Path

import pytest

from facebench.base.errors import UserError
from facebench.faces.lfw.forms import NO_PEOPLE
from facebench.faces.lfw.lists import PairList
from facebench.faces.tables.lists import Listing

LFW = "2\t2\nA\t1\t2\nB\t1\t2\nA\t1\tB\t1\nB\t1\tA\t2\nC\t1\t2\nD\t1\t2\nC\t1\tD\t1\nD\t1\tC\t2\n"


def read(folder: Path, text: str, folds: int = 2) -> PairList:
    path = folder / "list.txt"
    path.write_text(text, "utf-8")
    return Listing(folds=folds).read(path)


def told(found: PairList) -> list[tuple[str, str, bool, int, str, str]]:
    return [
        (p.left_key, p.right_key, p.mated, p.fold, p.left_person, p.right_person)
        for p in found.pairs
    ]


def test_rfw_is_lfws_list_without_its_header(tmp_path: Path) -> None:
    text = LFW.partition("\n")[2].replace("A", "m.0xnkj").replace("B", "m.01_2")
    found = read(tmp_path, text)
    with_header = read(tmp_path, f"2\t2\n{text}")
    assert found == with_header and found.folds == 2
    assert found.pairs[0].left_key == "m.0xnkj/m.0xnkj_0001.jpg"


def test_calfw_and_cplfw_have_two_lines_a_pair(tmp_path: Path) -> None:
    # All mated pairs, then all others; CPLFW's numbers have one digit.
    text = "A_B_1.jpg 1\nA_B_2.jpg 1\nC_D_1.jpg 2\nC_D_2.jpg 2\n"
    text += "A_B_1.jpg 0\nE_F_0001.jpg 0\nC_D_1.jpg 0\nG_H_0001.jpg 0\n"
    found = read(tmp_path, text)
    assert told(found) == [
        ("A_B_1.jpg", "A_B_2.jpg", True, 0, "A_B", "A_B"),
        ("C_D_1.jpg", "C_D_2.jpg", True, 1, "C_D", "C_D"),
        ("A_B_1.jpg", "E_F_0001.jpg", False, 0, "A_B", "E_F"),
        ("C_D_1.jpg", "G_H_0001.jpg", False, 1, "C_D", "G_H"),
    ]
    assert found.cut and found.remarks == ()


def test_sllfw_has_two_lines_a_pair_and_no_labels(tmp_path: Path) -> None:
    text = "A/A_0001.jpg\nA/A_0002.jpg\nA/A_0001.jpg\nB/B_0001.jpg\n"
    text += "C/C_0001.jpg\nC/C_0002.jpg\nC/C_0001.jpg\nD/D_0001.jpg\n"
    found = read(tmp_path, text)
    assert [(p.mated, p.fold, p.right_person) for p in found.pairs] == [
        (True, 0, "A"), (False, 0, "B"), (True, 1, "C"), (False, 1, "D"),
    ]  # fmt: skip
    assert not found.cut


def test_mlfw_has_a_line_a_pair_with_its_label(tmp_path: Path) -> None:
    text = "A_B_0001_0001.jpg\tA_B_0002_0003.jpg\t1\nC_0001_0001.jpg\tD_0001_0001.jpg\t0\n"
    found = read(tmp_path, text)
    assert [(p.mated, p.left_person, p.right_person) for p in found.pairs] == [
        (True, "A_B", "A_B"), (False, "C", "D"),
    ]  # fmt: skip


def test_names_that_contradict_the_labels_say_nobody(tmp_path: Path) -> None:
    found = read(tmp_path, "a.jpg b.jpg 1\nc.jpg d.jpg 0\n")
    assert found.remarks == (NO_PEOPLE,)
    assert [p.right_person for p in found.pairs] == ["a.jpg", "d.jpg"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A_1.jpg 1\nA_2.jpg 1\nB_1.jpg 0\n", "line 3: half of a pair"),
        ("A_1.jpg 1\nA_2.jpg 0\n", "line 2: the two images of a pair have the labels 1 and 0"),
        ("A_1.jpg 1\nA_2.jpg\n", "line 2: expected an image and its pair's label"),
        ("A/A_1.jpg\nA_2.jpg\n", "line 2: expected an image in its person's folder"),
        ("a.jpg b.jpg 1\na.jpg 1\n", "line 2: expected two images and their label"),
        ("a.jpg a.jpg 1\n", "line 1: a pair of the image a.jpg with itself"),
        ("A 1 2\nA 1 B 2 3\n", "line 2: expected a non-mated pair"),
        ("A_1.jpg 1\nA_2.jpg 1\n\nB_1.jpg 0\nC_1.jpg 0\n", "line 3: an empty line in the middle"),
        ("A/A_1.jpg\nA/A_2.jpg\n\nA/A_1.jpg\nB/B_1.jpg\n", "line 3: an empty line in the middle"),
        ("a.jpg b.jpg 1\n\na.jpg c.jpg 0\n", "line 2: an empty line in the middle"),
        ("A 1 2\n\nA 1 B 1\n", "line 2: an empty line in the middle"),
        ("some words\n", "line 1: expected the header of the format of LFW"),
    ],
)
def test_a_wrong_line_is_named(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path, text)
    assert said in str(caught.value)
