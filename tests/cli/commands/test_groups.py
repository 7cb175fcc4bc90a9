"""``facebench groups`` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from facebench.cli.app import main
from facebench.records.files import save_record
from tests.helpers.grouped import toy_records, write_scores, write_toy


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("toy")
    records = toy_records(folder, "colour", "glasses")
    return {one.model.id: str(save_record(one, folder / "records")) for one in records}


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(["groups", *arguments])
    return int(end.value.code or 0)


def test_one_record(saved, capsys, tmp_path: Path) -> None:
    plot = tmp_path / "rates.png"
    assert run(saved["base"], "--by", "colour", "--far", "0.1", "--plot", str(plot)) == 0
    out, err = capsys.readouterr()
    for words in ("error rates by colour", "how far apart groups are", "FMR % of pairs of groups"):
        assert words in out
    assert f"plot: {plot}" in err and plot.stat().st_size > 10_000


def test_two_records(saved, capsys, tmp_path: Path) -> None:
    plot = tmp_path / "damage.svg"
    named = [saved["base"], saved["small"], "--by", "colour", "--far", "0.1", "--draws", "200"]
    assert run(*named, "--plot", str(plot)) == 0
    out, _ = capsys.readouterr()
    assert "damage by colour" in out and "damage: unequal, p" in out and plot.exists()
    assert run(*named, "--format", "json") == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["unequal"]["p_value"] < 0.05 and found["flipped"][0]["faces"] is None
    assert run(*named, "--format", "csv", "-o", str(tmp_path / "damage.csv")) == 0
    assert (tmp_path / "damage.csv").read_text().splitlines()[0].startswith("data_kind,protocol")


@pytest.mark.parametrize("format", ["md", "html", "json", "csv"])
def test_formats_of_one(saved, capsys, format: str) -> None:
    assert run(saved["base"], "--by", "glasses", "--format", format) == 0
    assert "both" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--by", "color"], "no groups by 'color'; did you mean 'colour'?"),
        ([], "has groups by colour, glasses; name one with --by"),
        (["--by", "colour", "--far", "0.5"], "--far 0.5: the record has groups at 0.1, 0.01"),
        (["--by", "colour", "--level", "5"], "--level 5: give percent"),
        (["--by", "colour", "--plot", "x.jpg"], "--plot x.jpg: the ending must be one of"),
        (["--by", "colour", "--data", "x"], "--data names what changed between two models"),
        (["--by", "colour", "--pairs", "x"], "--pairs is the list of --data"),
    ],
)
def test_one_line_and_exit_code_2(saved, capsys, more: list[str], message: str) -> None:
    assert run(saved["base"], *more) == 2
    out, err = capsys.readouterr()
    assert message in err and not out and len(err.strip().splitlines()) == 1


def test_evaluated_by_name(tmp_path: Path, capsys, monkeypatch) -> None:
    """eval --groups, then groups and gate by the models' names: among records with and without."""
    monkeypatch.chdir(tmp_path)
    card = write_toy(tmp_path)
    files = [write_scores(tmp_path, "base"), write_scores(tmp_path, "small", hurt="red", by=1.2)]
    given = [word for file in files for word in ("--scores", str(file))]
    for groups in ([], ["--groups", "colour"], ["--groups", "glasses"]):
        with pytest.raises(SystemExit) as end:
            main(["eval", *given, "-p", str(card), "--draws", "100", "-q", *groups])
        assert not end.value.code
    out, _ = capsys.readouterr()
    assert "error rates by colour" in out and "error rates by glasses" in out
    assert run("base", "small", "-p", "toy", "--by", "colour", "--far", "0.1") == 0
    assert "damage by colour" in capsys.readouterr().out
    rules = tmp_path / "gates.toml"
    rules.write_text('rules = ["toy.damage@0.1 by colour unequal p >= 0.05"]')
    with pytest.raises(SystemExit) as end:
        main(["gate", "small", "-b", "base", "-p", "toy", "--rules", str(rules)])
    assert end.value.code == 1
    out, _ = capsys.readouterr()
    assert "FAIL" in out and "p = 0." in out
    with pytest.raises(SystemExit) as end:
        main(["eval", *given, "-p", str(card), "-q", "--groups", "skin"])
    _, err = capsys.readouterr()
    assert end.value.code == 2
    assert "no column of groups 'skin' (there are colour, glasses, light)" in err
    with pytest.raises(SystemExit):
        main(["history", str(tmp_path / "none"), "--statistic", "garbe@0.1"])
    assert "garbe is no rate" in capsys.readouterr().err


def test_kinds_without_pairs_of_faces_are_refused(capsys) -> None:
    with pytest.raises(SystemExit) as end:
        main(["eval", "-m", "sparse_074", "-p", "ytf", "--groups", "skin", "--data", "synthetic"])
    assert end.value.code == 2
    assert "ytf (video): groups are of pairs of single faces" in capsys.readouterr().err
