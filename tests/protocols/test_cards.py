"""Protocol cards: the shipped ones, and what is said of wrong ones."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import get_args

import pytest

from facebench.base.errors import UserError
from facebench.faces.lfw.lists import read_pairs
from facebench.protocols.cards import (
    CARD_CLASSES,
    VerificationCard,
    edition_of,
    list_protocols,
    load_protocol,
    protocol_paths,
    read_protocol,
)
from facebench.protocols.kinds.verification import comparisons_of

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
    verification = {"lfw", "cfp-fp", "cfp-ff", "agedb-30", "calfw", "cplfw"}
    searches, templates = {"lfw-open", "lfw-closed"}, {"ijba", "ijba-search", "ijbb", "ijbc"}
    assert set(cards) >= verification | searches | templates | {"lfw-all-pairs", "ytf"}
    for card in (cards[name] for name in verification):
        assert isinstance(card, VerificationCard)
        assert card.folds == 10 and card.targets == (0.1, 0.01, 0.001)
        assert card.comparisons == (7000 if card.name.startswith("cfp") else 6000)


def test_lfw_spread_is_the_standard_error_and_its_paper_is_quoted() -> None:
    card = load_protocol("lfw")
    assert isinstance(card, VerificationCard)
    assert card.spread == "standard error"
    assert (card.published[0].accuracy, card.published[0].spread) == (0.9955, 0.0010)


def test_a_shipped_card_has_no_edition_and_any_other_has_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = list_protocols()
    assert {edition_of(card) for card in shipped} == {""}
    text = protocol_paths()["lfw"].read_text("utf-8")
    (tmp_path / "protocols").mkdir()
    path = write(tmp_path / "protocols", f"# a copy\n{text}", "lfw.toml")
    monkeypatch.chdir(tmp_path)
    assert edition_of(load_protocol("lfw")) == ""  # the same content
    path.write_text(text.replace("[0.1, 0.01, 0.001]", "[0.1, 0.01]"), "utf-8")
    edition = edition_of(load_protocol("lfw"))
    assert re.fullmatch(r"\+[0-9a-f]{8}", edition)
    assert edition_of(read_protocol(path)) == edition
    path.write_text(text.replace("standard error", "standard deviation"), "utf-8")
    assert edition_of(load_protocol("lfw")) not in ("", edition)
    assert re.fullmatch(r"\+[0-9a-f]{8}", edition_of(read_protocol(write(tmp_path, GOOD))))


def test_fields_that_came_later_change_no_edition_until_they_are_used(tmp_path: Path) -> None:
    before = (
        "+3bae80a6"  # of GOOD in version 0.1, before cards had `get`, `pair_list` and their kin
    )
    assert edition_of(read_protocol(write(tmp_path, GOOD))) == before
    for line in ('get = "ask"', 'pair_list = "a.csv"', "seed = 1", '[columns]\nsame = "label"'):
        assert edition_of(read_protocol(write(tmp_path, f"{GOOD}{line}\n"))) != before


def test_lfw_knows_its_published_list(shared_data: Path) -> None:
    card = load_protocol("lfw")
    assert isinstance(card, VerificationCard)
    listed = read_pairs(shared_data / "protocols" / "lfw_pairs.txt")
    assert card.pairs == comparisons_of(listed).fingerprint


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UserError, match=f"no protocol '{__file__}', and a card's file ends in"):
        load_protocol(__file__)
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
        (("comparisons = 600", 'comparisons = 600\npairs = "fdac"'), "field 'pairs'"),
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


SEARCH = """
name = "mine"
version = 1
title = "Mine"
source = "Nobody, 2026"
dataset = "lfw"
"""
IDENTIFICATION = f"""{SEARCH}kind = "identification"
subjects = "list.txt"
candidates = 9
identities = 5
gallery = 5
mated_probes = 5
nonmated_probes = 0
"""
OPEN = f'{IDENTIFICATION}task = "open"\nfars = [0.01]\n'
CLOSED = f'{IDENTIFICATION}task = "closed"\n'
TEMPLATES = f"""{SEARCH}kind = "template-search"
layout = "ijba"
splits = 2
fpirs = [0.1]
"""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (TEMPLATES.replace("[0.1]", "[]"), "field 'fpirs': must hold at least one"),
        (f"{TEMPLATES}ranks = []", "field 'ranks': must hold at least one"),
        (OPEN.replace("fars = [0.01]", ""), "field 'fars': an open set needs one"),
        (OPEN.replace("[0.01]", "[]"), "field 'fars': an open set needs one or more"),
        (f"{CLOSED}fars = [0.01]", "field 'fars': a closed set has no non-mated"),
        (f"{CLOSED}ranks = [5, 1]", "field 'ranks': must begin with 1 in a closed"),
        (f"{CLOSED}ranks = []", "field 'ranks': must begin with 1 in a closed set"),
        (OPEN.replace('"open"', '"opne"'), "field 'task'"),
    ],
)
def test_a_search_without_its_headline_is_one_line_with_file_and_field(
    tmp_path: Path, text: str, says: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UserError) as caught:
        read_protocol(path)
    assert str(caught.value).startswith(f"{path}: {says}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", [TEMPLATES, OPEN, f"{OPEN}ranks = [5]", CLOSED, f"{CLOSED}ranks = [1, 10]"]
)
def test_a_search_with_its_headline(tmp_path: Path, text: str) -> None:
    assert read_protocol(write(tmp_path, text)).name == "mine"


@pytest.mark.parametrize(
    "kind", ['"all-pairs"\ncomparisons = 9', '"template"\nlayout = "ijbc"\nsplits = 1']
)
def test_a_card_without_a_far(tmp_path: Path, kind: str) -> None:
    with pytest.raises(UserError, match="field 'targets': must hold at least one"):
        read_protocol(write(tmp_path, f"{SEARCH}kind = {kind}\ntargets = []\n"))


def test_a_card_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(GOOD.encode() + b'notes = "\xff"')
    with pytest.raises(UserError, match="not UTF-8"):
        read_protocol(path)


@pytest.mark.parametrize("kind", CARD_CLASSES)
def test_every_kind_names_the_module_that_runs_it(kind: str) -> None:
    module = import_module(f"facebench.protocols.kinds.{CARD_CLASSES[kind].runs_in}")
    assert callable(module.prepare)
    assert kind in get_args(CARD_CLASSES[kind].model_fields["kind"].annotation)
