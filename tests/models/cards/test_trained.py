"""A card without weights says which command learns them."""

from __future__ import annotations

from pathlib import Path

import pytest

from facebench.base.errors import UserError
from facebench.models.cards.card import read_card
from facebench.models.cards.trained import packed_weights

CARD = """
name = "{name}"
title = "x"
architecture = "{architecture}"
{more}
[preprocessing]
size = [112, 96]
"""
COMPACT, CONVNET = ("mobilenet_v2", "embedding = 8"), ("convnet", "width = 0.125")


def said(path: Path, architecture: str, more: str) -> str:
    """The line about a card without weights."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(CARD.format(name=path.stem, architecture=architecture, more=more))
    with pytest.raises(UserError, match="has no trained weights yet") as caught:
        packed_weights(read_card(path))
    return str(caught.value)


@pytest.mark.parametrize("fields", [COMPACT, CONVNET])
def test_the_command_names_the_card(tmp_path: Path, monkeypatch, fields: tuple[str, str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert "or train it: `facebench train net --data ...`" in said(Path("models/net.toml"), *fields)
    elsewhere = said(tmp_path / "own" / "net.toml", *fields)
    assert f"`facebench train {tmp_path}/own/net.toml --data ...`" in elsewhere


@pytest.mark.parametrize(
    "architecture, more",
    [
        ("convnet", 'width = 0.125\nsparsity = { f = "1/4" }'),
        ("mobilenet_v2", "embedding = 8\nfilters_removed = 0.3"),
    ],
)
def test_no_command_where_it_would_refuse(tmp_path: Path, architecture: str, more: str) -> None:
    line = said(tmp_path / "net.toml", architecture, more)
    assert line.endswith("or train it and publish them")
