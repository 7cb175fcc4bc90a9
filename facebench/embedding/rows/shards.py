"""Embeddings in shards: a folder of ``.npy`` files with their names in Parquet, as clip-retrieval
writes it, or of Parquet files that hold both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.base.opening import folder_entries, plain_file, reading
from facebench.embedding.rows.mapped import MappedRows, mapped, written
from facebench.faces.tables.columns import PARQUET

NAMES = ("image_path", "image", "name", "file", "filename", "file_name", "key", "path", "url")
VECTORS = ("embedding", "embeddings", "image_embedding", "vector", "feature", "features")
_FOLDERS = ("img_emb", "embeddings", "")  # of arrays, below the one that was named
_METADATA = ("metadata", "")
_LONGEST = 1 << 36  # bytes of a file
_ROWS = 1 << 15  # that are read at once


def has_names(path: Path) -> bool:
    """Whether embeddings bring the names of their rows: a folder of shards, a Parquet file."""
    return path.is_dir() or path.suffix.lower() in PARQUET


def read_shards(path: Path) -> tuple[MappedRows, list[str], list[Path]]:
    """(rows, their names, the files) of a folder, or of one Parquet file.

    A folder has ``.npy`` files, in ``img_emb`` or itself, with as many Parquet files, in
    ``metadata`` or itself, whose column of `NAMES` has a name a row; or Parquet files alone, with
    a column of `VECTORS`, too. Files are in the order of the numbers in their names. UserError:
    what does not fit, naming the file.
    """
    arrays = [] if path.is_file() else _files(path, _FOLDERS, (".npy",))
    tables = [path] if path.is_file() else _files(path, _METADATA, PARQUET)
    if not tables:
        wants = "names of its rows, as Parquet" if arrays else "embeddings (.npy)"
        raise UserError(f"{path} holds no {wants}; or give one .npy file, and --names")
    if not arrays:
        rows = _of_tables(tables)
        return rows, _names(tables), tables
    if len(arrays) != len(tables):
        raise UserError(
            f"{path} has {len(arrays):,} .npy files and {len(tables):,} Parquet files of names; "
            "every one needs its own"
        )
    found = mapped(arrays)
    for array, file, table in zip(found.arrays, arrays, tables, strict=True):
        count = _opened(table).metadata.num_rows
        if count != len(array):
            raise UserError(
                f"{table} has {count:,} names but {file} has {len(array):,} rows; give one name "
                "per row"
            )
    return found, _names(tables), [*arrays, *tables]


def _files(folder: Path, places: Sequence[str], endings: tuple[str, ...]) -> list[Path]:
    for place in places:
        inside = folder / place
        if inside.is_dir():
            found = [
                Path(e.path) for e in folder_entries(inside) if e.name.lower().endswith(endings)
            ]
            if found:
                return sorted(found, key=lambda path: _by_number(path.name))
    return []


def _by_number(name: str) -> list[tuple[int, str]]:
    """``img_emb_10`` after ``img_emb_9``."""
    return [(int(d), "") if d else (-1, t) for d, t in re.findall(r"([0-9]+)|([^0-9]+)", name)]


def _opened(path: Path) -> Any:
    try:
        from pyarrow import parquet
    except ImportError:
        raise UserError(
            f"{path}: Parquet is read by pyarrow, which is not installed; install "
            "facebench[parquet], or give one .npy file, and --names"
        ) from None
    with reading(path, "cannot be read as Parquet"):
        plain_file(path, _LONGEST).close()
        return parquet.ParquetFile(path)


def _column(file: Any, path: Path, known: Sequence[str], what: str) -> str:
    there: list[str] = list(file.schema_arrow.names)
    found = next((name for name in known if name in there), None)
    if found is None:
        raise UserError(
            f"{path} has no column of {what} ({', '.join(known)}); it has {', '.join(there)}"
        )
    return found


def _names(tables: Sequence[Path]) -> list[str]:
    found: list[str] = []
    for path in tables:
        file = _opened(path)
        column = _column(file, path, NAMES, "names")
        with reading(path, "cannot be read as Parquet"):
            some = file.read(columns=[column]).column(0).to_pylist()
        for row, name in enumerate(some):
            if not isinstance(name, str) or not name.strip():
                raise UserError(f"{path}, row {row + 1:,}: {column} is {name!r}, and no name")
        found += some
    return found


def _of_tables(tables: Sequence[Path]) -> MappedRows:
    count = sum(_opened(path).metadata.num_rows for path in tables)
    if not count:
        raise UserError(f"{tables[0]} has no row")
    blocks = _blocks(tables)
    first = next(blocks)
    return written(chain([first], blocks), count, first.shape[1])


def _blocks(tables: Sequence[Path]) -> Iterator[NDArray[np.float32]]:
    width = 0
    for path in tables:
        file = _opened(path)
        column, start = _column(file, path, VECTORS, "embeddings"), 0
        with reading(path, "cannot be read as Parquet"):
            batches = file.iter_batches(batch_size=_ROWS, columns=[column])
        while True:
            with reading(path, "cannot be read as Parquet"):
                batch = next(batches, None)
            if batch is None:
                break
            rows = _rows(batch.column(0), path, start, column)
            if rows.shape[1] != (width or rows.shape[1]):
                raise UserError(
                    f"{path} has rows of {rows.shape[1]} numbers and others of {width}; they must "
                    "be of one model"
                )
            width, start = rows.shape[1], start + len(rows)
            yield rows


def _rows(values: Any, path: Path, start: int, column: str) -> NDArray[np.float32]:
    from pyarrow import compute

    wrong = f"{path}: {column} must be a list of as many floats in every row"
    try:
        lengths = np.asarray(compute.list_value_length(values).fill_null(-1))
    except Exception as error:  # of many kinds: it is no list
        raise UserError(wrong) from error
    odd = np.flatnonzero(lengths != max(int(lengths[0]), 1))
    if odd.size:
        row = int(odd[0])
        raise UserError(f"{wrong}; row {start + row + 1:,} has {max(int(lengths[row]), 0)}")
    flat = np.asarray(values.flatten())
    if flat.dtype.kind != "f" and flat.dtype != np.int8:
        raise UserError(f"{wrong}, not {flat.dtype}")
    with np.errstate(over="ignore"):
        return flat.astype(np.float32).reshape(len(lengths), -1)
