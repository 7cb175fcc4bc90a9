"""Embeddings that a user brings: an ``.npy`` file and the names of its rows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.base.opening import read_csv, read_list, read_text, reading
from facebench.embedding.rows.mapped import MappedRows, mapped
from facebench.embedding.rows.shards import has_names, read_shards
from facebench.embedding.types import Embeddings
from facebench.faces.images import without_ending

_HEADERS = frozenset(("name", "names", "file", "filename", "key", "path", "image"))
_SHOWN = 3


@dataclass(frozen=True, eq=False)
class GivenEmbeddings:
    """Embeddings that are read where they are used. keys: N distinct names; vectors: their rows;
    files: all that they were found in.
    """

    keys: tuple[str, ...]
    vectors: MappedRows
    files: tuple[Path, ...]


def open_embeddings(path: Path, names: Path | None = None) -> GivenEmbeddings:
    """Float or int8 N×D vectors and the N names of the rows, the vectors memory-mapped.

    path: an ``.npy`` file; or a folder of shards or a Parquet file, with their own names
    (`facebench.embedding.rows.shards`). names: UTF-8, one per line; or ``.csv``, first column (a
    heading such as ``name`` is skipped); or ``.json``, a list of strings.

    UserError: files absent or of another kind (object arrays are never unpickled), not two
    dimensions, NaN or infinity, names that repeat, are blank, or are more or fewer than the rows.
    """
    if names is None and not has_names(path):
        raise UserError(f"{path}: give the names of its rows with --names")
    if names is None:
        vectors, keys, files = read_shards(path)
        named = path
    else:
        vectors, keys, files = mapped([path]), _load_names(names), [path, names]
        named = names
    if len(keys) != vectors.shape[0]:
        raise UserError(
            f"{named} has {len(keys):,} names but {path} has {vectors.shape[0]:,} rows; "
            "give one name per row"
        )
    if len(set(keys)) < len(keys):
        repeated = [key for key, count in Counter(keys).items() if count > 1]
        raise UserError(
            f"{named} repeats {len(repeated):,} names ({_first(repeated)}); name every row once"
        )
    if (broken := vectors.first_broken()) is not None:
        count, row = broken
        raise UserError(
            f"{path} has NaN or infinity (as float32) in {count:,} rows, first in row "
            f"{row} ({keys[row]}); leave out the faces that have no embedding"
        )
    return GivenEmbeddings(tuple(keys), vectors, tuple(files))


def load_embeddings(npy: Path, names: Path) -> Embeddings:
    """All of `open_embeddings` in memory; all count as acquired."""
    found = open_embeddings(npy, names)
    count = len(found.keys)
    return Embeddings(found.keys, found.vectors[np.arange(count)], np.ones(count, dtype=np.bool_))


def select(
    embeddings: Embeddings, keys: Sequence[str], on_missing: Literal["error", "count"] = "error"
) -> Embeddings:
    """Rows for a protocol's keys, in their order.

    A key is looked up exactly, then without image ending. Only where that finds no key at all,
    file names are compared without their folders: where the rows or the keys have none, where one
    path ends with the other, or where the file name itself begins with the folder's, as LFW's do;
    and file names must all differ. A name must fit one key and one row. ``count`` makes keys
    without a row failures to acquire.

    UserError: keys without a row (the first few and their number) under ``error``; no key at all
    has a row; a name that fits several rows or keys.
    """
    rows = rows_of(embeddings.keys, keys, on_missing)
    acquired = rows >= 0
    taken = rows[acquired]
    vectors = embeddings.vectors[taken]  # one copy where all are there: it may be a gigabyte
    if not acquired.all():
        vectors = np.zeros((len(keys), vectors.shape[1]), dtype=np.float32)
        vectors[acquired] = embeddings.vectors[taken]
    acquired[acquired] = embeddings.acquired[taken]
    return Embeddings(tuple(keys), vectors, acquired)


def rows_of(
    names: Sequence[str], keys: Sequence[str], on_missing: Literal["error", "count"] = "error"
) -> NDArray[np.int64]:
    """The row of every key among names, int64, -1 where it has none; see `select`."""
    rows = _match(names, keys)
    absent = [key for key in keys if key not in rows] if len(rows) < len(keys) else []
    if absent and (on_missing == "error" or not rows):
        raise UserError(
            f"{len(absent):,} of {len(keys):,} faces have no embedding ({_first(absent)}; the file "
            f"has names like {_first(names, 1)}); add them, or count them as failures to "
            "acquire with --on-missing count"
        )
    return np.fromiter((rows.get(key, -1) for key in keys), np.int64, len(keys))


def _match(names: Sequence[str], keys: Sequence[str]) -> dict[str, int]:
    """Row of every key that has one."""
    row_of = {name: row for row, name in enumerate(names)}
    rows = {key: row_of[key] for key in keys if key in row_of}
    if len(rows) < len(keys):
        known, wanted = _by_short(names, without_ending), _by_short(keys, without_ending)
        for key in keys:
            short = without_ending(key)
            if key not in rows and short in known:
                _require_one(key, short, known[short], wanted[short])
                rows[key] = row_of[known[short][0]]
    # Where no name is as the protocol's, they have other folders, or none.
    return rows or _match_files(row_of, keys)


def _match_files(row_of: dict[str, int], keys: Sequence[str]) -> dict[str, int]:
    """Row of every key whose file name a row has, where file names tell all faces apart.

    UserError: some do, and some file name is that of several rows or keys: the others may then be
    another person's too.
    """
    names = list(row_of)
    known, wanted = _by_short(names, _without_folder), _by_short(keys, _without_folder)
    fitting = [key for key in keys if _without_folder(key) in known]
    repeated = [short for side in (known, wanted) for short, same in side.items() if len(same) > 1]
    if fitting and repeated:
        short = repeated[0]
        _require_one(fitting[0], short, known.get(short, []), wanted.get(short, []))
    same_face = _same_face(names, keys)
    rows = {}
    for key in fitting:
        name = known[_without_folder(key)][0]
        if same_face(name, key):
            rows[key] = row_of[name]
    return rows


def _require_one(key: str, short: str, names: Sequence[str], keys: Sequence[str]) -> None:
    several = max(names, keys, key=len)
    if len(several) > 1:
        raise UserError(
            f"the embedding of {key} cannot be told: {short!r} fits {len(several):,} names "
            f"({_first(several)}); name the rows as the protocol names its faces"
        )


def _same_face(names: Sequence[str], keys: Sequence[str]) -> Callable[[str, str], bool]:
    """Whether a row and a key with the same file name may be one face.

    Yes where all rows or all keys have no folders. Otherwise folders must agree, one path ending
    with the other: in data of videos, frames of different people have the same file names. Or the
    file name says whose face it is, as Ann/Ann_0001.jpg does.
    """
    flat = any(all(len(_parts(path)) == 1 for path in paths) for paths in (names, keys))

    def same(name: str, key: str) -> bool:
        short, long = sorted((_parts(name), _parts(key)), key=len)
        own = _parts(key)
        agree = len(short) > 1 and long[-len(short) :] == short
        return flat or agree or (len(own) > 1 and own[-1].startswith(f"{own[-2]}_"))

    return same


def _by_short(names: Iterable[str], shorten: Callable[[str], str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        found.setdefault(shorten(name), []).append(name)
    return found


def _without_folder(name: str) -> str:
    return _parts(name)[-1]


def _parts(name: str) -> tuple[str, ...]:
    return PurePosixPath(without_ending(name)).parts or (name,)


def _load_names(path: Path) -> list[str]:
    what, expected = "the list of names", "one name per row of the array"
    ending = path.suffix.lower()
    if ending in (".npy", ".npz"):
        raise UserError(
            f"{path} holds an array, not {what}; the array is given with --embeddings, and a text "
            "file of its rows' names with --names"
        )
    if ending == ".json":
        return _names_of_json(path, read_text(path, what))
    if ending == ".csv":
        names = [row[0] if row else "" for _, row in read_csv(path, what, expected)]
        if names[0].lower() in _HEADERS:
            del names[0]
    else:
        names = [line.strip() for line in read_list(path, what, expected)]
    if "" in names:
        raise UserError(f"{path}: name {names.index('') + 1:,} is blank; give one name per row")
    return names


def _names_of_json(path: Path, text: str) -> list[str]:
    with reading(path, "not JSON"):
        names = json.loads(text)
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise UserError(f"{path} must be a JSON list of names")
    return names


def _first(names: Sequence[str], count: int = _SHOWN) -> str:
    return ", ".join(names[:count]) + (", …" if len(names) > count else "")
