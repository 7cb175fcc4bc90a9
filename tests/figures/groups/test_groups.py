"""Drawings of groups: written, labelled, and without a value where there are too few pairs."""

from __future__ import annotations

from pathlib import Path

import pytest

from facebench.base.errors import UserError
from facebench.base.vocabulary import SYNTHETIC_LABEL
from facebench.comparison.groups.damage import group_damage
from facebench.figures.groups.damage import save_damage_plot
from facebench.figures.groups.layout import cut
from facebench.figures.groups.rates import save_group_plot
from facebench.records.record import Record
from tests.helpers.grouped import toy_records
from tests.helpers.plots import texts_of


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    return toy_records(tmp_path_factory.mktemp("toy"), "colour", "light")


def text_of(path: Path) -> str:
    return texts_of(path)


def drawn(records: list[Record], at: int, target: float, path: Path) -> str:
    sections = [record.groups[at] for record in records]
    save_group_plot(records, sections, target, path)
    return text_of(path)


def test_rates_of_one_record_with_the_matrix(records: list[Record], tmp_path: Path) -> None:
    text = drawn(records[:1], 0, 0.1, tmp_path / "one.svg")
    for word in ("blue", "green", "red", "FMR %", "FNMR %", "FMR % of pairs of two groups", "base"):
        assert f">{word}<" in text, word
    middle = records[0].groups[0].point(0.1).matrix[0][1]
    assert f">{100 * middle.value:.2f}<" in text


def test_cells_with_too_few_pairs_are_marked_and_not_valued(
    records: list[Record], tmp_path: Path
) -> None:
    point = records[0].groups[0].point(0.01)
    few = sum(not rate.resolvable for row in point.matrix for rate in row)
    assert few
    text = drawn(records[:1], 0, 0.01, tmp_path / "few.svg")
    of_rates = sum(not rate.resolvable for rate in (*point.fmr_of, *point.fnmr_of))
    assert text.count(">‡<") == few + of_rates
    assert "‡ too few pairs to tell" in text
    assert "<pattern" in (tmp_path / "few.svg").read_text()  # hatched


def test_several_records_have_a_key_and_no_matrix(records: list[Record], tmp_path: Path) -> None:
    text = drawn(records, 0, 0.1, tmp_path / "two.svg")
    assert ">base<" in text and ">small<" in text and "pairs of two groups" not in text


def test_labels_of_pairs_have_no_matrix(records: list[Record], tmp_path: Path) -> None:
    text = drawn(records[:1], 1, 0.1, tmp_path / "pairs.svg")
    assert ">night<" in text and "pairs of two groups" not in text


def test_damage(records: list[Record], tmp_path: Path) -> None:
    found = group_damage(records[0], records[1], "colour", far=0.1, draws=100)
    save_damage_plot([found], tmp_path / "damage.svg")
    text = text_of(tmp_path / "damage.svg")
    assert "unequal: p" in text and "change of FNMR, points (right: more errors)" in text
    assert SYNTHETIC_LABEL not in text
    save_damage_plot([found, found], tmp_path / "two.png")
    assert (tmp_path / "two.png").stat().st_size > 10_000


def test_rendered_faces_are_marked(records: list[Record], tmp_path: Path) -> None:
    data = records[0].data.model_copy(update={"kind": "synthetic", "notice": "rendered"})
    rendered = records[0].model_copy(update={"data": data})
    assert SYNTHETIC_LABEL in drawn([rendered], 0, 0.1, tmp_path / "twin.svg")


def test_the_same_bytes_again(records: list[Record], tmp_path: Path) -> None:
    one, two = (drawn(records[:1], 0, 0.1, tmp_path / f"{n}.svg") for n in (1, 2))
    assert one == two


def test_another_ending(records: list[Record], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"the ending must be one of"):
        drawn(records[:1], 0, 0.1, tmp_path / "one.jpg")


def test_long_names_are_cut() -> None:
    assert cut("x" * 30) == "x" * 23 + "…" and cut("short") == "short"
