"""``facebench pack``: one file that compares like the record it was made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from facebench.records.files import read_record, save_record
from tests.cli.conftest import Run
from tests.helpers.records import drawn_record


def test_a_packed_record_is_compared_anywhere(run: Run, tmp_path: Path) -> None:
    base, other = drawn_record("a", per_kind=20), drawn_record("b", per_kind=20, seed=1)
    path, second = save_record(base, tmp_path / "kept"), save_record(other, tmp_path / "kept")
    out = tmp_path / "elsewhere.json"
    assert run("pack", str(path), "-o", str(out)).code == 0
    packed = read_record(out)
    assert packed == base and packed.table is not None
    said = [run("compare", str(one), str(second), "--format", "csv").out for one in (path, out)]
    assert said[0] == said[1] and said[0]


@pytest.mark.parametrize(
    ("name", "output", "why"),
    [
        ("{path}", "{folder}/x.txt", "ends in .json"),
        ("{path}", "{folder}/none/x.json", "there is no folder"),
        ("{alone}", "{folder}/x.json", "are not beside its record in"),
        ("nobody", "{folder}/x.json", "no record of 'nobody'"),
    ],
)
def test_what_cannot_be_packed_is_one_line(
    run: Run, tmp_path: Path, name: str, output: str, why: str
) -> None:
    path = save_record(drawn_record(per_kind=5), tmp_path / "kept")
    alone = tmp_path / "alone.json"
    alone.write_bytes(path.read_bytes())
    names = {"path": path, "alone": alone, "folder": tmp_path}
    result = run("pack", name.format(**names), "-o", output.format(**names))
    assert result.code == 2 and why in result.line
    assert not (tmp_path / "x.json").exists()
