"""The reader of IJB-A's folders: the official layout, other orders of columns, and broken lists."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.faces.ijb.ijba import read_ijba_search, read_ijba_verification
from tests.helpers.ijb_folders import COMPARISONS, HEADER, ROWS, metadata, write_ijba

METADATA = "IJB-A_11_sets/split1/verify_metadata_1.csv"
PAIRS = "IJB-A_11_sets/split1/verify_comparisons_1.csv"
GALLERY = "IJB-A_1N_sets/split1/search_gallery_1.csv"
PROBES = "IJB-A_1N_sets/split1/search_probe_1.csv"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_ijba(tmp_path / "ijba", images=False)


def refused(folder: Path, *words: str) -> str:
    """The one line that the reader of 1:1 refuses the folder with."""
    with pytest.raises(UserError) as error:
        read_ijba_verification(folder, 2)
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert word in message
    return message


def test_the_official_folder(folder: Path) -> None:
    lists = read_ijba_verification(folder, 2)
    assert len(lists.splits) == 2
    split = lists.splits[0]
    templates = split.templates
    assert templates.ids.tolist() == [10, 11, 20, 21, 30, 31]
    assert templates.subjects.tolist() == [1, 1, 2, 2, 3, 3]
    pairs = list(zip(templates.ids[split.left], templates.ids[split.right], strict=True))
    assert pairs == list(COMPARISONS)
    assert split.mated.tolist() == [True] * 3 + [False] * 5
    # Two frames of one video are one medium; the others are one each.
    assert np.bincount(templates.row_medium).tolist() == [1, 2, 1, 1, 1, 1, 1]
    assert templates.ids[templates.medium_template].tolist() == [10, 10, 11, 20, 21, 30, 31]


def test_every_row_keeps_its_template_and_face(folder: Path) -> None:
    templates = read_ijba_verification(folder, 1).splits[0].templates
    rows = [
        (int(templates.ids[t]), templates.keys[f].split("#")[0])
        for t, f in zip(templates.row_template, templates.row_face, strict=True)
    ]
    assert rows == [(row[0], row[2]) for row in ROWS]


def test_an_image_with_two_faces_gives_two_keys(folder: Path) -> None:
    lists = read_ijba_verification(folder, 1)
    keys = lists.splits[0].templates.keys
    assert [key for key in keys if "img/2" in key] == [
        "img/2.jpg#4,4,20,20",
        "img/2.jpg#40,8,18,20",
    ]
    assert lists.boxes["img/2.jpg#40,8,18,20"] == (40, 8, 18, 20)
    assert "img/1.jpg" in keys  # an image with one face is named by its file
    assert list(keys) == sorted(set(keys))


def test_columns_in_another_order_are_read_by_name(folder: Path) -> None:
    expected = read_ijba_verification(folder, 2)
    for order in (HEADER[::-1], [name.lower() for name in sorted(HEADER)]):
        text = metadata(header=[name.upper() for name in order])
        text = ",".join(order) + text[text.index("\n") :]
        (folder / METADATA).write_text(text)
        found = read_ijba_verification(folder, 2)
        assert found.boxes == expected.boxes
        assert found.splits[0].digest() == expected.splits[0].digest()


@pytest.mark.parametrize("column", ["TEMPLATE_ID", "SUBJECT_ID", "FILE", "MEDIA_ID", "FACE_WIDTH"])
def test_a_missing_column_is_named(folder: Path, column: str) -> None:
    header = [name for name in HEADER if name != column]
    (folder / METADATA).write_text(metadata(header=header))
    refused(folder, f"{METADATA}, line 1: the header has no column {column}")


def test_a_misspelt_column_is_suggested(folder: Path) -> None:
    text = metadata().replace("SUBJECT_ID", "SUBJEKT_ID", 1)
    (folder / METADATA).write_text(text)
    refused(folder, "no column SUBJECT_ID; did you mean 'SUBJEKT_ID'?")


def test_windows_line_ends_and_a_byte_order_mark(folder: Path) -> None:
    expected = read_ijba_verification(folder, 1).splits[0].digest()
    (folder / METADATA).write_bytes(b"\xef\xbb\xbf" + metadata().replace("\n", "\r\n").encode())
    (folder / PAIRS).write_bytes((folder / PAIRS).read_bytes().replace(b"\n", b"\r\n"))
    assert read_ijba_verification(folder, 1).splits[0].digest() == expected


def test_the_digest_has_the_people_and_whether_they_are_known(folder: Path) -> None:
    templates = read_ijba_verification(folder, 1).splits[0].templates
    assert templates.subjects is not None
    others = [templates.subjects + 1, np.zeros_like(templates.subjects), None]
    digests = {replace(templates, subjects=people).digest() for people in others}
    assert len(digests | {templates.digest()}) == 4
    again = replace(templates, subjects=templates.subjects.astype(np.int32))
    assert again.digest() == templates.digest()


def test_trap_unknown_template_id_never_maps_to_row_0(folder: Path) -> None:
    for number in (99, 5, 15, 10**9):  # above all ids, below them, between them, far away
        (folder / PAIRS).write_text(f"10,11\n20,21\n30,{number}\n")
        refused(folder, f"{PAIRS}, line 3: template {number} has no face in verify_metadata_1.csv")


def test_a_template_without_images(folder: Path) -> None:
    (folder / METADATA).write_text(metadata([*ROWS, (40, 4, "", 199, "", (1, 1, 9, 9))]))
    refused(folder, f"{METADATA}, line 10: template 40 has a row without an image")


def test_a_row_that_stands_twice_counts_twice(folder: Path) -> None:
    # As three frames of template 4161 of the official lists, which have two sightings each.
    (folder / METADATA).write_text(metadata([*ROWS, ROWS[1]]))
    templates = read_ijba_verification(folder, 1).splits[0].templates
    assert len(templates.row_face) == len(ROWS) + 1
    assert [templates.keys[face] for face in templates.row_face].count("frame/7_1.png") == 2
    assert len(templates.keys) == len(ROWS)


def test_comparisons_that_stand_twice_count_as_listed(folder: Path) -> None:
    (folder / PAIRS).write_text("10,11\n10,20\n30,31\n10,20\n20,10\n")
    split = read_ijba_verification(folder, 1).splits[0]
    assert split.mated.tolist() == [True, False, True, False, False]


@pytest.mark.parametrize(
    ("other", "faces"),
    [
        ((0.333333333, 12, 20.1, 24), {"img/1.jpg"}),
        ((2.7, 13, 20, 24), {"img/1.jpg"}),  # two boxes of one face
        ((12, 12, 20, 24), {"img/1.jpg#0.3333333333,12,20.1,24", "img/1.jpg#12,12,20,24"}),
    ],
)
def test_boxes_that_differ_a_little_are_of_one_face(folder: Path, other, faces) -> None:
    first = (*ROWS[0][:5], (0.3333333333, 12, 20.1, 24))
    (folder / METADATA).write_text(metadata([first, *ROWS[1:]]))
    second = "IJB-A_11_sets/split2/verify_metadata_2.csv"
    (folder / second).write_text(metadata([(*ROWS[0][:5], other), *ROWS[1:]]))
    lists = read_ijba_verification(folder, 2)
    keys = {key for split in lists.splits for key in split.templates.keys}
    assert {key for key in keys if key.startswith("img/1.jpg")} == faces
    assert keys == set(lists.boxes)
    if len(faces) == 1:  # in all splits the box that is named first
        assert lists.boxes["img/1.jpg"] == (0.3333333333, 12, 20.1, 24)


def test_a_box_that_overlaps_two_faces_is_of_the_one_it_overlaps_most(folder: Path) -> None:
    first, second, between = (10, 10, 20, 20), (17, 10, 20, 20), (15, 10, 20, 20)
    rows = [(40, 4, "img/8.jpg", 198, "", first), (41, 5, "img/8.jpg", 198, "", second)]
    (folder / METADATA).write_text(metadata([*ROWS, *rows, (42, 5, "img/8.jpg", 198, "", between)]))
    templates = read_ijba_verification(folder, 1).splits[0].templates
    face_of = {
        int(templates.ids[t]): templates.keys[f]
        for t, f in zip(templates.row_template, templates.row_face, strict=True)
    }
    assert (face_of[40], face_of[42]) == ("img/8.jpg#10,10,20,20", "img/8.jpg#17,10,20,20")


def test_a_blank_box_and_a_box_are_two_faces(folder: Path) -> None:
    (folder / METADATA).write_text(metadata([*ROWS, (40, 4, "img/1.jpg", 199, "", ("",) * 4)]))
    keys = read_ijba_verification(folder, 1).splits[0].templates.keys
    assert {"img/1.jpg#10,12,20,24", "img/1.jpg#nan,nan,nan,nan"} <= set(keys)


def test_a_template_compared_with_itself(folder: Path) -> None:
    (folder / PAIRS).write_text("10,11\n10,20\n30,30\n20,20\n")
    refused(folder, f"{PAIRS}, line 3: a template is compared with itself")


def test_a_template_of_two_people(folder: Path) -> None:
    (folder / METADATA).write_text(metadata([*ROWS, (31, 7, "img/9.jpg", 199, "", (1, 1, 9, 9))]))
    refused(folder, f"{METADATA}, line 10: template 31 is of subject 7 here and of subject 3 above")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\n11,1,", "\neleven,1,", ", line 5: TEMPLATE_ID is 'eleven'; it must be a whole number"),
        ("\n11,1,", "\n11,1.5,", ", line 5: SUBJECT_ID is '1.5'"),
        ("img/3.jpg,103", "img/3.jpg,-3", ", line 7: MEDIA_ID is '-3'"),
        (",4,4,20,20,", ",4,4,wide,20,", ", line 5: the face box is 4,4,wide,20"),
        (",4,4,20,20,", ",4,4,0,20,", ", line 5: the face box is 4,4,0,20"),
        (",4,4,20,20,", ",4,4,nan,20,", ", line 5: the face box is 4,4,nan,20"),
    ],
)
def test_values_that_are_not_numbers(folder: Path, old: str, new: str, message: str) -> None:
    (folder / METADATA).write_text(metadata().replace(old, new))
    refused(folder, METADATA + message)


def test_a_row_that_ends_early(folder: Path) -> None:
    (folder / METADATA).write_text(metadata() + "32,3,img/9.jpg\n")
    refused(folder, f"{METADATA}, line 10: 3 fields where the header has 25")


def test_a_blank_box_is_a_face_that_cannot_be_acquired(folder: Path) -> None:
    (folder / METADATA).write_text(metadata().replace(",8,8,20,20,", ",,,,,"))
    assert np.isnan(read_ijba_verification(folder, 1).boxes["img/3.jpg"]).all()


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_empty_lists(folder: Path, text: str) -> None:
    (folder / PAIRS).write_text(text)
    refused(folder, PAIRS)
    (folder / METADATA).write_text(text)
    refused(folder, f"{METADATA} is empty")
    (folder / METADATA).write_text(",".join(HEADER) + "\n")
    refused(folder, f"{METADATA} has a header and no row")


def test_lists_that_are_not_utf_8(folder: Path) -> None:
    (folder / METADATA).write_bytes(metadata().replace("img/3", "im\xe9/3").encode("latin-1"))
    refused(folder, f"{METADATA}, line 7: not UTF-8")


def test_lists_with_nul_bytes(folder: Path) -> None:
    (folder / METADATA).write_text(metadata().replace("MEDIA_ID", "MEDIA_ID\0"))
    assert "did you mean" not in refused(folder, f"{METADATA}, line 1: holds NUL bytes")
    (folder / METADATA).write_text(metadata().replace("img/3.jpg", "img/3\0.jpg"))
    refused(folder, f"{METADATA}, line 7: holds NUL bytes")


def test_a_list_without_its_header(folder: Path) -> None:
    expected = f"{METADATA}, line 1: the first line must be the header TEMPLATE_ID,SUBJECT_ID,FILE,"
    rows = metadata().partition("\n")[2]
    for text in (rows, metadata().replace(",", ";")):
        (folder / METADATA).write_text(text)
        message = refused(folder, expected, "not '")
        assert "(columns:" not in message and len(message.rpartition("not ")[2]) < 70


@pytest.mark.parametrize(
    ("text", "line"), [("10;11\n", 1), ("10,11\n20\n", 2), ("10,11\n20,2x\n", 2), ("1,2,3\n", 1)]
)
def test_malformed_comparisons(folder: Path, text: str, line: int) -> None:
    (folder / PAIRS).write_text(text)
    refused(folder, f"{PAIRS}, line {line}: expected two template numbers, not")


def test_comparisons_of_one_kind(folder: Path) -> None:
    (folder / PAIRS).write_text("10,11\n20,21\n")
    refused(folder, "all 2 comparisons are mated; both kinds are needed")


def test_absent_lists_and_splits(folder: Path) -> None:
    (folder / PAIRS).unlink()
    refused(folder, f"cannot read the list {folder / PAIRS}")
    with pytest.raises(UserError, match=r"there is no folder .*split3"):
        read_ijba_verification(folder, 3)


def test_search_lists(folder: Path) -> None:
    lists = read_ijba_search(folder, 2)
    assert [split.gallery.subjects.tolist() for split in lists.splits] == [[1, 2]] * 2
    assert lists.splits[0].probes.subjects.tolist() == [1, 2, 3, 3]


def test_trap_two_galleries_in_one_are_refused(folder: Path) -> None:
    rows = (ROWS[0], ROWS[3], ROWS[5])  # subject 1 has two templates
    (folder / GALLERY).write_text(metadata(rows))
    with pytest.raises(UserError, match=r"subject 1 has 2 templates in the gallery; two galleries"):
        read_ijba_search(folder, 2)


def test_probes_of_one_kind_are_refused(folder: Path) -> None:
    for rows, whose in ((ROWS[3:5], "every"), (ROWS[6:8], "no")):
        (folder / PROBES).write_text(metadata(rows))
        with pytest.raises(UserError, match=rf"{whose} probe's person is in search_gallery_1\.csv"):
            read_ijba_search(folder, 2)
