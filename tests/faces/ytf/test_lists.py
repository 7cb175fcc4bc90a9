from __future__ import annotations

from pathlib import Path

import pytest

from facebench.base.errors import UserError
from facebench.faces.ytf.lists import Box, find_splits, read_boxes, read_splits
from tests.helpers.ytf_folders import HEADER, ROWS


def written(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "splits.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_official_form_and_the_form_without_a_header(tmp_path: Path) -> None:
    official = read_splits(written(tmp_path, HEADER.strip(), *ROWS))
    assert official == read_splits(written(tmp_path, *(row + "\r" for row in ROWS)))
    first = official.pairs[1]
    assert (first.left, first.right, first.mated, first.fold) == (
        "Al_Gore/0",
        "Bo_Derek/3",
        False,
        1,
    )
    assert (first.left_person, first.right_person) == ("Al_Gore", "Bo_Derek")
    assert official.people() == ["Al_Gore", "Bo_Derek", "Cy_Young", "Di_Cook"]
    assert len(official.videos()) == 6


def test_the_official_list(shared_data: Path) -> None:
    """5,000 pairs, ten folds of 250 + 250, nobody in two folds; all of its videos exist."""
    pairs = read_splits(shared_data / "protocols" / "ytf_splits.txt")
    for fold in range(1, 11):
        labels = [pair.mated for pair in pairs.pairs if pair.fold == fold]
        assert (len(labels), sum(labels)) == (500, 250)
    fold_of: dict[str, int] = {}
    for pair in pairs.pairs:
        for person in (pair.left_person, pair.right_person):
            assert fold_of.setdefault(person, pair.fold) == pair.fold
    known = set((shared_data / "protocols" / "ytf_videos.txt").read_text().split())
    assert (len(known), len({video.split("/")[0] for video in known})) == (3425, 1595)
    assert set(pairs.videos()) <= known


@pytest.mark.parametrize(
    ("rows", "line", "why"),
    [
        (("1, 1, A/0, A/1",), 2, "expected 5 columns"),
        (("1, 1, A/0, A/1, 1, 1",), 2, "found 6"),
        (("x, 1, A/0, A/1, 1",), 2, "'x' is not a number"),
        (("0, 1, A/0, A/1, 1",), 2, "'0' is not a number"),
        (("1, 1, A/0, A, 1",), 2, "'A' is not a video"),
        (("1, 1, A/0, ../etc, 1",), 2, "is not a video"),
        (("1, 1, A/0, A/1, yes",), 2, "must be 1"),
        (("1, 1, A/0, B/1, 1",), 2, "labelled the same person, against their names"),
        (("1, 1, A/0, A/1, 0",), 2, "labelled different people, against their names"),
        (("1, 1, A/0, A/0, 1",), 2, "compared with itself"),
        (("1, 1, A/0, A/1, 1", "1, 1, A/0, B/0, 0"), 3, "pair 1 of split 1 was there already"),
        (("1, 1, A/0, A/1, 1", "3, 1, B/0, B/1, 1"), 3, "without a pair of split 2"),
        (("1, 1, A/0, A/1, 1", "", "1, 2, A/0, B/0, 0"), 3, "empty line"),
    ],
)
def test_malformed_lists_name_file_and_line(
    tmp_path: Path, rows: tuple[str, ...], line: int, why: str
) -> None:
    path = written(tmp_path, HEADER.strip(), *rows)
    with pytest.raises(UserError) as caught:
        read_splits(path)
    assert str(caught.value).startswith(f"{path}, line {line}: ")
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("first", "why"),
    [
        ("one1, 1, Al_Gore/0, Al_Gore/1, 1", "'one1' is not a number"),
        ("x, y, Al_Gore/0, Al_Gore/1, z", "'x' is not a number"),
        ("same name, pair, Al_Gore/0, Al_Gore/1, yes", "is not a number"),
        ("split, pair, name, name, 1", "is not a number"),
        ("a, b, c, d, e", "'a' is not a number"),
        ("l, 1, Al_Gore\\0, Al_Gore\\1, 1", "'l' is not a number"),
        (";".join(("1", "1", "Al_Gore/0", "Al_Gore/1", "1")), "expected 5 columns"),
    ],
)
def test_a_damaged_first_row_is_no_header(tmp_path: Path, first: str, why: str) -> None:
    path = written(tmp_path, first, *ROWS[1:])
    with pytest.raises(UserError) as caught:
        read_splits(path)
    assert str(caught.value).startswith(f"{path}, line 1: ") and why in str(caught.value)


@pytest.mark.parametrize("header", ["Split,Pair,Name1,Name2,Same", "fold,number,video,video,label"])
def test_headers_in_other_words(tmp_path: Path, header: str) -> None:
    assert len(read_splits(written(tmp_path, header, *ROWS))) == len(ROWS)


def test_the_list_is_beside_the_frames_or_in_meta_data(tmp_path: Path) -> None:
    folder, above = tmp_path / "a" / "b", tmp_path / "a"
    (folder / "meta_data").mkdir(parents=True)
    assert find_splits(folder, above) is None
    for where in (folder / "meta_data", above, folder):  # from the last that is looked at
        (where / "splits.txt").touch()
        assert find_splits(folder, above) == where / "splits.txt"


def test_comments_are_no_rows(tmp_path: Path) -> None:
    path = written(tmp_path, "# of mine", *ROWS[:1], "#more", *ROWS[1:])
    assert len(read_splits(path)) == len(ROWS)


def test_lists_that_are_no_lists(tmp_path: Path) -> None:
    path = tmp_path / "splits.txt"
    for data, why in (
        (b"", "is empty"),
        (b"\n\xff", "line 2: not UTF-8"),
        (b"head\n", r"line 1: expected 5 columns"),
        (HEADER.encode(), "no pair"),
    ):
        path.write_bytes(data)
        with pytest.raises(UserError, match=why):
            read_splits(path)
    with pytest.raises(UserError, match="cannot read"):
        read_splits(tmp_path / "absent.txt")


def test_x_and_y_of_a_box_are_its_centre(tmp_path: Path) -> None:
    """The rows that the official README quotes."""
    path = tmp_path / "Richard_Gere.labeled_faces.txt"
    path.write_text("Richard_Gere\\3\\3.618.jpg,0,262,165,132,132,0.0,1\r\n")
    boxes = read_boxes(path, "Richard_Gere")
    assert boxes == {"Richard_Gere/3/3.618.jpg": Box(262, 165, 132, 132)}


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("A\\0\\0.1.jpg,0,1,2,3,4", "8 columns"),
        ("B\\0\\0.1.jpg,0,1,2,3,4,0,1", "no frame of A"),
        ("A\\0\\0.1.jpg,0,x,2,3,4,0,1", "must be numbers"),
        ("A\\0\\0.1.jpg,0,1,2,0,4,0,1", "above 0"),
        ("A\\0\\0.1.jpg,0,nan,2,3,4,0,1", "finite"),
        ("A\\0\\0.0.jpg,0,1,2,3,5,0,1", "has a row with another box already"),
    ],
)
def test_malformed_boxes_name_file_and_line(tmp_path: Path, row: str, why: str) -> None:
    path = tmp_path / "A.labeled_faces.txt"
    path.write_text(f"A\\0\\0.0.jpg,0,1,2,3,4,0,1\n{row}\n")
    with pytest.raises(UserError, match=rf"line 2: .*{why}"):
        read_boxes(path, "A")


def test_a_box_that_stands_twice_is_one(tmp_path: Path) -> None:
    path = tmp_path / "A.labeled_faces.txt"
    path.write_text("A\\0\\0.0.jpg,0,1,2,3,4,0,1\nA\\0\\0.0.jpg,0,1,2,3,4.0,0,1\n")
    assert read_boxes(path, "A") == {"A/0/0.0.jpg": Box(1, 2, 3, 4)}
