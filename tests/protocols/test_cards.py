"""Protocol cards: the shipped ones, and what is said of wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from facebench.errors import UserError
from facebench.protocols.cards import (
    VerificationCard,
    list_protocols,
    load_protocol,
    protocol_paths,
    read_protocol,
)

GOOD = """
name = "mine"
kind = "verification"
version = 1
title = "Mine"
source = "Nobody, 2026"
dataset = "lfw"
comparisons = 600
"""


def write(folder: Path, text: str, name: str = "mine.toml") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_shipped_cards_are_those_of_the_design() -> None:
    cards = {card.name: card for card in list_protocols()}
    assert set(cards) == {"lfw", "cfp-fp", "cfp-ff", "agedb-30", "calfw", "cplfw"}
    for card in cards.values():
        assert isinstance(card, VerificationCard)
        assert card.folds == 10 and card.targets == (0.1, 0.01, 0.001)
        assert card.comparisons == (7000 if card.name.startswith("cfp") else 6000)


def test_lfw_spread_is_the_standard_error_and_its_paper_is_quoted() -> None:
    card = load_protocol("lfw")
    assert isinstance(card, VerificationCard)
    assert card.spread == "standard error"
    assert (card.published[0].accuracy, card.published[0].spread) == (0.9955, 0.0010)


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UserError, match="no protocol 'cfp-pf'; did you mean 'cfp-f"):
        load_protocol("cfp-pf")


def test_cards_of_the_working_directory_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "protocols").mkdir()
    own = GOOD.replace('"mine"', '"lfw"').replace("version = 1", "version = 9")
    write(tmp_path / "protocols", own, "lfw.toml")
    monkeypatch.chdir(tmp_path)
    assert load_protocol("lfw").version == 9
    assert "calfw" in protocol_paths()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("dataset", "dataste"), "unknown field 'dataste'; did you mean 'dataset'?"),
        (('"verification"', '"verificaton"'), "did you mean 'verification'?"),
        (("comparisons = 600", 'comparisons = "many"'), "field 'comparisons'"),
        (("comparisons = 600", "comparisons = 600\ntargets = [0.01, 0.1]"), "largest first"),
        (
            ("comparisons = 600", 'comparisons = 600\nspread = "standard eror"'),
            "'standard error' or 'standard deviation', not 'standard eror'; did you mean",
        ),
        (("version = 1", ""), "field 'version' is missing"),
        (('name = "mine"', 'name = "yours"'), "must be the file's, 'mine'"),
        (('"Mine"', '"Mine'), "not TOML"),
    ],
)
def test_a_wrong_card_is_one_line_with_file_and_field(
    tmp_path: Path, change: tuple[str, str], says: str
) -> None:
    path = write(tmp_path, GOOD.replace(*change))
    with pytest.raises(UserError) as caught:
        read_protocol(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_card_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(GOOD.encode() + b'notes = "\xff"')
    with pytest.raises(UserError, match="not UTF-8"):
        read_protocol(path)
