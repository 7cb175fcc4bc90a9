"""Rows of a large product of matrices, a few at a time."""

from __future__ import annotations

from collections.abc import Iterator

_CELLS = 1 << 24  # similarities that are in memory at a time: 64 MB of float32
MOST_ROWS = 2048


def row_blocks(rows: int, columns: int, most: int = MOST_ROWS) -> Iterator[slice]:
    """Slices of rows of a product of rows × columns, in order."""
    step = max(1, min(most, _CELLS // max(columns, 1)))
    for start in range(0, rows, step):
        yield slice(start, min(rows, start + step))
