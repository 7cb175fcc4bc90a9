"""``facebench train`` and ``facebench prune``: mistakes in one line, and a tiny run."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from training_toys import TINY_RECIPE, write_people

PLAN = """
width = 0.03125
recipe = "tiny.toml"
[baseline]
model = "dense"
[data]
sources = ["people"]
[[step]]
model = "s1"
layer = "f"
keep = "1/16"
"""


@pytest.fixture
def people(work: Path) -> Path:
    (work / "tiny.toml").write_text(TINY_RECIPE)
    (work / "plan.toml").write_text(PLAN)
    return write_people(work / "people")


def test_train_then_prune_a_card_then_a_plan(run, people: Path, work: Path) -> None:
    common = ("--data", "people", "--recipe", "tiny.toml", "-q")
    done = run("train", "mini", "--width", "0.03125", *common, "--plot", "log.png")
    assert (done.code, done.out) == (0, "models/mini.toml\n"), done.err
    assert (work / "log.png").read_bytes()[:4] == b"\x89PNG"
    done = run("prune", "mini", "--layer", "f", "--keep", "1/8", *common, "--name", "thin")
    assert (done.code, done.out) == (0, "mini\nmodels/thin.toml\n"), done.err
    assert run("prune", "thin", "--criterion", "scratch", *common).code == 0
    done = run("prune", "plan.toml", "-q")
    assert (done.code, done.out) == (0, "models/dense.toml\nmodels/s1.toml\n"), done.err
    before = (work / "models" / "s1.toml").read_bytes()
    assert run("prune", "plan.toml", "-q").code == 0  # nothing is left to do
    assert (work / "models" / "s1.toml").read_bytes() == before
    listed = run("models", "--format", "json").out
    assert '"s1"' in listed and '"thin_scratch"' in listed


@pytest.mark.parametrize(
    "arguments, said",
    [
        (("train", "mini"), "--data"),
        (("train", "mini", "--data", "nowhere"), "no such folder"),
        (("train", "mini", "--data", "people", "--recipe", "shrt"), "did you mean 'short'"),
        (("train", "mini", "--data", "people", "--width", "9"), "width"),
        (("train", "mini", "--data", "people", "--plot", "x.gif"), ".png"),
        (("train", "mini", "--data", "people", "--device", "gpu"), "cpu, cuda"),
        (("train", "mini", "--data", "people", "--device", "cuda"), "no CUDA device"),
        (("train", "mini", "--data", "people", "--precision", "int8"), "float32 or bfloat16"),
        (("train", "mini", "--data", "people", "--hold-out", "11"), "leave at least 2"),
        (("train", "mini", "--data", "people", "-p", "lfww"), "did you mean 'lfw'"),
        (("train", "mini", "--data", "people", "-p", "lfw", "--protocol-data", "gone"), "gone"),
        (("train", "sparse_074", "--data", "people"), "is sparse"),
        (("train", "ensemble_5", "--data", "people"), "only a convnet"),
        (("prune", "basline", "--layer", "f", "--keep", "1/2"), "did you mean 'baseline'"),
        (("prune", "baseline"), "--layer and --keep"),
        (("prune", "baseline", "--layer", "f", "--keep", "2"), "share"),
        (("prune", "baseline", "--criterion", "obdd"), "did you mean 'obd'"),
        (("prune", "plan.toml", "--layer", "f"), "is a plan"),
        (("prune", "plan.toml", "--freeze-below", "4a"), "is a plan"),
        (("prune", "baseline", "--layer", "f", "--keep", "1/2", "--views", "2"), "--freeze-below"),
        (("prune", "baseline", "--layer", "4b", "--keep", "1/2", "--freeze-below", "5a"), "frozen"),
        (("prune", "squeezenet1_1", "--structured", "--freeze-below", "5a"), "--structured"),
        (("prune", "absent.toml", "--layer", "f"), "absent.toml"),
    ],
)
def test_mistakes(run, people: Path, work: Path, arguments, said: str) -> None:
    done = run(*arguments)
    assert done.code == 2 and said in done.line
    assert not (work / "models").exists()


def test_the_evaluation_is_in_the_card_and_its_record_is_kept(
    run, people: Path, faces: Path, work: Path
) -> None:
    done = run(
        *("train", "mini", "--width", "0.03125", "--data", "people", "--recipe", "tiny.toml"),
        *("-q", "-p", "lfw", "--protocol-data", faces),
    )
    assert done.code == 0, done.err
    notes = tomllib.loads((work / "models" / "mini.toml").read_text())["notes"]
    assert "lfw on" in " ".join(notes.split()) and "accuracy 0." in " ".join(notes.split())
    assert list((work / "reports" / "results" / "lfw").rglob("mini-*.json"))
