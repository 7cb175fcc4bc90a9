"""What all twins share: markers, taking up, and nothing left of what was killed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from facebench.base.locks import path_lock
from facebench.faces.twins.writing import write, write_twin

STAMP = {"fingerprint": "synthetic-toy-v1-s0", "images": 3}


def _one(task: str) -> int:
    write(Path(task), b"image\xff\xd9")
    return 1


def _write(folder: Path, told: list[tuple[int, int]] | None = None) -> None:
    tasks = [str(folder / f"{n}.jpg") for n in range(3)]
    progress = None if told is None else lambda done, total: told.append((done, total))
    write_twin(folder, STAMP, _one, tasks, {"lists/pairs.txt": "none\n"}, 1, progress)


def test_images_lists_and_marker_are_there_and_a_second_call_does_nothing(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    _write(tmp_path, told)
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert (tmp_path / "lists" / "pairs.txt").read_text() == "none\n"
    assert json.loads((tmp_path / "COMPLETE.json").read_text()) == STAMP
    assert not (tmp_path / "INCOMPLETE.json").exists()
    (tmp_path / "0.jpg").unlink()
    _write(tmp_path, told)
    assert told[-1] == (3, 3) and not (tmp_path / "0.jpg").exists()


def test_another_twin_is_not_written_over(tmp_path: Path) -> None:
    write(tmp_path / "INCOMPLETE.json", b'{"fingerprint": "other"}')
    with pytest.raises(ValueError, match=r"another synthetic twin \(INCOMPLETE\.json differs"):
        _write(tmp_path)


def test_what_a_killed_process_began_is_removed_and_what_a_living_one_writes_is_not(
    tmp_path: Path,
) -> None:
    inner = tmp_path / "person"
    inner.mkdir()
    for place in (tmp_path, inner):
        (place / ".facebench-dead.part").write_bytes(b"half")
    living = inner / ".facebench-alive.part"
    living.write_bytes(b"half")
    with path_lock(living) as lock:
        assert lock.alone()
        _write(tmp_path)
        assert [path.name for path in tmp_path.rglob("*.part")] == [living.name]
