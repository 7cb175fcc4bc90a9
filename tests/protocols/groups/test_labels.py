"""Where labels come from, and the one line for each thing that can be wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from facebench.base.errors import UserError
from facebench.faces.lfw.lists import Pair, PairList
from facebench.protocols.cards import read_protocol
from facebench.protocols.groups.labels import labels_of
from facebench.protocols.kinds.verification import comparisons_of, prepare
from facebench.protocols.settings import Settings
from tests.helpers.grouped import CARD, write_toy


def pair(left: str, right: str, *, known: bool = True) -> Pair:
    people = [key.split("/")[0] if known else key for key in (left, right)]
    return Pair(left, right, people[0] == people[1], 0, *people)


PAIRS = (
    pair("a/1", "a/2"),
    pair("b/1", "b/2"),
    pair("a/1", "b/1"),
    pair("a/2", "c/1"),
    pair("b/2", "c/1"),
)


def found(tmp_path: Path, columns: dict[str, tuple[str, ...]], *groups: str, **told: object):
    (tmp_path / "toy.toml").write_text(CARD.format(more=""))
    card = read_protocol(tmp_path / "toy.toml")
    pairs = PairList(PAIRS, columns=columns)
    return labels_of(card, Settings(groups=groups, **told), pairs, comparisons_of(pairs))


def test_nothing_is_asked_for(tmp_path: Path) -> None:
    assert found(tmp_path, {"x_a": ("u",) * 5, "x_b": ("v",) * 5}) == ()


def test_two_columns_are_of_people_where_everybody_has_one_label(tmp_path: Path) -> None:
    sides = {"x_a": ("u", "v", "u", "u", "v"), "x_b": ("u", "v", "v", "w", "w")}
    (one,) = found(tmp_path, sides, "X")
    assert (one.column, one.labelled.of, one.labelled.values) == ("x", "people", ("u", "v", "w"))
    assert one.labelled.units == (1, 1, 1)
    assert one.labelled.group.tolist() == [0, 1, -1, -1, -1]


def test_two_columns_are_of_images_where_somebodys_differ(tmp_path: Path) -> None:
    sides = {"g_a": ("no", "no", "no", "yes", "no"), "g_b": ("yes", "no", "no", "no", "no")}
    (one,) = found(tmp_path, sides, "g")
    assert (one.labelled.of, one.labelled.names) == ("images", ("none", "one", "both"))
    assert [one.labelled.names[g] for g in one.labelled.group] == [
        "one", "none", "none", "one", "none"
    ]  # fmt: skip
    assert sum(one.labelled.units) == 5


def test_one_column_is_of_pairs_or_of_people(tmp_path: Path) -> None:
    light = {"light": ("day", "night", "day", "day", "night")}
    (one,) = found(tmp_path, light, "light")
    assert (one.labelled.of, one.labelled.group.tolist()) == ("pairs", [0, 1, 0, 0, 1])


def test_an_image_in_two_groups(tmp_path: Path) -> None:
    sides = {"x_a": ("u", "v", "v", "u", "v"), "x_b": ("u", "v", "v", "w", "w")}
    with pytest.raises(UserError, match=r"the image a/1 is in two groups of 'x', 'u' and 'v'"):
        found(tmp_path, sides, "x")


def test_a_column_that_is_not_there(tmp_path: Path) -> None:
    sides = {"skin_a": ("u",) * 5, "skin_b": ("v",) * 5, "light": ("d",) * 5}
    with pytest.raises(UserError, match=r"'skn'; did you mean 'skin'\? \(there are skin, light\)"):
        found(tmp_path, sides, "skn")
    with pytest.raises(UserError, match=r"its list has none; name a table .* group_table="):
        found(tmp_path, {}, "skin")


def test_one_group_only(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="all comparisons are in one group, 'u'; at least two"):
        found(tmp_path, {"x_a": ("u",) * 5, "x_b": ("u",) * 5}, "x")
    with pytest.raises(UserError, match="all comparisons are in no group"):
        found(tmp_path, {"x_a": ("",) * 5, "x_b": ("",) * 5}, "x")


def table(tmp_path: Path, text: str) -> dict[str, object]:
    (tmp_path / "labels.csv").write_text(text)
    return {"group_table": tmp_path / "labels.csv"}


def test_a_table_of_people(tmp_path: Path) -> None:
    told = table(tmp_path, "Subject,X\na,u\nb,v\nc,\n")
    (one,) = found(tmp_path, {}, "x", **told)
    assert one.labelled.of == "people"
    assert one.labelled.group.tolist() == [0, 1, -1, -1, -1]
    assert (one.labelled.unlabelled, one.labelled.across) == (2, 1)  # c has none; a and b are two


def test_a_table_of_images_with_or_without_endings(tmp_path: Path) -> None:
    told = table(tmp_path, "image,g\na/1.jpg,no\na/2,yes\nb/1,no\nb/2,no\nc/1,no\n")
    (one,) = found(tmp_path, {}, "g", **told)
    assert one.labelled.of == "images"


def test_the_table_is_before_the_lists_columns(tmp_path: Path) -> None:
    told = table(tmp_path, "subject,x\na,u\nb,v\nc,v\n")
    (one,) = found(tmp_path, {"x": ("q", "r", "q", "r", "q")}, "x", **told)
    assert one.labelled.values == ("u", "v")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("subject,x\na,u\nb,v\n", r"1 of 3 people are in no row \(c\); give every person a row"),
        ("image,x\na/1,u\n", r"4 of 5 images are in no row \(a/2, b/1, b/2, …\)"),
        ("subject,x\na,u\nb,v\nc,u\na,v\n", r"line 5: a is 'v' here and 'u' in line 2"),
        ("name,x\na,u\n", r"a column subject or a column image.*neither \(it has name, x\)"),
        ("subject,image,x\na,a/1,u\n", "this one has both"),
        ("subject,x\n,u\n", "line 2: subject is empty"),
        ("subject,y\na,u\nb,v\nc,w\n", r"no column of groups 'x' \(there are y\)"),
    ],
)
def test_wrong_tables(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        found(tmp_path, {}, "x", **table(tmp_path, text))
    assert "\n" not in str(error.value)


def test_a_table_without_a_column_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"name its columns with .*groups.* \(it has x\)"):
        found(tmp_path, {}, **table(tmp_path, "subject,x\na,u\n"))


def test_labels_of_people_need_people(tmp_path: Path) -> None:
    (tmp_path / "toy.toml").write_text(CARD.format(more=""))
    card = read_protocol(tmp_path / "toy.toml")
    pairs = PairList((Pair("1", "2", True, 0, "1", "1"), Pair("3", "4", False, 0, "3", "4")))
    settings = Settings(groups=("x",), **table(tmp_path, "subject,x\na,u\n"))
    with pytest.raises(UserError, match=r"does not say who is in its images; give the groups by"):
        labels_of(card, settings, pairs, comparisons_of(pairs))


def test_names_are_no_groups(tmp_path: Path) -> None:
    rows = "".join(f"p{number},n{number}\n" for number in range(60))
    write_toy(tmp_path)
    card = read_protocol(tmp_path / "toy.toml")
    told = table(tmp_path, f"subject,name\n{rows}")
    with pytest.raises(UserError, match=r"'name' has 60 different labels, .* 50 are taken"):
        prepare(card, None, Settings(groups=("name",), **told), images=False)


def test_the_card_names_columns_and_a_table(tmp_path: Path) -> None:
    more = 'groups = ["colour"]\ngroup_table = "people.csv"'
    card = read_protocol(write_toy(tmp_path, columns=False, more=more))
    (one,) = prepare(card, None, Settings(), images=False).labels
    assert (one.column, one.labelled.values) == ("colour", ("blue", "green", "red"))
    (tmp_path / "people.csv").unlink()
    with pytest.raises(UserError, match=r"table of groups, people.csv, lies neither with its card"):
        prepare(card, None, Settings(), images=False)


def test_columns_of_groups_by_the_files_names(tmp_path: Path) -> None:
    card = write_toy(tmp_path, more="[columns]\nhue_a = 'colour_a'\nhue_b = 'colour_b'")
    (one,) = prepare(read_protocol(card), None, Settings(groups=("hue",)), images=False).labels
    assert one.labelled.values == ("blue", "green", "red")
    bad = card.read_text().replace("hue_a", "hue")
    card.write_text(bad)
    with pytest.raises(UserError, match="or end in _a or _b"):
        read_protocol(card)


def test_the_fingerprint_is_of_the_labels(tmp_path: Path) -> None:
    sides = {"x_a": ("u", "v", "u", "u", "v"), "x_b": ("u", "v", "v", "w", "w")}
    (one,), (same,) = (found(tmp_path, sides, "x") for _ in range(2))
    other = {name: tuple("v" if v == "w" else v for v in side) for name, side in sides.items()}
    (changed,) = found(tmp_path, other, "x")
    assert one.fingerprint == same.fingerprint != changed.fingerprint
