"""``facebench doctor``: its lines, its card and its exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest

from facebench.models.cards.card import read_card
from tests.cli.conftest import Run
from tests.helpers.red_faces import red_faces

NETS = "tests.helpers.red_faces"
SAID = ("--size", "112x112", "--normalise", "arcface", "--colour", "rgb", "--align", "centre")


@pytest.fixture(scope="module")
def red(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return red_faces(tmp_path_factory.mktemp("red"))


def test_a_right_network_ends_with_0(run: Run, red: Path) -> None:
    ended = run("doctor", f"{NETS}:right_net", "--data", red, *SAID)
    assert ended.code == 0, ended.err
    assert "ok       nothing wrong was found" in ended.out
    assert "WRONG" not in ended.out and "[preprocessing]" not in ended.out


def test_a_mistake_ends_with_1_and_the_card_to_paste(run: Run, red: Path, work: Path) -> None:
    card = work / "swapped_net.toml"
    ended = run("doctor", f"{NETS}:swapped_net", "--data", red, *SAID, "--card", card)
    assert ended.code == 1, ended.err
    assert "WRONG    red and blue exchanged: with bgr in place of rgb d′ is higher" in ended.out
    assert "evaluate it with --align centre, and this card:" in ended.out
    assert 'colour = "bgr"' in ended.out
    assert read_card(card).preprocessing.colour == "bgr"


def test_a_search_that_the_budget_cut_finds_nothing_right(run: Run, red: Path) -> None:
    ended = run("doctor", f"{NETS}:slow_net", "--data", red, *SAID, "--budget", 1)
    assert ended.code == 3, ended.err
    assert "CUT      cut by the budget: " in ended.out and "--budget gives more" in ended.out
    assert "nothing wrong was found" not in ended.out


def test_what_cannot_be_examined_ends_with_2(run: Run, red: Path, work: Path) -> None:
    assert "no images" in run("doctor", f"{NETS}:right_net", "--data", work, *SAID).line
