"""Two records by group: who pays, by name; and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

import facebench
from facebench.base.errors import UserError
from facebench.comparison.groups.damage import group_damage, with_faces
from facebench.records.record import Record
from facebench.tables.groups.damage import damage_csv, damage_json, damage_table, unequal_text
from facebench.tables.groups.rates import group_tables, groups_csv, groups_json, tables_of
from facebench.tables.records import record_tables
from tests.helpers.grouped import toy_records


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    return toy_records(tmp_path_factory.mktemp("toy"), "colour", "glasses")


def test_the_red_pay(records: list[Record]) -> None:
    (found,) = facebench.compare_groups(records[0], records[1], "colour", far=0.1, draws=400)
    assert found.groups.names == ("blue", "green", "red")
    assert found.found.fnmr[2].found.estimate > 0.1 > found.found.fnmr[0].found.estimate
    assert found.found.unequal.p_value < 0.02
    frame = found.to_frame()
    assert frame["group"].tolist() == ["blue", "green", "red"] * 2
    row = frame[(frame["group"] == "red") & (frame["rate"] == "fnmr")].iloc[0]
    assert row["change"] == pytest.approx(row["candidate"] - row["base"])
    own = [one for one in found.flipped if one.group == "red" and one.mated]
    assert sum(one.worse for one in own) == row["became_wrong"]
    assert sum(not one.worse for one in own) == row["became_right"]


def test_flipped_pairs_are_those_that_change_sides(records: list[Record]) -> None:
    found = group_damage(records[0], records[1], "colour", far=0.1, draws=10)
    one, other = (
        r.table.scores >= a.threshold for r, a in zip(records, found.found.accepts, strict=True)
    )
    mated = records[0].table.mated
    assert {f.position for f in found.flipped} == set((one != other).nonzero()[0].tolist())
    for flip in found.flipped:
        assert flip.worse == (other[flip.position] != mated[flip.position])
    keys = [(f"l{n}", f"r{n}") for n in range(len(mated))]
    assert with_faces(found, keys).flipped[0].faces == keys[found.flipped[0].position]


def test_tables(records: list[Record]) -> None:
    found = group_damage(records[0], records[1], "colour", far=0.1, draws=100)
    table = damage_table(found)
    assert table.title.endswith(" · small against base: damage by colour · at FMR 10%")
    assert len(table.rows) == 6 and table.notes[0] == unequal_text(found)
    assert "damage: unequal, p" in table.notes[0]
    red = next(r for r in table.rows if (r.cells[0].text, r.cells[0].detail) == ("red", "FNMR %"))
    assert red.cells[3].text.endswith("▼")
    assert damage_csv([found]).count("\n") == 7
    assert '"flipped"' in damage_json([found])


def test_tables_of_records(records: list[Record]) -> None:
    titles = [table.title for table in record_tables(records)]
    assert [title.split(" · ")[1] for title in titles[1:]] == [
        "error rates by colour",
        "how far apart groups are by colour",
        "error rates by glasses",
        "how far apart groups are by glasses",
    ]
    rates = group_tables(records)[0]
    assert [row.cells[1].text for row in rates.rows] == ["base"] * 3 + ["small"] * 3
    assert rates.rows[0].cells[3].text.count(" of ") == 1
    whole = tables_of(records[0], records[0].groups[0], 0.01)
    assert [len(table.rows) for table in whole][::2] == [3, 3]
    assert whole[-1].signatures == (records[0].signature,)
    assert any("‡" in note for note in whole[0].notes)  # 0.01 takes 100 pairs of a group
    assert groups_csv(records[0], records[0].groups[0]).count("\n") == 1 + 2 * (6 + 3)
    assert '"labels"' in groups_json(records[0], records[0].groups[0])


def test_several_models_in_html(records: list[Record]) -> None:
    from facebench.tables.html import to_html

    page = to_html(record_tables(records), "toy")
    assert page.count("error rates by colour") >= 1 and "by chance" in page


def test_labelled_otherwise_is_refused(records: list[Record], tmp_path: Path) -> None:
    other = toy_records(tmp_path, "colour")[1]
    section = other.groups[0].model_copy(update={"labels": "0" * 16})
    changed = records[1].model_copy(update={"groups": (section,)})
    with pytest.raises(UserError, match=r"labelled otherwise by colour .* never compared"):
        group_damage(records[0], changed, "colour")


def test_refused(records: list[Record], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"far.*0.5.*: the record has groups at 0.1, 0.01"):
        group_damage(records[0], records[1], "colour", far=0.5)
    with pytest.raises(UserError, match="groups are compared by scores"):
        group_damage(records[0], records[1].without_table("gone"), "colour")
    plain = toy_records(tmp_path)[1]
    with pytest.raises(UserError, match="has no groups; make it again"):
        group_damage(records[0], plain, "colour")
    with pytest.raises(UserError, match="draws"):
        facebench.compare_groups(records[0], records[1], "colour", draws=0)


def test_other_statistics_are_compared_whatever_the_groups(
    records: list[Record], tmp_path: Path
) -> None:
    plain = toy_records(tmp_path)[1]
    found = facebench.compare(records[0], plain)[0]
    assert found.statistics[0].verdict in ("worse", "no difference shown")
