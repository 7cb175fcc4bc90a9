"""Groups in records: written, read, kept apart, and never compared where labelled otherwise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.records.comparability import labelling_of, measured_otherwise, names_of
from facebench.records.files import read_record, save_record, whole_json
from facebench.records.groups.made import labelled_in, require_column
from facebench.records.groups.named import group_statistic
from facebench.records.newest import newest
from facebench.records.record import Record
from facebench.records.statistics import family, find_statistic, require_statistic, unit_of
from tests.helpers.group_toys import Toy, rates_by_hand
from tests.helpers.grouped import toy_records


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    return toy_records(tmp_path_factory.mktemp("toy"), "colour", "glasses", "light")


def test_rates_are_those_of_the_scores(records: list[Record]) -> None:
    for record in records:
        section, table = record.groups[0], record.table
        labelled = labelled_in(section, table)
        people = table.left_subjects, table.right_subjects
        label = np.full(max(map(np.max, people)) + 1, -1)
        label[people[0]], label[people[1]] = labelled.left, labelled.right
        toy = Toy(*people, label, table.scores, section.names)
        for point in section.points:
            fmr, fnmr, matrix = rates_by_hand(toy, point.threshold)
            assert [one.value for one in point.fmr_of] == pytest.approx(fmr)
            assert [one.value for one in point.fnmr_of] == pytest.approx(fnmr)
            told = [[one.value for one in row] for row in point.matrix]
            assert told == [pytest.approx(row) for row in matrix]


def test_written_and_read(records: list[Record], tmp_path: Path) -> None:
    for record in records:
        path = save_record(record, tmp_path)
        read = read_record(path)
        assert read == record and read.groups == record.groups
        for section in record.groups:
            one, other = (labelled_in(section, r.table) for r in (read, record))
            assert np.array_equal(one.left, other.left) and one.of == other.of == section.of
            assert np.array_equal(one.group, other.group)
        whole = tmp_path / "whole.json"
        whole.write_bytes(whole_json(read))
        assert labelled_in(record.groups[0], read_record(whole).table) is not None


def test_what_labels_are_of(records: list[Record]) -> None:
    assert [one.of for one in records[0].groups] == ["people", "images", "pairs"]
    assert records[0].groups[1].names == ("none", "one", "both")
    assert [one.shuffled for one in records[0].groups] == ["people", "images", "comparisons"]


def test_a_changed_rate_is_noticed(records: list[Record], tmp_path: Path) -> None:
    path = save_record(records[0], tmp_path)
    text = path.read_text().replace('"resolvable": false', '"resolvable": true')
    assert text != path.read_text()
    path.write_text(text)
    with pytest.raises(UserError, match="changed after"):
        read_record(path)


def test_records_without_groups_are_as_they_were(tmp_path: Path) -> None:
    (plain, _) = toy_records(tmp_path)
    assert "groups" not in plain.values() and "groups" not in plain.signature
    assert not plain.table.labels


def test_another_labelling_is_another_record(tmp_path: Path) -> None:
    """In its file's name, in newest and in what is compared; the measure stays the same."""
    (colour, _), (glasses, _), (plain, _) = (
        toy_records(tmp_path / str(n), *g) for n, g in enumerate((("colour",), ("glasses",), ()))
    )
    same = [r.model_copy(update={"data": colour.data}) for r in (glasses, plain)]
    paths = {save_record(record, tmp_path / "out").name for record in (colour, glasses, plain)}
    assert len(paths) == 3
    assert len({labelling_of(record) for record in (colour, glasses, plain)}) == 3
    assert len(newest([colour, glasses, plain]).records) == 3
    assert not measured_otherwise(colour, same[0])
    assert names_of([colour, glasses]) == ["base (by colour)", "base (by glasses)"]
    assert f"groups:colour={colour.groups[0].labels}|" in colour.signature


def test_require_column(records: list[Record], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has groups by colour, glasses, light; name one with"):
        require_column(records[0], None)
    with pytest.raises(UserError, match=r"no groups by 'color'; did you mean 'colour'\?"):
        require_column(records[0], "color")
    (plain, _) = toy_records(tmp_path)
    with pytest.raises(UserError, match=r"has no groups; make it again .* --groups skin"):
        require_column(plain, "skin")


def test_names_of_statistics() -> None:
    found = group_statistic("worst_group_fnmr@0.001 by Skin")
    assert (found.name, found.target, found.column) == ("worst_group_fnmr", 0.001, "skin")
    assert group_statistic(found.text) == found and found.percent
    assert group_statistic("accuracy") is None and group_statistic("tar@0.1") is None
    with pytest.raises(ValueError, match=r"is at an FMR; write e.g. garbe@0.001"):
        group_statistic("garbe")
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        group_statistic("garbe@2")
    assert (family("garbe@0.01"), unit_of("garbe@0.01")) == ("groups", "plain")
    assert unit_of("worst_group_fmr@0.01 by skin") == "percent"


def test_reports_and_gates_find_them(records: list[Record]) -> None:
    name = "worst_group_fnmr@0.1 by colour"
    measured = find_statistic(records[1], name)
    assert measured.value == max(one.value for one in records[1].groups[0].points[0].fnmr_of)
    assert measured.interval.low < measured.value < measured.interval.high
    assert find_statistic(records[1], "garbe@0.5 by colour") is None
    with pytest.raises(UserError, match=r"no groups at FMR 0.5 \(it has 0.1, 0.01\)"):
        require_statistic(records[1], "garbe@0.5 by colour")
