"""Names of folders, and whether what was published from one is still there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from facebench.base.errors import UserError
from facebench.lab.laboratory.work_folder import (
    DONE,
    FINAL,
    THREADS,
    at_work,
    begin_folder,
    check_name,
    is_published,
)

CARD = """
name = "net"
title = "x"
architecture = "convnet"
width = 0.125
{weights}
[preprocessing]
size = [112, 96]
"""
HASH = "ab" * 32


@pytest.mark.parametrize("name", ["a", "7", "a_b-c.d", "x" * 64])
def test_names(name: str) -> None:
    check_name("--name", name)


@pytest.mark.parametrize("name", ["", ".a", "-a", "_a", "a b", "a/b", "..", "a\n", "é", "x" * 65])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(UserError, match=r"^--student "):
        check_name("--student", name)


def test_published_is_a_card_of_these_weights_with_their_file(tmp_path: Path) -> None:
    path, file = tmp_path / "net.toml", tmp_path / "net.safetensors"
    own = f'weights = "net.safetensors"\nsha256 = "{HASH}"'
    path.write_text(CARD.format(weights=own))
    file.write_bytes(b"x")
    assert not is_published(tmp_path, path)  # not from this folder
    (tmp_path / DONE).write_text(json.dumps({"sha256": HASH}))
    assert is_published(tmp_path, path)
    file.unlink()
    assert not is_published(tmp_path, path)
    file.write_bytes(b"x")
    path.write_text(CARD.format(weights=""))
    assert not is_published(tmp_path, path)
    path.write_text(CARD.format(weights=own.replace("ab", "cd")))
    assert not is_published(tmp_path, path)
    path.unlink()
    assert not is_published(tmp_path, path)


def test_a_work_keeps_the_number_of_threads_that_it_began_with(tmp_path: Path) -> None:
    folder, told = tmp_path / "net-0123456789ab", list[str]()
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with at_work(folder, told.append):
            begin_folder(folder, {"seed": 1}, (), told.append)
        torch.set_num_threads(1)
        with at_work(folder, told.append):
            begin_folder(folder, {"seed": 1}, (), told.append)
            assert torch.get_num_threads() == 2
        assert torch.get_num_threads() == 1  # other networks have what was asked for
        (line,) = told
        assert f"{folder} goes on with the number of threads that it began with, 2, not 1" in line
        (folder / FINAL).touch()
        with at_work(folder, told.append):  # what is left to do has as many, which needs no word
            assert torch.get_num_threads() == 2
        assert len(told) == 1
        (folder / THREADS).write_text("many")
        said = pytest.raises(UserError, match=f"{THREADS} holds no number of threads")
        with said, at_work(folder, told.append):
            pass
    finally:
        torch.set_num_threads(before)
