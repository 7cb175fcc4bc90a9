"""Model cards: the shipped ones against Tables 3 and 4, and mistakes in cards of users."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from facebench.base.errors import UserError
from facebench.models.architectures.convnet import ConvNet
from facebench.models.cards.card import (
    RECORDED,
    ModelCard,
    card_names,
    find_card,
    list_models,
    read_card,
    recorded_names,
)

# Name: S of f, 5b, 4b, 5a; parent; accuracy on LFW (Tables 3 and 4).
PAPER = {
    "baseline": ({}, None, 0.9895),
    "sparse_096": ({"f": "1/256"}, "baseline", 0.9898),
    "sparse_076": ({"f": "1/256", "5b": "1/128"}, "sparse_096", 0.9923),
    "sparse_074": ({"f": "1/256", "5b": "1/128", "4b": "1/2"}, "sparse_076", 0.9930),
    "sparse_043": ({"f": "1/256", "5b": "1/128", "5a": "1/2"}, "sparse_076", 0.9922),
    "sparse_026": ({"f": "1/256", "5b": "1/128", "5a": "1/4"}, "sparse_043", 0.9918),
    "sparse_018": ({"f": "1/256", "5b": "1/128", "5a": "1/8"}, "sparse_026", 0.9908),
    "sparse_014": ({"f": "1/256", "5b": "1/128", "5a": "1/16"}, "sparse_018", 0.9890),
    "sparse_012": ({"f": "1/256", "5b": "1/128", "5a": "1/32"}, "sparse_014", 0.9898),
}
GOOD = """
name = "mine"
title = "My network"
architecture = "convnet"
width = 0.5
[sparsity]
"5b" = "1/128"
[preprocessing]
size = [112, 96]
"""


@pytest.mark.parametrize("name", PAPER)
def test_shipped_cards_are_those_of_the_paper(name: str) -> None:
    card = find_card(name)
    sparsity, parent, accuracy = PAPER[name]
    assert card.sparsity == sparsity and card.parent == parent
    assert card.source is not None and card.source.accuracy == accuracy
    assert card.architecture == "convnet" and card.width == 0.5
    assert card.preprocessing.size == (112, 96)
    assert card.licence and card.title and card.notes


def test_list_has_every_card_dense_first() -> None:
    names = [card.name for card in list_models()]
    assert names[0] == "baseline" and set(PAPER) <= set(names)
    assert sorted(names) == sorted(set(card_names()) - set(recorded_names()))
    parents = {card.parent for card in list_models()} - {None}
    assert parents <= {*names, *recorded_names()}  # of a parent there may be only records


def test_cards_of_records_are_found_and_listed_only_where_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "models" / RECORDED
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text(GOOD)
    assert find_card("mine").name == "mine" and "mine" in recorded_names()
    assert "mine" not in [card.name for card in list_models()]
    assert "mine" in [card.name for card in list_models(recorded=True)]
    (tmp_path / "models" / "mine.toml").write_text(GOOD)  # its weights were learned here
    assert "mine" in [card.name for card in list_models()] and "mine" not in recorded_names()


def test_the_working_directorys_card_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    mine = tmp_path / "models" / "baseline.toml"
    mine.write_text(GOOD.replace('"mine"', '"baseline"'))
    assert find_card("baseline").title == "My network"
    assert [c.title for c in list_models() if c.name == "baseline"] == ["My network"]
    mine.write_text(GOOD)
    with pytest.raises(UserError, match="'name' is 'mine'; it must be the file's, 'baseline'"):
        find_card("baseline")


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UserError, match="unknown model 'sparse_47'; did you mean 'sparse_0"):
        find_card("sparse_47")
    with pytest.raises(UserError, match="unknown model 'zzz'; `facebench models` lists"):
        find_card("zzz")


def test_degrees_are_fractions(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    card = read_card(path)
    assert card.degrees == {"5b": Fraction(1, 128)}
    assert card.path == path and card.weights_path is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("width = 0.5", "widht = 0.5", "unknown field 'widht'; did you mean 'width'"),
        ("width = 0.5", "", "a convnet needs width"),
        ("width = 0.5", "width = 9", "field 'width'"),
        ("size = [112, 96]", "sise = [112, 96]", "'preprocessing.sise'; did you mean 'size'"),
        ("size = [112, 96]", "size = [112]", "preprocessing.size"),
        ("size = [112, 96]", "size = [112, 79]", "'preprocessing': .*size 112x79 is too small"),
        ("size = [112, 96]", 'size = [112, 96]\ncolour = "rbg"', "did you mean 'rgb'"),
        ("size = [112, 96]", 'size = [112, 96]\nflip = "ad"', "did you mean 'add'"),
        ("size = [112, 96]", "size = [112, 96]\nscale = [0.2, 0.2, 0.2]", "units of 0 to 255"),
        ("size = [112, 96]", "size = [112, 96]\nmean = [nan, 0, 0]", "must be finite"),
        ('"5b" = "1/128"', '"5bb" = "1/128"', "no layer '5bb'; did you mean '5b'"),
        ('"5b" = "1/128"', '"5b" = "128"', "'128' is not a share"),
        ('"5b" = "1/128"', '"5b" = "0"', "not a share"),
        ('"5b" = "1/128"', '"5b" = "1/0"', "not a share"),
        ('"5b" = "1/128"', '"5b" = "many"', "not a share"),
        ('"5b" = "1/128"', '"5b" = 0.5', "sparsity.5b"),
        ('"convnet"', '"convnets"', "did you mean 'convnet'"),
        ('"convnet"', '"onnx"', "belong to architecture 'convnet'"),
        ('"mine"', '"../mine"', "field 'name'"),
        ("width = 0.5", 'width = 0.5\nweights = "a"', "both weights and sha256"),
        ("width = 0.5", 'width = 0.5\nweights = "a"\nsha256 = "12"', "sha256"),
        ("[sparsity]", "[sparsity", "not TOML"),
        (GOOD, '{"name": "mine"}', "not TOML: .*; it looks like JSON; write it as TOML"),
    ],
)
def test_mistakes_name_file_and_field(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(UserError, match=message) as caught:
        read_card(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_the_smallest_size_is_what_a_convnet_takes(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace("[112, 96]", "[80, 80]"))
    size = read_card(path).preprocessing.size
    assert size is not None and ConvNet(0.125, size).local5b.out_size == (1, 1)
    with pytest.raises(ValueError, match="does not fit"):
        ConvNet(0.125, (79, 80))


def test_a_python_model_has_no_file_to_hash(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'name = "mine"\ntitle = "t"\narchitecture = "python"\nweights = "a.b:c"\n'
        f'sha256 = "{"0" * 64}"\n'
    )
    with pytest.raises(UserError, match="a python model has none"):
        read_card(path)


def test_a_card_is_not_changed_in_place(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(GOOD)
    card: ModelCard = read_card(tmp_path / "mine.toml")
    with pytest.raises(ValueError, match="frozen"):
        card.width = 1.0
