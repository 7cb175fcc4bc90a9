"""Names of folders, and whether what was published from one is still there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from facebench.errors import UserError
from facebench.training.work_folder import DONE, check_name, is_published

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
