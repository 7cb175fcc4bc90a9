"""Tables of scores: what is read, how pairs find theirs, and the one line about each bad one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.faces.tables.scores import GivenScores, read_scores

GOOD = "image_a,image_b,score\na.jpg,b.jpg,0.5\nc.jpg,b.jpg,-0.25\na.jpg,d.jpg,-inf\n"


def read(folder: Path, text: str) -> GivenScores:
    path = folder / "mine.csv"
    path.write_text(text, "utf-8")
    return read_scores(path)


def test_scores_are_of_pairs_in_either_order_and_of_any_ending(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD)
    assert not found.distances and not found.lists_pairs
    assert found.of(["b.jpg", "b.jpg", "d.jpg"], ["a.jpg", "c.jpg", "a.jpg"]).tolist() == [
        0.5, -0.25, -np.inf,
    ]  # fmt: skip
    assert found.of(["a.png"], ["b"]).tolist() == [0.5]


def test_distances_are_negated(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD.replace("score", "distance").replace("-inf", "inf"))
    assert found.distances and found.values.tolist() == [-0.5, 0.25, -np.inf]


def test_pairs_without_a_score_are_refused_or_counted(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD)
    with pytest.raises(UserError, match=r"1 of 2 comparisons have no score in .*\(a\.jpg and x;"):
        found.of(["a.jpg", "a.jpg"], ["b.jpg", "x"])
    assert found.of(["a.jpg", "a.jpg"], ["b.jpg", "x"], "count").tolist() == [0.5, -np.inf]
    with pytest.raises(UserError, match="2 of 2 comparisons have no score"):
        found.of(["y", "z"], ["x", "x"], "count")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("image_a,image_b,score,distance\na,b,1,2\n", "has a column score and a column distance"),
        ("image_a,image_b,similarity\na,b,1\n", "has no column 'score'"),
        ("image_a,score\na,1\n", "has no column 'image_b'"),
        (GOOD.replace("0.5", ""), "line 2: score is empty; write -inf where a face was not"),
        (GOOD.replace("0.5", "high"), "line 2: score is 'high', not a number"),
        (GOOD.replace("0.5", "nan"), "line 2: score is nan; it is finite, or -inf"),
        (GOOD.replace("-inf", "inf"), "line 4: score is inf; it is finite"),
        (f"{GOOD}b.jpg,a.jpg,0.6\n", "line 5: a.jpg and b.jpg have another score in line 2"),
        (GOOD.replace("c.jpg", ""), "line 3: image_a is empty"),
        (
            GOOD.replace("0.5", '"0,5"'),
            "line 2: score is '0,5', not a number; write it with a",
        ),
        (GOOD.replace(",", ";"), "line 1: semicolons stand between the fields; save the table"),
    ],
)
def test_a_bad_table_gets_one_line(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path, text)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_parquet_with_nulls_names_the_row(tmp_path: Path) -> None:
    from pyarrow import Table, parquet

    columns = {"image_a": ["a", "a"], "image_b": ["b", "c"], "score": [0.5, None]}
    parquet.write_table(Table.from_pydict(columns), tmp_path / "mine.parquet")
    with pytest.raises(UserError, match=r"mine\.parquet, row 2: score is empty"):
        read_scores(tmp_path / "mine.parquet")
    columns["score"] = [0.5, -1.0]
    parquet.write_table(Table.from_pydict(columns), tmp_path / "mine.parquet")
    assert read_scores(tmp_path / "mine.parquet").values.tolist() == [0.5, -1.0]
