from __future__ import annotations

from pathlib import Path

import pytest

from facebench.base.errors import UserError
from facebench.faces.lfw.folder import LfwSource
from facebench.faces.lfw.lists import missing_images, read_pairs, read_people, require_images, some

GOOD = "2\t1\nA\t1\t2\nA\t1\tB\t3\nC\t1\t4\nC\t2\tD\t1\n"


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "pairs.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_pairs_in_the_order_of_the_file(tmp_path: Path) -> None:
    listed = read_pairs(write(tmp_path, GOOD))
    first, second, third, fourth = listed.pairs
    assert (first.left_key, first.right_key) == ("A/A_0001.jpg", "A/A_0002.jpg")
    assert (first.mated, first.fold, first.left_person, first.right_person) == (True, 0, "A", "A")
    assert (second.right_key, second.mated, second.right_person) == ("B/B_0003.jpg", False, "B")
    assert (third.fold, fourth.fold, listed.folds, len(listed)) == (1, 1, 2, 4)
    assert listed.keys() == sorted(listed.people())
    assert listed.people()["D/D_0001.jpg"] == "D"


@pytest.mark.parametrize("change", [GOOD + "\n\n", GOOD.replace("\n", "\r\n"), GOOD[:-1],
                                    "\ufeff" + GOOD, GOOD.replace("\t", " "),
                                    GOOD.replace("\n", "\r"), GOOD.replace("\n", "\t\n"),
                                    GOOD.replace("\t", "\t\t"), "\t" + GOOD.replace("\n", "\n\t"),
                                    "# mine\n" + GOOD.replace("C\t1", "#fold 2\nC\t1"),
                                    GOOD.replace("\t", " ").replace("\n", "\t\n")])  # fmt: skip
def test_what_is_tolerated(tmp_path: Path, change: str) -> None:
    assert read_pairs(write(tmp_path, change)) == read_pairs(write(tmp_path, GOOD))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        (GOOD.replace("A\t1\tB", "\nA\t1\tB"), "line 3: an empty line in the middle"),
        (GOOD.encode("utf-16"), "not UTF-8"),
        (GOOD.replace("D", "Jos\xe9").encode("latin-1"), "line 5: not UTF-8"),
        (GOOD.replace("A\t1\t2", "A\t1\tx"), "line 2: 'x' is not a number"),
        (GOOD.replace("A\t1\t2", "A\t0\t2"), "line 2: '0' is not a number"),
        (GOOD.replace("A\t1\t2", "A\t1\t-2"), "line 2: '-2'"),
        (GOOD.replace("A\t1\t2", "A\t1\t1_0"), "line 2: '1_0'"),
        (GOOD.replace("A\t1\t2", "A\t1\t2\t3\t4"), "line 2: expected a mated pair"),
        (GOOD.replace("A\t1\t2", "A\t1\t1"), "line 2: a mated pair of an image with itself"),
        (GOOD.replace("B\t3", "A\t3"), "line 3: a non-mated pair of A"),
        (GOOD.replace("B\t3", "../B\t3"), "line 3: '../B' is not a person"),
        (GOOD.replace("B\t3", "B\0\t3"), r"line 3: holds NUL bytes"),
        (GOOD.replace("B\t3", "B\x1b[2J\t3"), r"line 3: 'B\\x1b\[2J' is not a person"),
        (GOOD.replace("B\t3", "\t3"), "line 3: '' is not a person"),
        (GOOD.replace("A\t1\t2", "A\t\t2"), "line 2: an empty field is not a number"),
        (GOOD.replace("A\t1\t2", "A\t1\t"), "line 2: expected a mated pair .* found 2 fields"),
        ("# of nobody\n", "line 1: expected the header"),
        (GOOD.replace("B\t3", "B" * 201 + "\t3"), r"line 3: the name 'B{40}\.\.\.' is longer than"),
        (GOOD.replace("B\t3", "\u00e9" * 101 + "\t3"), "longer than 200 bytes"),
        (GOOD.replace("A\t1\t2", "A\t1\t" + "9" * 500), r"line 2: '9{40}\.\.\.' is not a number"),
        (GOOD.replace("C\t1\t4\n", ""), "line 4: expected a mated pair .* of fold 2"),
        (GOOD + "E\t1\t2\n", "line 6: more lines than its header"),
        (GOOD[:-8], "ends where a non-mated pair .* of fold 2 was expected"),
        ("ten\t300\n", "such as `10 300`, found 'ten 300'"),
        ("1\t2\t3\n", "line 1: expected the header"),
        (
            "a/1.jpg b/1.jpg 1\n",
            "line 1: expected the header of the format of LFW, the number of "
            "folds and of pairs of each kind in a fold, such as `10 300`, found 'a/1.jpg b/1.jpg",
        ),
    ],
)
def test_what_is_refused_names_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UserError, match=message) as caught:
        read_pairs(path)
    assert "pairs.txt" in str(caught.value) and "\n" not in str(caught.value)


def test_a_name_as_long_as_is_allowed_can_be_a_file(tmp_path: Path) -> None:
    name = "B" * 200
    listed = read_pairs(write(tmp_path, GOOD.replace("B\t3", f"{name}\t999999")))
    path = tmp_path / listed.pairs[1].right_key
    path.parent.mkdir()
    path.write_bytes(b"x")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read the list"):
        read_pairs(tmp_path / "absent.txt")
    with pytest.raises(UserError, match="cannot read the list"):
        read_pairs(tmp_path)


def test_a_header_of_one_number_is_one_fold(tmp_path: Path) -> None:
    listed = read_pairs(write(tmp_path, "1\nA\t1\t2\nA\t1\tB\t3\n"))
    assert (len(listed), listed.folds) == (2, 1)


def test_the_official_pairs(shared_data: Path) -> None:
    listed = read_pairs(shared_data / "protocols" / "lfw_pairs.txt")
    assert (len(listed), listed.folds, len(listed.keys())) == (6000, 10, 7701)
    assert sum(pair.mated for pair in listed.pairs) == 3000
    assert len({(p.left_key, p.right_key) for p in listed.pairs}) == 6000
    folds_of: dict[str, set[int]] = {}
    for pair in listed.pairs:
        for person in (pair.left_person, pair.right_person):
            folds_of.setdefault(person, set()).add(pair.fold)
    assert all(len(folds) == 1 for folds in folds_of.values())


def test_the_official_people(shared_data: Path) -> None:
    people = read_people(shared_data / "protocols" / "lfw_people.txt")
    assert (len(people), sum(person.images for person in people)) == (5749, 13233)
    assert sum(person.fold == 0 for person in people) == 601
    keys = set().union(*(person.keys() for person in people))
    pairs = read_pairs(shared_data / "protocols" / "lfw_pairs.txt")
    assert set(pairs.keys()) <= keys


def test_people_that_do_not_fit_their_counts(tmp_path: Path) -> None:
    path = tmp_path / "people.txt"
    for text, message in (("1\n2\nA\t1\n", "ends where a person of fold 1"),
                          ("1\n1\nA\t1\nB\t1\n", "line 4: more lines"),
                          ("1\n1\nA\n", "line 3: expected a name"),
                          ("1\t2\n", "line 1: expected one number")):  # fmt: skip
        path.write_text(text)
        with pytest.raises(UserError, match=message):
            read_people(path)


def test_missing_images_are_counted_and_the_first_named(small_lfw: Path) -> None:
    source, listed = LfwSource(small_lfw), read_pairs(small_lfw / "pairs.txt")
    require_images(listed, source)
    for name in ("Person_A/Person_A_0001.jpg", "Person_D/Person_D_0002.jpg"):
        (small_lfw / "lfw" / name).unlink()
    assert missing_images(listed, source) == [
        "Person_A/Person_A_0001.jpg",
        "Person_D/Person_D_0002.jpg",
    ]
    with pytest.raises(UserError, match=r"2 \(Person_A/Person_A_0001.jpg, .*of 6 images.*count"):
        require_images(listed, source)


def test_some() -> None:
    assert some(["a", "b"]) == "2 (a, b)"
    assert some(list("abcd")) == "4 (a, b, c, ...)"
