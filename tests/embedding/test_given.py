"""Embeddings in files: memory-mapped arrays, and shards with their names in Parquet."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from facebench.base.errors import UserError
from facebench.embedding.precomputed import open_embeddings
from facebench.embedding.rows.mapped import mapped

ROWS = np.random.default_rng(0).standard_normal((23, 5)).astype(np.float32)
NAMES = [f"photos/{number}.jpg" for number in range(23)]


def table(path: Path, **columns) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table(columns), path)


def clip_retrieval(
    folder: Path, rows=ROWS, cuts=(0, 1, 2, 4, 6, 9, 11, 12, 15, 17, 20, 23)
) -> Path:
    """As clip-retrieval writes it; of ten shards and more the tenth comes after the ninth."""
    (folder / "img_emb").mkdir(parents=True)
    for number, (first, last) in enumerate(pairwise(cuts)):
        np.save(folder / "img_emb" / f"img_emb_{number}.npy", rows[first:last])
        table(
            folder / "metadata" / f"metadata_{number}.parquet",
            caption=["x"] * (last - first), image_path=NAMES[first:last],
        )  # fmt: skip
    return folder


def in_parquet(folder: Path) -> Path:
    for number, (first, last) in enumerate(((0, 10), (10, 23))):
        vectors = pa.array(ROWS[first:last].tolist(), pa.list_(pa.float32()))
        table(folder / f"part-{number}.parquet", key=NAMES[first:last], embedding=vectors)
    return folder


@pytest.mark.parametrize("form", ["npy", "float16", "float64", "npy and parquet", "parquet", "one"])
def test_every_form_has_the_same_rows(tmp_path: Path, form: str) -> None:
    names = None
    if form == "npy and parquet":
        path = clip_retrieval(tmp_path / "shards")
    elif form == "parquet":
        path = in_parquet(tmp_path / "shards")
    elif form == "one":
        path = tmp_path / "all.parquet"
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(ROWS.reshape(-1)), 5)
        table(path, name=NAMES, vector=vectors)
    else:
        path, names = tmp_path / "all.npy", tmp_path / "names.txt"
        np.save(path, ROWS.astype("float32" if form == "npy" else form))
        names.write_text("\n".join(NAMES))
    found = open_embeddings(path, names)
    assert list(found.keys) == NAMES and found.vectors.shape == (23, 5)
    expected = ROWS.astype(np.float16).astype(np.float32) if form == "float16" else ROWS
    for rows in (np.arange(23), np.arange(4, 9), np.array([22, 0, 13, 13, 1]), np.arange(0)):
        np.testing.assert_array_equal(found.vectors[rows], expected[rows], strict=True)
    assert not found.vectors.whole


def test_an_array_is_not_read_but_mapped(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", ROWS)
    assert isinstance(mapped([tmp_path / "a.npy"]).arrays[0], np.memmap)


def test_int8_has_any_scale_and_is_told(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", (ROWS * 30).astype(np.int8))
    (tmp_path / "n.txt").write_text("\n".join(NAMES))
    found = open_embeddings(tmp_path / "a.npy", tmp_path / "n.txt")
    assert found.vectors.whole and found.vectors[np.arange(3)].dtype == np.float32


def changed(folder: Path, change) -> Path:
    clip_retrieval(folder)
    change(folder)
    return folder


def saved(name: str, rows):
    return lambda folder: np.save(folder / "img_emb" / f"img_emb_{name}.npy", rows)


def named(number: int, **columns):
    return lambda folder: table(folder / "metadata" / f"metadata_{number}.parquet", **columns)


def without(pattern: str):
    return lambda folder: [path.unlink() for path in folder.rglob(pattern)]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (saved("3", ROWS[:7]), r"metadata_3.parquet has 2 names but .*img_emb_3.npy has 7 rows"),
        (saved("10", ROWS[:3, :4]), r"emb_10.npy has rows of 4 numbers and .*emb_0.npy of 5"),
        (saved("1", np.full((1, 5), np.nan)), r"NaN .*in 1 rows, first in row 1 \(photos/1.jpg"),
        (without("metadata_7.parquet"), r"has 11 .npy files and 10 Parquet files"),
        (named(1, caption=["x"]), r"metadata_1.parquet has no column of names .*it has caption"),
        (named(1, key=[None]), r"metadata_1.parquet, row 1: key is None"),
        (named(1, key=[NAMES[0]]), r"repeats 1 names"),
        (without("*.parquet"), r"holds no names of its rows"),
    ],
)
def test_what_does_not_fit_is_one_line(tmp_path: Path, change, told: str) -> None:
    with pytest.raises(UserError, match=told) as caught:
        open_embeddings(changed(tmp_path / "shards", change))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("vectors", "told"),
    [
        ([[1.0, 2], [3.0]], "as many floats in every row; row 2 has 1"),
        ([[1.0, 2], None], "row 2 has 0"),
        ([[1, 2], [3, 4]], "every row, not int64"),
        ([1.0, 2.0], "must be a list"),
        ([[], []], "row 1 has 0"),
        ([[1.0, np.nan], [1.0, 2]], "first in row 0"),
    ],
)
def test_columns_that_hold_no_embeddings(tmp_path: Path, vectors, told: str) -> None:
    table(tmp_path / "a.parquet", name=["a", "b"], embedding=vectors)
    with pytest.raises(UserError, match=told):
        open_embeddings(tmp_path / "a.parquet")


def test_a_folder_without_any(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no embeddings \(.npy\)"):
        open_embeddings(tmp_path)
    np.save(tmp_path / "a.npy", ROWS)
    with pytest.raises(UserError, match="give the names of its rows with names="):
        open_embeddings(tmp_path / "a.npy")
