"""``facebench train`` and ``facebench prune --structured``: mistakes in one line, a tiny run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.training_toys import TINY_RECIPE, write_people

CARD = """
name = "tiny"
title = "Tiny SqueezeNet"
architecture = "squeezenet1_1"
width = 0.125
embedding = 8
notes = "Mine."
[preprocessing]
size = [112, 96]
flip = "add"
"""


@pytest.fixture
def people(work: Path) -> Path:
    (work / "tiny.toml").write_text(TINY_RECIPE)
    (work / "models").mkdir()
    (work / "models" / "tiny.toml").write_text(CARD)
    return write_people(work / "people")


@pytest.mark.slow
def test_train_then_remove_filters(run, people: Path, work: Path) -> None:
    common = ("--data", "people", "--recipe", "tiny.toml", "-q")
    done = run("train", "tiny", *common)
    assert (done.code, done.out) == (0, "models/tiny.toml\n"), done.err
    assert 'notes = "Mine."' in (work / "models" / "tiny.toml").read_text()
    prune = ("prune", "tiny", "--structured", "--step", "5%", "--until", "20%", "--points", "10%")
    done = run(*prune, "--steps", "1", *common)
    assert done.out == "models/tiny_taylor_10.toml\nmodels/tiny_taylor_20.toml\n", done.err
    folder = work / "reports" / "results" / "diagnostics" / "filters"
    assert (folder / "tiny_taylor.png").exists() and (folder / "tiny_taylor.csv").exists()
    before = (work / "models" / "tiny_taylor_20.toml").read_bytes()
    assert run(*prune, "--steps", "1", *common).code == 0  # nothing is left to do
    assert (work / "models" / "tiny_taylor_20.toml").read_bytes() == before
    assert run("prune", "tiny_taylor_10", "--structured", *common).code == 2


@pytest.mark.parametrize(
    "arguments, said",
    [
        (("train", "tiny", "--data", "people", "--width", "0.5"), "says its own"),
        (("train", "tiny", "--data", "people", "--recipe", "paper"), "--recipe compact"),
        (("train", "tiny", "--data", "people", "-p", "lfww"), "did you mean 'lfw'"),
        (("train", "tiny", "--data", "people", "-p", "lfw", "--protocol-data", "gone"), "gone"),
        (("prune", "tiny", "--layer", "f", "--keep", "1/2"), "add --structured"),
        (("prune", "tiny", "--structured", "--data", "people"), "no trained weights"),
        (("prune", "tiny", "--structured", "--layer", "f"), "no --layer"),
        (("prune", "tiny", "--structured", "--criterion", "tailor"), "did you mean 'taylor'"),
        (("prune", "tiny", "--structured", "--criterion", "obd"), "taylor, l1, random"),
        (("prune", "tiny", "--structured", "--step", "much"), "--step much"),
        (("prune", "tiny", "--structured", "--points", "70%"), "--until"),
        (("prune", "tiny", "--structured", "--points", ","), "--points ,: names no share; write"),
        (("prune", "tiny", "--structured", "--points", ""), "names no share; write 5%"),
        (("prune", "tiny", "--structured", "--step", "2%", "--points", "5%"), "write 4% or 6%"),
        (("prune", "tiny", "--structured", "--until", "60"), "more than all; write 60% or 0.6"),
        (("prune", "tiny", "--structured", "--until", ""), "--until : write a share such as 5%"),
        (("prune", "baseline", "--structured", "--data", "people"), "convnet cannot be removed"),
        (("prune", "baseline", "--step", "1%"), "belong to --structured"),
    ],
)
def test_mistakes(run, people: Path, work: Path, arguments, said: str) -> None:
    done = run(*arguments)
    assert done.code == 2 and said in done.line
    assert {path.name for path in (work / "models").iterdir()} == {"tiny.toml"}
