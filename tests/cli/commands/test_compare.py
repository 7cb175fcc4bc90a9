"""``facebench compare``: files and names, formats, flips, and what is refused."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from facebench.records.files import read_record, save_record
from facebench.records.record import Record
from facebench.records.sections import ScoresSection
from tests.cli.conftest import TINY_ARGUMENTS, Run
from tests.helpers.record_folders import save_three
from tests.helpers.records import drawn_record


@pytest.fixture
def records(work: Path) -> dict[str, Path]:
    return save_three(work / "kept")


def test_files_and_names_give_the_same(run: Run, records: dict[str, Path]) -> None:
    options = ("--format", "csv")
    by_file = run("compare", records["base"], records["worse"], *options)
    by_name = run("compare", "base", "worse", "--records", "kept", *options)
    mixed = run("compare", records["base"], "worse", "--records", "kept", *options)
    assert by_file.code == 0, by_file.err
    assert by_file.out == by_name.out == mixed.out
    lines = list(csv.DictReader(io.StringIO(by_file.out)))
    assert [line["statistic"] for line in lines][:3] == ["accuracy", "auc", "eer"]
    assert lines[0]["verdict"] == "worse" and float(lines[0]["p_value"]) < 0.001


@pytest.mark.parametrize("format", ["table", "md", "html", "json"])
def test_formats(run: Run, records: dict[str, Path], format: str) -> None:
    arguments = ("compare", records["base"], records["as_good"], records["worse"])
    result = run(*arguments, "--format", format)
    assert result.code == 0 and result.err == ""
    for name in ("as_good", "worse"):
        assert name in result.out.replace("\\", "")
    if format == "json":
        assert len(json.loads(result.out)) == 2
    if format == "html":  # one of all candidates, and each with all statistics
        assert result.out.count('class="verdict"') == 3
        # Only the first statistic has a verdict, in both kinds of tables.
        assert result.out.count(' role="img" aria-label="significantly worse than') == 2
    written = run(*arguments, "--format", format, "-o", "out.txt")
    assert written.out == "" and Path("out.txt").read_text() == result.out


def test_flips_are_drawn_from_the_faces(run: Run, work: Path, faces: Path) -> None:
    arguments = ("-m", "tiny_model:make", "--data", faces, *TINY_ARGUMENTS)
    assert run("eval", *arguments, "--out", "kept", "-q").code == 0
    (base,) = Path("kept").rglob("*.json")
    other = save_record(turned(read_record(base)), Path("turned"))
    drawn = ("compare", base, other, "--show-flips", 4, "--flips-out", "flips.png")
    result = run(*drawn, "--data", faces)
    assert result.code == 0, result.err
    assert "flips: flips.png" in result.err
    assert "5 of 24 comparisons changed" in result.out
    image = cv2.imread("flips.png")
    assert image is not None and image.shape[1] > 800
    assert "needs the faces: name their folder with --data" in run(*drawn).line
    same = run("compare", base, base, "--show-flips", 4, "--data", faces)
    assert same.code == 2 and "no comparison changed" in same.line
    picture = faces / "lfw" / "Person_A" / "Person_A_0001.jpg"
    image = cv2.imread(str(picture))
    assert image is not None
    cv2.imwrite(str(picture), 255 - image)
    assert "these faces are" in run(*drawn, "--data", faces).line


def turned(record: Record) -> Record:
    """The record of a model that decides the first five comparisons otherwise."""
    table = record.table
    assert table is not None
    decisions = table.decisions.copy()
    decisions[:5] = ~decisions[:5]
    moved = replace(table, decisions=decisions)
    accuracy = record.statistics.accuracy
    folds = tuple(float(moved.correct[table.folds == fold].mean()) for fold in accuracy.folds)
    spread = float(np.std(folds, ddof=1) / np.sqrt(len(folds)))
    update = {"per_fold": folds, "value": float(np.mean(folds)), "spread": spread}
    update |= {"interval": None, "over_subjects": None}
    statistics = record.statistics.model_copy(
        update={"accuracy": accuracy.model_copy(update=update)}
    )
    section = ScoresSection.of(moved, "turned")
    return record.model_copy(update={"scores": section, "statistics": statistics}).with_table(moved)


def test_flips_of_other_faces_are_refused(run: Run, records: dict[str, Path], faces: Path) -> None:
    result = run("compare", records["base"], records["worse"], "--show-flips", 3, "--data", faces)
    assert result.code == 2
    assert "its list of comparisons is" in result.line
    assert not Path("flips.png").exists()


def test_photographs_never_have_the_synthetic_faces_rendered(
    run: Run, records: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "facebench.protocols.kinds.verification.prepare",
        "facebench.comparison.compare.compare_records",
    ):
        monkeypatch.setattr(name, None)  # neither faces nor statistics before the check
    arguments = ("compare", records["base"], records["worse"], "--data", "synthetic")
    for more in ((), ("--show-flips", 3)):
        result = run(*arguments, *more)
        assert result.code == 2 and "the record of base is of photographs" in result.line


def test_the_help_names_models_that_exist() -> None:
    from facebench.cli.commands.compare import command
    from facebench.models.cards.card import card_names

    said = (command.__doc__ or "").partition("facebench compare ")[2].partition(" --")[0].split()
    assert len(said) >= 2 and set(said) <= set(card_names())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("bas", "worse"), "no record of 'bas'; did you mean 'base'?"),
        (("base", "worse", "-p", "ytf"), "no ytf record of 'base' (it has lfw)"),
        (("base", "worse", "--show-flips", "0"), "show 1 to 120 pairs"),
        (("base", "worse", "--show-flips", "3", "--flips-out", "x.gif"), "the ending must be"),
        (("base", "worse", "as_good", "--show-flips", "3"), "name one at a time"),
        (("base", "worse", "--level", "0.95"), "give percent from 50"),
        (("base", "worse", "-o", "none/x"), "there is no folder none"),
        (("base", "none.json"), "none.json: cannot be read"),
        (("base",), "missing argument"),
        (("base", "kept"), "kept: is a folder; name the file of one record in it"),
        (("base", "worse", "--flips-out", "x.png"), "--flips-out is of --show-flips; add how"),
        (("base", "worse", "--pairs", "x.txt"), "--pairs is the list of --data"),
        (("none.json", "worse", "-o", "/dev/full"), "is not a plain file"),
        (("none.json", "worse", "--show-flips", "3", "--flips-out", "no/x.png"), "no folder no"),
        (
            ("none.json", "worse", "--show-flips", "3", "--flips-out", "x.png", "-o", "x.png"),
            "--flips-out and --output must be different files",
        ),
    ],
)
def test_bad_input_is_one_line_and_code_2(
    run: Run, records: dict[str, Path], arguments: tuple[str, ...], said: str
) -> None:
    result = run("compare", *arguments, "--records", "kept")
    assert result.code == 2
    assert said in result.line


def test_bad_records_are_one_line_and_code_2(run: Run, records: dict[str, Path]) -> None:
    text = records["worse"].read_text()
    wrong = Path("wrong.json")
    for content, said in (
        (text[:500], "wrong.json: not a complete JSON record"),
        (text.replace('"schema_version": 2', '"schema_version": 7'), "schema version 7"),
        (text.replace('"rule": "exact"', '"rule": "other"'), "signature does not follow"),
    ):
        wrong.write_text(content)
        result = run("compare", records["base"], wrong)
        assert result.code == 2 and said in result.line


def test_records_of_different_data_are_refused(run: Run, records: dict[str, Path]) -> None:
    other = save_record(drawn_record("twin", kind="synthetic", per_kind=60, draws=0), Path("kept"))
    result = run("compare", records["base"], other)
    assert result.code == 2 and "never compared" in result.line
    shorter = save_record(drawn_record("short", per_kind=20, draws=0), Path("kept"))
    result = run("compare", records["base"], shorter)
    assert "signatures differ in list of comparisons" in result.line
    named = run("compare", "base", "short", "--records", "kept")
    assert named.code == 2 and "are of different data or comparisons" in named.line


def test_methods_of_several_seeds(run: Run, work: Path) -> None:
    for number in (1, 2):
        for name, strength in (("plain", 3.0), ("weak", 2.0)):
            seed = number + 10 * (name == "weak")
            made = drawn_record(
                f"{name}_s{number}", seed=seed, strength=strength, per_kind=40, draws=20,
                weights=f"{seed:02d}" * 32,
            )  # fmt: skip
            save_record(made, work / "seeds")
    names = ("plain_s1", "plain_s2", "weak_s1", "weak_s2")
    arguments = ("compare", *names, "--records", "seeds", "-p", "lfw", "--by", "method")
    text = run(*arguments).out
    assert "method weak (2 seeds) against plain (2 seeds)" in text
    assert "interval over people and seeds]" in " ".join(text.split())
    first = next(csv.DictReader(io.StringIO(run(*arguments, "--format", "csv").out)))
    (same, *_) = json.loads(run(*arguments, "--format", "json").out)
    assert first["base_method"] == "plain" and float(first["p_value"]) == same["p_value"]
    alone = run("compare", *names[1:], "--records", "seeds", "-p", "lfw", "--by", "method").out
    assert "one seed only of plain: the interval is over people" in " ".join(alone.split())
    assert "--by compares methods" in run(*arguments, "--show-flips", 2, "--data", ".").line


@pytest.mark.shipped_results
@pytest.mark.parametrize("protocol", ["lfw-all-pairs", "lfw-closed"])
def test_methods_are_refused_where_there_are_no_pairs_in_folds(run: Run, protocol: str) -> None:
    result = run("compare", "baseline", "sparse_074", "-p", protocol, "--by", "method")
    assert result.code == 2
    assert f"methods are compared on pairs in folds, and {protocol} (" in result.line
