"""Long lists of numbers: the fast way and the careful way give the same, over any chunk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facebench.base.errors import UserError
from facebench.faces.ijb import ijbc as number_rows
from facebench.faces.ijb.ijbc import read_number_rows

ROWS = st.lists(st.lists(st.integers(0, 2**31 - 1), min_size=3, max_size=3), min_size=1)


@settings(max_examples=150, deadline=None)
@given(ROWS, st.integers(1, 60), st.booleans())
def test_any_chunk_gives_the_same_rows(tmp_path_factory, rows, chunk, newline) -> None:
    path = tmp_path_factory.mktemp("rows") / "list.txt"
    text = "\n".join(" ".join(map(str, row)) for row in rows) + ("\n" if newline else "")
    path.write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(number_rows, "_CHUNK", chunk)
        found = read_number_rows(path, 3, "rows")
    assert found.tolist() == rows and found.dtype == np.int32


def test_the_line_is_right_after_many_chunks(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(number_rows, "_CHUNK", 64)
    path = tmp_path / "list.txt"
    path.write_text("1 2 3\n" * 1000 + "1 2\n" + "1 2 3\n" * 100)
    with pytest.raises(UserError, match=r"list.txt, line 1001: expected rows, not '1 2'"):
        read_number_rows(path, 3, "rows")


def test_fields_that_only_add_up_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    for text in ("1 2\n3 4 5 6\n", " 1 2 3\n4 5\n", "1  3\n4 5 6\n"):
        path.write_text(text)
        with pytest.raises(UserError, match=r"list.txt, line \d: expected rows"):
            read_number_rows(path, 3, "rows")


@pytest.mark.parametrize("text", ["1,2,3\r\n4,5,6\r\n", "1 2 3\n4 5 6", "1\t2\t3\n4\t5\t6\n"])
def test_a_byte_order_mark_is_no_part_of_the_first_number(tmp_path: Path, text: str) -> None:
    path = tmp_path / "list.txt"
    path.write_text(text, "utf-8-sig", newline="")
    assert read_number_rows(path, 3, "rows").tolist() == [[1, 2, 3], [4, 5, 6]]
    path.write_bytes(b"\xef\xbb\xbf")
    with pytest.raises(UserError, match="is empty"):
        read_number_rows(path, 3, "rows")
