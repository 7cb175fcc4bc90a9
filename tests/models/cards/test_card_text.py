"""Cards as TOML: reading what was written gives the card again."""

from __future__ import annotations

import tomllib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facebench.models.cards.card import ModelCard, list_models
from facebench.models.cards.publish import card_text


@pytest.mark.parametrize("name", ["baseline", "sparse_074", "sparse_012"])
def test_shipped_cards_are_as_we_write_them(name: str) -> None:
    card = next(card for card in list_models() if card.name == name)
    assert card_text(card) == card.path.read_text()


@settings(max_examples=150, deadline=None)
@given(
    title=st.text(max_size=300),
    notes=st.text(max_size=400),
    recipe=st.text('ab "\\\x7f', max_size=300),
)
def test_any_text_survives(title: str, notes: str, recipe: str) -> None:
    card = ModelCard.model_validate(
        {
            "name": "a",
            "title": title,
            "notes": notes,
            "architecture": "convnet",
            "width": 0.3,
            "sparsity": {"5b": "1/3"},
            "preprocessing": {"size": (112, 96), "mean": (0.1, 1e-7, 1e22)},
            "training": {"recipe": recipe, "images": 3},
        }
    )
    assert ModelCard.model_validate(tomllib.loads(card_text(card)) | {"title": card.title}) == card


def test_lines_are_short_and_empty_fields_left_out(make_card: Callable[..., ModelCard]) -> None:
    text = card_text(make_card("a", notes="word " * 100))
    assert max(map(len, text.splitlines())) <= 100
    assert "parent" not in text and "licence" not in text and "[training]" not in text
