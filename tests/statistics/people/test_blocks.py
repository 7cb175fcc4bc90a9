"""A product of matrices in blocks: all rows once, and no more in memory than one may hold."""

from __future__ import annotations

import pytest

from facebench.statistics.people.blocks import row_blocks


@pytest.mark.parametrize(
    ("rows", "columns"), [(0, 5), (1, 1), (5000, 10), (100_000, 100_000), (3, 10**9)]
)
def test_blocks_are_all_rows_and_small(rows: int, columns: int) -> None:
    blocks = list(row_blocks(rows, columns))
    assert [row for block in blocks[:3] for row in range(block.start, block.stop)] == list(
        range(min(rows, blocks[min(2, len(blocks) - 1)].stop if blocks else 0))
    )
    assert sum(block.stop - block.start for block in blocks) == rows
    for block in blocks:
        assert (block.stop - block.start - 1) * columns < 1 << 24
