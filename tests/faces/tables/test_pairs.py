"""Tables of pairs: what is read, and the one line about each bad one."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import pytest

from facebench.base.errors import UserError
from facebench.faces.lfw.forms import NO_PEOPLE
from facebench.faces.lfw.lists import PairList
from facebench.faces.lfw.remarks import pair_remarks
from facebench.faces.tables.lists import Listing

GOOD = """image_a,image_b,same,fold,subject_a,subject_b,light
Ann/a 1.png,Ann/b.jpg,1,3,Ann,Ann,day
Ann/a 1.png,Bob/x.jpg,0,3,Ann,Bob,night
Cy/1.jpg,Cy/2.jpg,TRUE,5,Cy,Cy,day
Cy/1.jpg,Di/1.jpg,false,5,Cy,Di,
"""
# A row in place of the third one, and what is said of it.
ROWS = {
    "half of a pair": ("Cy/1.jpg,,1,5,Cy,Cy,day", "line 4: image_b is empty"),
    "short": ("Cy/1.jpg,Cy/2.jpg,1", "line 4: 3 fields under a heading of 7"),
    "label": ("Cy/1.jpg,Cy/2.jpg,maybe,5,Cy,Cy,day", "line 4: same is 'maybe', neither 1"),
    "no fold": ("Cy/1.jpg,Cy/2.jpg,1,,Cy,Cy,day", "line 4: fold is empty; give every pair"),
    "fold": ("Cy/1.jpg,Cy/2.jpg,1,x,Cy,Cy,day", "line 4: fold is 'x', not a whole number"),
    "itself": ("Cy/1.jpg,Cy/1.jpg,1,5,Cy,Cy,day", "line 4: a pair of the image Cy/1.jpg with it"),
    "two persons": (
        "Bob/x.jpg,Cy/2.jpg,1,5,Cy,Cy,day",
        "line 4: the image Bob/x.jpg is of 'Cy' here and of 'Bob' in line 3",
    ),
    "contradiction": (
        "Cy/1.jpg,Cy/2.jpg,1,5,Cy,Di,day", "line 4: same is 1, and the subjects are 'Cy' and 'Di'",
    ),
    "twice": (
        "Bob/x.jpg,Ann/a 1.png,1,5,Bob,Bob,day",
        "line 4: the pair of Bob/x.jpg and Ann/a 1.png is one person here and two people in line 3",
    ),
    "no person": ("Cy/1.jpg,Cy/2.jpg,1,5,,Cy,day", "line 4: subject_a is empty"),
}  # fmt: skip


def read(folder: Path, text: str, **listing: object) -> PairList:
    path = folder / "table.csv"
    path.write_text(text, "utf-8")
    return Listing(**listing).read(path)  # type: ignore[arg-type]


def test_a_table_is_read_with_all_its_columns(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD)
    assert [(p.left_key, p.mated, p.fold, p.right_person) for p in found.pairs] == [
        ("Ann/a 1.png", True, 0, "Ann"), ("Ann/a 1.png", False, 0, "Bob"),
        ("Cy/1.jpg", True, 1, "Cy"), ("Cy/1.jpg", False, 1, "Di"),
    ]  # fmt: skip
    assert dict(found.columns) == {"light": ("day", "night", "day", "")}
    assert found.remarks == () and pair_remarks(found) == ()


@pytest.mark.parametrize("case", ROWS)
def test_a_bad_row_is_named(case: str, tmp_path: Path) -> None:
    row, said = ROWS[case]
    lines = GOOD.splitlines()
    with pytest.raises(UserError) as caught:
        read(tmp_path, "\n".join([*lines[:3], row, *lines[4:]]))
    assert str(caught.value).startswith(f"{tmp_path / 'table.csv'}, {said}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD.replace("image_b", "imageb"), "has no column 'image_b'; did you mean 'imageb'"),
        (GOOD.replace(",same", ",label"), "has no column 'same' (it has image_a, image_b, label"),
        (GOOD.replace("subject_b", "other"), "no column 'subject_b'"),
        (GOOD.replace("light", "same"), "line 1: the heading names the column 'same' twice"),
        (GOOD.splitlines()[0], "has no row below its heading"),
        (GOOD.replace(",", ";"), "table.csv, line 1: semicolons stand between the fields; save"),
        (GOOD.replace(",", "\t"), "line 1: tabs stand between the fields; save the table with"),
    ],
)
def test_a_bad_heading_is_said(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path, text)
    assert said in str(caught.value)


def test_an_empty_line_ends_no_table(tmp_path: Path) -> None:
    lines = GOOD.splitlines(keepends=True)
    assert read(tmp_path, "".join([*lines[:3], "\n", *lines[3:]])) == read(tmp_path, GOOD)


def test_equal_rows_count_and_are_remarked(tmp_path: Path) -> None:
    found = read(tmp_path, f"{GOOD}Di/1.jpg,Cy/1.jpg,0,5,Di,Cy,\n")
    assert (
        "names 1 of its 5 comparisons more than once, 1 of them in the other"
        in (pair_remarks(found)[0])
    )


def test_columns_of_other_names_are_renamed(tmp_path: Path) -> None:
    text = GOOD.replace("image_a", "p1").replace("image_b", "P2").replace("same", "label")
    columns = {"image_a": "p1", "image_b": "p2", "same": "label"}
    assert read(tmp_path, text, columns=columns) == read(tmp_path, GOOD)


def unfolded(groups: int) -> str:
    """Pairs of four people a group, without folds or subjects: folders say who they are."""
    rows = ["image_a,image_b,same,row"]
    for group in range(groups):
        people = [f"g{group}p{n}" for n in range(4)]
        rows += [f"{p}/1.jpg,{p}/2.jpg,1,{group}" for p in people]
        rows += [f"{a}/1.jpg,{b}/2.jpg,0,{group}" for a, b in pairwise(people)]
    return "\n".join(rows) + "\n"


def test_without_folds_pairs_are_cut_by_people(tmp_path: Path) -> None:
    found = read(tmp_path, unfolded(20), seed=7)
    assert (found.folds, len(found)) == (10, 140) and len(found.columns["row"]) == 140
    (said,) = pair_remarks(found)
    assert said == (
        "the list names no folds; they were cut by people (seed 7) into 10, so that nobody is in "
        "two, and no pair was dropped"
    )
    assert {p.left_person for p in found.pairs} == {
        f"g{g}p{n}" for g in range(20) for n in range(4)
    }


def test_pairs_across_are_dropped_with_their_columns_and_counted(tmp_path: Path) -> None:
    people = [f"p{n}" for n in range(12)]
    rows = [f"{p}/1.jpg,{p}/2.jpg,1,{p}" for p in people]
    rows += [f"{a}/1.jpg,{b}/1.jpg,0,{a}" for a in people for b in people if a < b]
    found = read(tmp_path, "image_a,image_b,same,who\n" + "\n".join(rows))
    assert found.folds == 2 and len(found) == 12 + 15 + 15
    assert pair_remarks(found)[0].endswith("36 of 78 pairs, which were across them, were dropped")
    assert [p.left_person for p in found.pairs] == list(found.columns["who"])


def test_people_that_cannot_be_parted_are_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no column fold, and no cut by people leaves"):
        read(tmp_path, "image_a,image_b,same\na/1.jpg,a/2.jpg,1\na/1.jpg,b/1.jpg,0\n")


def test_images_that_mated_pairs_join_stay_in_one_fold(tmp_path: Path) -> None:
    rows = ["image_a,image_b,same"]
    for n in range(8):  # x1-x2-x3 are one person; all lie in one folder, which says nothing
        rows += [f"all/{n}x.jpg,all/{n}y.jpg,1", f"all/{n}y.jpg,all/{n}z.jpg,1"]
        rows += [f"all/{n}z.jpg,all/{n}other.jpg,0"]
    found = read(tmp_path, "\n".join(rows))
    assert found.remarks[0] == NO_PEOPLE and "images that mated pairs join" in found.remarks[1]
    fold_of = {pair.left_key: pair.fold for pair in found.pairs}
    assert all(fold_of[f"all/{n}x.jpg"] == fold_of[f"all/{n}z.jpg"] for n in range(8))


def test_parquet_is_the_same_table(tmp_path: Path) -> None:
    import pandas

    (tmp_path / "table.csv").write_text(GOOD, "utf-8")
    frame = pandas.read_csv(tmp_path / "table.csv")
    frame.to_parquet(tmp_path / "table.parquet")
    assert Listing().read(tmp_path / "table.parquet") == read(tmp_path, GOOD)
    frame.loc[2, "image_b"] = None
    frame.to_parquet(tmp_path / "table.parquet")
    with pytest.raises(UserError, match=r"table.parquet, row 3: image_b is empty"):
        Listing().read(tmp_path / "table.parquet")
    frame = pandas.read_csv(tmp_path / "table.csv")
    frame["fold"] = frame["fold"].where(frame["fold"] > 3)  # floats, with NaN
    frame.to_parquet(tmp_path / "table.parquet")
    with pytest.raises(UserError, match=r"table.parquet, row 1: fold is empty"):
        Listing().read(tmp_path / "table.parquet")
    (tmp_path / "table.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(UserError, match="cannot be read as Parquet"):
        Listing().read(tmp_path / "table.parquet")


def test_without_pyarrow_parquet_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "table.parquet").write_bytes(b"")
    with pytest.raises(UserError, match=r"install facebench\[parquet\], or save the table as CSV"):
        Listing().read(tmp_path / "table.parquet")
