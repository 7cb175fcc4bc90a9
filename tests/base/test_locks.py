"""Being the only process in a folder."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

from facebench.base.locks import only_one


def _enter(folder: Path, log: Path, spelt: Path) -> None:
    told: list[str] = []
    with only_one(spelt, told.append):
        with log.open("a") as file:
            file.write(f"in{len(told)} ")
        time.sleep(0.2)
        with log.open("a") as file:
            file.write("out ")


def test_the_others_wait_however_they_spell_the_folder_and_say_so(tmp_path: Path) -> None:
    folder, log = tmp_path / "a", tmp_path / "log"
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)
    context = multiprocessing.get_context("fork")
    several = [
        context.Process(target=_enter, args=(folder, log, spelt))
        for spelt in (folder, tmp_path / "link", tmp_path / "link" / ".." / "a")
    ]
    for one in several:
        one.start()
    for one in several:
        one.join(60)
    assert [one.exitcode for one in several] == [0, 0, 0]
    assert log.read_text().split() == ["in0", "out", "in1", "out", "in1", "out"]


def test_who_is_killed_leaves_no_lock(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    inside = context.Event()

    def stay() -> None:
        with only_one(tmp_path):
            inside.set()
            time.sleep(60)

    process = context.Process(target=stay)
    process.start()
    assert inside.wait(60)
    process.kill()
    process.join(60)
    told: list[str] = []
    with only_one(tmp_path, told.append):
        assert not told
