"""Lists of text that users bring: where their lines end, and what is told of wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from facebench.base.errors import UserError
from facebench.base.opening import read_list, read_rows


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"a\nb\n\n \n", ["a", "b"]),
        (b"a\r\n\r\nb\r\n", ["a", "", "b"]),
        (b"a\rb", ["a", "b"]),
        (b"\xef\xbb\xbfa\tb\n", ["a\tb"]),
        ("a\u2028b\x0bc\x85\n d".encode(), ["a\u2028b\x0bc\x85", " d"]),
    ],
)
def test_lines_of_a_list(tmp_path: Path, data: bytes, lines: list[str]) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(data)
    assert read_list(path) == lines


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (None, "cannot read the list {path}: No such file"),
        (b"\n \n", "{path} is empty; expected rows"),
        (b"a\nJos\xe9\n", "{path}, line 2: not UTF-8 text; expected rows, saved as UTF-8"),
        (b"\xef\xbb\xbfa\nb\nc\0\n", "{path}, line 3: holds NUL bytes"),
    ],
)
def test_what_no_list_can_be(tmp_path: Path, data: bytes | None, says: str) -> None:
    path = tmp_path / "list.txt"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(UserError) as caught:
        read_list(path, expected="rows")
    assert str(caught.value).startswith(says.format(path=path))


def test_rows_have_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("# mine\na\n#\nb\n")
    assert list(read_rows(path)) == [(2, "a"), (4, "b")]
    path.write_text("#\t1\n#Bo\t1\t2\n##\n#fold 2 \t\n#Cy\\0,0\n")
    assert list(read_rows(path)) == [(2, "#Bo\t1\t2"), (5, "#Cy\\0,0")]  # names that begin with #
    path.write_text("a\n\t\nb\n")
    with pytest.raises(UserError, match="line 2: an empty line in the middle"):
        list(read_rows(path))
