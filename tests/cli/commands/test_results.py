"""``facebench results`` and ``facebench verify``: the committed records, and changed ones."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from facebench.records.files import read_record, save_record, write_record
from facebench.records.find import Finder
from facebench.records.record import Record
from facebench.records.statistics import find_statistic
from tests.cli.conftest import Run
from tests.helpers.records import drawn_record

pytestmark = pytest.mark.shipped_results


def listed(run: Run, *arguments: object) -> list[dict[str, object]]:
    found = run("results", *arguments, "--json")
    assert found.code == 0, found.err
    rows: list[dict[str, object]] = json.loads(found.out)
    return rows


def test_filters_and_sorts(run: Run) -> None:
    rows = listed(run, "-m", "sparse_07*", "-p", "lfw", "--data", "real", "--sort", "-value")
    assert {row["model"] for row in rows} >= {"sparse_074", "sparse_076"}
    assert {row["protocol"] for row in rows} == {"lfw"}
    assert {row["data_kind"] for row in rows} == {"real"}
    values = [row["value"] for row in rows]
    assert values == sorted(values, reverse=True)  # type: ignore[type-var]


def test_a_line_says_what_its_record_says(run: Run) -> None:
    for row in listed(run, "-m", "sparse_074", "--data", "real"):
        record = read_record(str(row["path"]))
        found = find_statistic(record, str(row["statistic"]))
        assert found is not None and found.interval is not None
        ends = (found.value, found.interval.low, found.interval.high)
        assert (row["value"], row["low"], row["high"]) == ends
        assert record.statistics.headline.value == found.value


def test_csv_has_the_same_lines(run: Run) -> None:
    rows = list(csv.DictReader(io.StringIO(run("results", "-p", "lfw", "--format", "csv").out)))
    assert [row["path"] for row in rows] == [row["path"] for row in listed(run, "-p", "lfw")]


def test_the_list_fits_80_columns(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = run("results", "-m", "sparse_*", "-m", "baseline").out.splitlines()
    assert len(lines) > 20 and max(map(len, lines)) <= 80
    assert not any("…" in line for line in lines)


def test_a_folder_stands_for_its_records_alone(run: Run, tmp_path: Path) -> None:
    record = record_of("baseline")
    write_record(record, tmp_path / "own" / "mine-0123abcd.json")
    (row,) = listed(run, tmp_path / "own")
    assert (row["id"], row["model"]) == ("0123abcd", "baseline")


def test_show_opens_a_record_by_its_id(run: Run) -> None:
    row = listed(run, "-m", "sparse_074", "-p", "lfw", "--data", "real")[0]
    shown = run("results", "show", row["id"])
    assert str(row["path"]) in "".join(shown.out.split())
    whole = run("results", "show", row["id"], "--json").out
    assert json.loads(whole)["model"]["id"] == "sparse_074"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-m", "sparse_47"), "--model 'sparse_47': no record is of it; did you mean"),
        (("-p", "lwf"), "--protocol 'lwf': no record is of it; did you mean 'lfw'?"),
        (("--sort", "valeu"), "did you mean 'value'?"),
        (("show", "zzzz"), "no record has this id"),
        (("show",), "name one record"),
        (("nowhere",), "no such file or folder"),
    ],
)
def test_what_is_not_there_is_one_line(run: Run, arguments: tuple[str, ...], said: str) -> None:
    found = run("results", *arguments)
    assert found.code == 2 and said in found.err and found.err.count("\n") == 1


def record_of(model: str) -> Record:
    finder = Finder.of(cache=False)
    return read_record(finder.best("lfw")[model].path)


def test_a_committed_record_verifies(run: Run) -> None:
    path = Finder.of(cache=False).best("lfw")["sparse_012"].path
    found = run("verify", path)
    assert found.code == 0
    assert "the seal agrees; all numbers follow again from the scores of 6,000" in found.out


def test_a_number_that_its_scores_do_not_give_is_exit_code_1(run: Run, tmp_path: Path) -> None:
    """Sealed again, with an interval that is another, within what reading a record looks at."""
    record = record_of("sparse_012")
    auc = record.statistics.auc  # type: ignore[union-attr]
    moved = auc.interval.model_copy(update={"low": auc.interval.low - 0.01})
    section = record.statistics.model_copy(
        update={"auc": auc.model_copy(update={"interval": moved})}
    )
    path = tmp_path / "moved" / "sparse_012-00000000.json"
    write_record(record.model_copy(update={"statistics": section}).sealed(), path)
    found = run("verify", path)
    assert found.code == 1
    assert "but its scores give auc low" in found.out


def test_a_file_that_was_changed_by_hand_is_exit_code_2(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "changed" / "sparse_012-00000000.json"
    write_record(record_of("sparse_012"), path)
    path.write_text(path.read_text().replace('"host": "', '"host": "x'))
    found = run("verify", path)
    assert found.code == 2 and "its seal is not that of its contents" in found.err


def test_the_records_of_a_site_verify_and_other_json_is_left_out(run: Run, tmp_path: Path) -> None:
    record = drawn_record("a", per_kind=20, draws=0)
    save_record(record, tmp_path / "kept")
    assert run("site", tmp_path / "kept", "-o", tmp_path / "site").code == 0
    found = run("verify", tmp_path / "site")
    assert found.code == 0 and found.err == "" and found.out.count("\n") == 1, found.err
    (tmp_path / "site" / "records" / "other.json").write_text('{"of": "another tool"}')
    found = run("verify", tmp_path / "site")
    assert found.code == 0 and "other.json" in found.err and "1 of 1 records agree" in found.out
    alone = run("verify", tmp_path / "site" / "records" / "other.json")
    assert alone.code == 2
    (tmp_path / "none").mkdir()
    assert "no record is there" in run("verify", tmp_path / "none").err


def test_folders_may_be_named_as_elsewhere(run: Run, tmp_path: Path) -> None:
    save_record(drawn_record("a", per_kind=20, draws=0), tmp_path / "kept")
    by_option = run("results", "--records", tmp_path / "kept", "--json")
    assert by_option.out == run("results", tmp_path / "kept", "--json").out
    assert len(json.loads(by_option.out)) == 1


def test_a_record_of_the_present_weights_goes_before_an_older_photograph(tmp_path: Path) -> None:
    old = drawn_record("a", per_kind=20, draws=0, weights="1" * 64)
    new = drawn_record("a", "synthetic", per_kind=20, draws=0, weights="2" * 64)
    for record in (old, new):
        save_record(record, tmp_path)
    finder = Finder.of([tmp_path], committed=False, cache=False)
    assert finder.best("lfw")["a"].data.kind == "real"
    assert finder.best("lfw", weights={"a": "2" * 64})["a"].data.kind == "synthetic"
    assert not finder.best("lfw", weights={"a": "3" * 64})
