"""People of a test who are in the training data: by name, by face, and the number without them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.comparison.shared import plain_name
from facebench.evaluation.folders.overlap import find_overlap
from facebench.protocols.drawn import draw_pairs
from facebench.tables.folders import shared_csv, shared_json, shared_table
from tests.helpers.open_sets import image
from tests.helpers.pixels import OPTIONS, QUICK, folder_of, pixels


@pytest.fixture(scope="module")
def test(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(tmp_path_factory.mktemp("overlap") / "test", people=20, images=4)


@pytest.fixture
def train(tmp_path: Path) -> Path:
    """Two of the test's people with other pictures, under their name and a number; one by name."""
    folder = folder_of(tmp_path / "train", people=15, images=3, prefix="Other")
    for number in (20, 21, 22):
        image(folder / "person_03" / f"{number}.jpg", "Person 03", number)
        image(folder / "n000123" / f"{number}.png", "Person 07", number)
        image(folder / "Pérson 11" / f"{number}.jpg", "Somebody else", number)
    return folder


def test_shared_people_are_found_by_name_and_by_face(test: Path, train: Path) -> None:
    found = find_overlap(train, test, pixels, by_chance=0.02, options=OPTIONS, settings=QUICK)
    assert found.people == (18, 20) and (found.train, found.test) == ("train", "test")
    told = {one.person: (one.same, one.by) for one in found.shared}
    assert told == {
        "Person 03": ("person_03", "name and face"),
        "Person 07": ("n000123", "face"),
        "Person 11": ("Pérson 11", "name"),
    }
    assert 0 < found.expected <= 0.021 and found.found > 0.9 and found.halved == 20
    text = "\n".join(str(cell.text) for row in shared_table(found).rows for cell in row.cells)
    assert "3 (15.0%)" in text
    assert shared_csv(found).splitlines()[1].startswith("Person 03,person_03,True,True,0.")
    assert '"person": "Person 07"' in shared_json(found)


def test_the_number_without_them_is_paired(
    test: Path, train: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = draw_pairs(test, tmp_path / "staff.toml", folds=4).card
    found = find_overlap(train, test, pixels, protocol=str(card), options=OPTIONS, settings=QUICK)
    numbers = found.numbers
    assert numbers is not None and numbers.comparisons < 240
    assert numbers.difference.estimate == pytest.approx(numbers.without - numbers.whole)
    assert any("learned of these" in note for note in shared_table(found).notes)


def test_where_everybody_is_shared_the_list_stands_and_the_number_cannot(
    test: Path, tmp_path: Path
) -> None:
    card = draw_pairs(test, tmp_path / "staff.toml", folds=4).card
    found = find_overlap(test, test, pixels, protocol=str(card), options=OPTIONS, settings=QUICK)
    assert len(found.shared) == 20 and found.numbers is None
    assert "all " in found.why and "comparisons are of people who are shared" in found.why
    rows = {row.cells[0].text: row.cells[1].text for row in shared_table(found).rows}
    assert any("cannot be computed" in text for text in rows.values())
    assert len(shared_csv(found).splitlines()) == 21


def test_a_limit_may_be_given_and_says_what_chance_does(test: Path, train: Path) -> None:
    found = find_overlap(train, test, pixels, limit=-1.0, options=OPTIONS, settings=QUICK)
    assert len(found.shared) == 20 and found.expected == pytest.approx(20 * 18)


def test_photographs_of_any_size_and_crops_are_read(test: Path, tmp_path: Path) -> None:
    import cv2

    for number, size in enumerate([(112, 112), (300, 200), (112, 96)]):
        image(tmp_path / "mixed" / "A" / f"{number}.png", "Person 01", number)
        path = tmp_path / "mixed" / "A" / f"{number}.png"
        picture = cv2.resize(cv2.imread(str(path)), size[::-1])
        cv2.imwrite(str(path), picture)
    found = find_overlap(tmp_path / "mixed", test, pixels, options=OPTIONS, settings=QUICK)
    assert found.people == (1, 20)


def test_mistakes_are_one_line(test: Path, train: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no folder .*gone"):
        find_overlap(tmp_path / "gone", test, pixels, options=OPTIONS, settings=QUICK)
    with pytest.raises(UserError, match="computed of pairs of faces"):
        find_overlap(train, test, pixels, protocol="lfw-open", options=OPTIONS, settings=QUICK)
    with pytest.raises(UserError, match="by_chance=0: allow some"):
        find_overlap(train, test, pixels, by_chance=0, options=OPTIONS, settings=QUICK)


@pytest.mark.parametrize(
    ("name", "plain"),
    [("Ann_Example", "ann example"), ("ANN  Éxample", "ann example"), ("1234", ""), ("n000001", ""),
     ("José-María", "jose maria"), ("Фёдор", "федор")],
)  # fmt: skip
def test_names_are_compared_without_case_accents_and_signs(name: str, plain: str) -> None:
    assert plain_name(name) == plain


def test_arrays_are_finite(test: Path) -> None:
    found = find_overlap(test, test, pixels, options=OPTIONS, settings=QUICK)
    assert all(one.similarity is not None and np.isfinite(one.similarity) for one in found.shared)
