"""``facebench distill``: mistakes in one line, and a tiny student of a zoo model and of code."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from tests.helpers.training_toys import TINY_RECIPE, write_people

RECIPE = TINY_RECIPE.replace("identity = 1.0", "regression = 2.0\nidentity = 0.1")


@pytest.fixture
def people(work: Path) -> Path:
    (work / "tiny.toml").write_text(RECIPE)
    return write_people(work / "people")


def test_a_student_of_two_teachers_and_then_its_own_student(
    run, people: Path, faces: Path, work: Path
) -> None:
    common = ("--data", "people", "--recipe", "tiny.toml", "-q")
    assert run("train", "big", "--width", "0.0625", *common).code == 0
    arguments = (
        "distill", "--teacher", "big", "--teacher", "tiny_model:make", "--teacher-size", "112x96",
        "--student", "small", "--width", "0.03125", "--neurons", "7",
        *common, "-p", "lfw", "--protocol-data", faces,
    )  # fmt: skip
    done = run(*arguments)
    assert (done.code, done.out) == (0, "models/small.toml\n"), done.err
    card = tomllib.loads((work / "models" / "small.toml").read_text())
    notes = " ".join(card["notes"].split())
    assert "Taught 7 selected of" in notes and "of big + " in notes and ": accuracy " in notes
    assert "teacher big + " in " ".join(card["training"]["data"].split())
    report = json.loads((work / "reports/results/distillation/small.json").read_text())
    assert report["count"] == 7 and report["teachers"][0]["model"] == "big"
    assert list((work / "reports" / "results" / "lfw").rglob("small-*.json"))
    before = (work / "models" / "small.toml").read_bytes()
    assert run(*arguments).code == 0  # nothing is left to do
    assert (work / "models" / "small.toml").read_bytes() == before
    # All neurons of one teacher: its parameters are known, and so is the ratio.
    done = run("distill", "--teacher", "big", "--student", "all", "--width", "0.03125",
               "--targets", "all", *common)  # fmt: skip
    assert done.code == 0, done.err
    notes = tomllib.loads((work / "models" / "all.toml").read_text())["notes"]
    assert "times fewer parameters (" in " ".join(notes.split()) and "51.6 times" in notes
    values = json.loads((work / "reports/results/diagnostics/all.json").read_text())["values"]
    assert values["compression_against_teacher"] > 1


@pytest.mark.parametrize(
    "arguments, said",
    [
        ((), "--student"),
        (("--student", "s"), "--teacher"),
        (("--student", "s", "--teacher", "basline"), "did you mean 'baseline'"),
        (("--student", "s", "--teacher", "baseline"), "--data"),
        (("--student", "s/t", "--teacher", "baseline"), "--student s/t"),
        (("--student", "../s", "--teacher", "baseline"), "--student ../s: a name of letters"),
        (("--student", "ensemble_5", "--teacher", "baseline"), "ensemble; give another name"),
        (("--student", "baseline", "--teacher", "baseline", "--data", "people"), "own teacher"),
        (("--student", "s", "--teacher", "baseline", "--targets", "al"), "did you mean 'all'"),
        (("--student", "s", "--teacher", "baseline", "--targets", "all", "--neurons", "3"),
         "--neurons belongs"),
        (("--student", "s", "--teacher", "baseline", "--targets", "all", "--nuisance-weight", "1"),
         "--nuisance-weight belongs to --targets selected, not to all"),
        (("--student", "s", "--teacher", "baseline", "--targets", "soft-labels",
          "--redundancy-weight", "2"), "--redundancy-weight belongs to --targets selected"),
        (("--student", "s", "--teacher", "baseline", "--targets", "all", "--temperature", "4"),
         "--temperature belongs to --targets soft-labels, not to all"),
        (("--student", "s", "--teacher", "baseline", "--architecture", "squeezenet"),
         "did you mean 'squeezenet1_1'"),
        (("--student", "s", "--teacher", "baseline", "--embedding", "9"), "--embedding"),
        (("--student", "s", "--teacher", "baseline", "--data", "people", "--recipe", "paper"),
         "normalised"),
        (("--student", "s", "--teacher", "baseline", "--device", "gpu"), "cpu, cuda"),
        (("--student", "s", "--teacher", "baseline", "--nuisance-weight", "nan"),
         "--nuisance-weight nan: must be a number that is at least 0"),
        (("--student", "s", "--teacher", "baseline", "--redundancy-weight", "inf"),
         "--redundancy-weight inf: must be"),
        (("--student", "s", "--teacher", "baseline", "--nuisance-weight", "-1"), "at least 0"),
        (("--student", "s", "--teacher", "baseline", "--temperature", "nan",
          "--targets", "soft-labels"), "--temperature nan"),
        (("--student", "s", "--teacher", "baseline", "--width", "nan"), "width"),
    ],
)  # fmt: skip
def test_mistakes(run, people: Path, work: Path, arguments, said: str) -> None:
    done = run("distill", *arguments)
    assert done.code == 2 and said in done.line, done.err
    assert not (work / "models").exists()
