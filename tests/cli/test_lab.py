"""``facebench train`` and ``facebench prune``: mistakes in one line, and a tiny run."""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from facebench.cli import lab
from facebench.lab.connections.criteria import NAMES
from facebench.lab.filters.importance import CRITERIA as FILTER_CRITERIA
from facebench.models.zoo import load_model
from tests.helpers.training_toys import TINY_RECIPE, write_people

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


def test_the_help_names_every_criterion(run) -> None:
    """It is shown without torch, which the registries need."""
    shown = run("prune", "--help").out
    words = set(re.findall(r"[a-z0-9]+", shown[shown.index("--criterion") :]))
    assert {*NAMES, *FILTER_CRITERIA} <= words


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


def test_what_a_plan_names_and_is_not_there(run, people: Path, work: Path) -> None:
    """The zoo's plan names folders of the machine that made it; options name others."""
    plan = PLAN.replace(
        'sources = ["people"]', 'sources = ["../far/people:3"]\nteacher = "../far/t.onnx"'
    )
    (work / "plan.toml").write_text(plan)
    said = run("prune", "plan.toml").line
    assert said == (
        "facebench: ../far/people, where the plan has its faces, is not there; give --data FOLDER"
    )
    said = run("prune", "plan.toml", "--data", "people").line
    assert said == (
        "facebench: ../far/t.onnx, where the plan has its teacher, is not there; "
        "give --teacher FILE"
    )
    assert not (work / "training").exists()


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
        (("train", "mini", "--data", "people", "--precision", "int8"), "float32, bfloat16"),
        (("train", "mini", "--data", "people", "--hold-out", "11"), "leave at least 2"),
        (("train", "mini", "--data", "people", "--recipe", "plain"), "--teacher"),
        (("train", "mini", "--data", "people", "--recipe", "short", "--bank", "b"), "has none"),
        (("train", "mini", "--data", "people", "--apart-from", "people"), "--teacher"),
        (("train", "mini", "--data", "people", "--apart-source", "fiw"), "--apart-from"),
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
        (
            ("prune", "baseline", "--layer", "f", "--keep", "1/2", "--freeze-below", "1a"),
            "below 1a there is no layer to freeze; name a later one",
        ),
        (("prune", "baseline", "--layer", "4b", "--keep", "1/2", "--freeze-below", "5a"), "frozen"),
        (("prune", "squeezenet1_1", "--structured", "--freeze-below", "5a"), "--structured"),
        (("prune", "absent.toml", "--layer", "f"), "absent.toml"),
    ],
)
def test_mistakes(run, people: Path, work: Path, arguments, said: str) -> None:
    done = run(*arguments)
    assert done.code == 2 and said in done.line
    assert not (work / "models").exists()


def test_a_teacher_that_is_a_program_is_refused_unread(run, people: Path, work: Path) -> None:
    (work / "t.pt").write_bytes(b"not looked at")
    plan = PLAN.replace('["people"]', '["people"]\nteacher = "t.pt"')
    (work / "taught.toml").write_text(plan)
    named = ("train", "mini", "--data", "people", "--recipe", "tiny.toml", "--teacher", "t.pt")
    for command in (named, ("prune", "taught.toml")):
        done = run(*command, "--untrusted")
        assert done.code == 2 and "model t: is a program" in done.line
        assert "not a TorchScript file" in run(*command).line
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


def test_what_is_kept_is_found_however_the_folders_are_spelt(
    run, people: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (work / "link").symlink_to(people)
    train = ("train", "mini", "--width", "0.03125", "--recipe", "tiny.toml", "-q", "--data")
    assert run(*train, "people", "--work", "w").code == 0
    card, folders = (work / "models" / "mini.toml").read_bytes(), sorted(os.listdir("w"))
    (log,) = (work / "w").glob("mini-*/log.csv")
    before = log.stat().st_mtime_ns
    for data, place in (
        ("./people", "./w"), (people, work / "w"), ("link", "w"), ("people/../people", "w"),
    ):  # fmt: skip
        assert run(*train, data, "--work", place).code == 0
        assert (work / "models" / "mini.toml").read_bytes() == card
        assert sorted(os.listdir("w")) == folders and log.stat().st_mtime_ns == before
    (work / "elsewhere" / "people").parent.mkdir()
    people.rename(work / "elsewhere" / "people")  # nor where they lie
    assert run(*train, "elsewhere/people", "--work", "w").code == 0
    assert sorted(os.listdir("w")) == folders
    monkeypatch.chdir(work / "elsewhere" / "people")
    there = (*train[:5], str(work / "tiny.toml"), *train[6:])
    assert run(*there, ".", "--work", work / "w").code == 0
    text = Path("models/mini.toml").read_text()  # a path of this machine is in no card
    assert tomllib.loads(text)["training"]["data"] == "people; recipe tiny.toml"
    assert str(work) not in text


def test_faces_that_changed_are_another_training(run, people: Path, work: Path) -> None:
    train = ("train", "mini", "--width", "0.03125", "--recipe", "tiny.toml", "-q",
             "--data", "people", "--work", "w")  # fmt: skip
    assert run(*train).code == 0
    before = (work / "models" / "mini.toml").read_bytes()
    (people / "person0").rename(people / "someone")
    for image in (people / "someone").iterdir():
        image.write_bytes((people / "person1" / "0.png").read_bytes())
    refused = run(*train)
    assert refused.code == 2 and "of other data or settings; add --overwrite" in refused.line
    assert (work / "models" / "mini.toml").read_bytes() == before
    assert run(*train, "--overwrite").code == 0
    found = [
        tomllib.loads(text)["training"]
        for text in (before.decode(), (work / "models" / "mini.toml").read_text())
    ]
    assert found[0]["fingerprint"] != found[1]["fingerprint"]
    assert found[0]["faces"] != found[1]["faces"] and found[0]["data"] == found[1]["data"]
    assert len(list((work / "w").glob("mini-*"))) == 2


def test_a_metric_is_not_learned_from_people_that_the_network_was_trained_on(
    run, people: Path, work: Path
) -> None:
    common = ("--width", "0.03125", "--recipe", "tiny.toml", "-q", "--data", "people")
    assert run("train", "first", *common, "--hold-out", "2").code == 0
    assert run("train", "second", *common, "--hold-out", "3").code == 0
    unseen = {
        name: (work / "models" / "weights" / f"{name}.unseen.txt").read_text().split()
        for name in ("first", "second")
    }
    assert [len(names) for names in unseen.values()] == [2, 3]
    fit = ("metric", "fit", "first", "--data", "people", "--workers", "0", "-q", "--out", "m")
    refused = run(*fit)
    assert refused.code == 2 and "first was trained on 4 of the 6 identities" in refused.line
    own = "models/weights/first.unseen.txt"
    assert "give --identities" in refused.line and own in refused.line
    other = run(*fit, "--identities", "models/weights/second.unseen.txt")
    assert other.code == 2 and "first was trained on 1 of the 3 identities" in other.line
    assert not (work / "m").exists()
    made = run(*fit, "--identities", own)
    assert made.code == 0 and "cannot be known" not in made.err
    # A network that started from it has learned from the same people.
    prune = ("prune", "first", "--layer", "f", "--keep", "1/8", "--name", "thin", *common[2:])
    assert run(*prune, "--hold-out", "3").code == 0
    thin = ("metric", "fit", "thin", *fit[3:])
    inherited = run(*thin, "--identities", "models/weights/thin.unseen.txt")
    assert inherited.code == 2 and "thin started from first, trained on 1 of" in inherited.line
    # Other files may show the same people: that is said, not guessed.
    (people / "person0" / "0.png").unlink()
    doubtful = run(*fit)
    assert doubtful.code == 0
    assert "whether first was trained on people of people cannot be known" in doubtful.err


@pytest.mark.parametrize(
    "place, said",
    [
        ("models", "cards go to models: is a file"),
        ("reports", "reports is not a folder"),
        ("w", "--work w: is a file"),
        ("log.png", "--plot log.png: is a folder"),
    ],
)
def test_what_could_not_be_written_at_the_end_is_told_before_the_work(
    run, people: Path, work: Path, place: str, said: str
) -> None:
    if place == "log.png":
        (work / place).mkdir()
    else:
        (work / place).touch()
    train = ("train", "mini", "--width", "0.03125", "--data", "people", "--recipe", "tiny.toml")
    done = run(*train, "--work", "w", "--plot", "log.png")
    assert done.code == 2 and said in done.line
    assert place == "w" or not (work / "w").exists()


def test_a_training_goes_on_with_its_first_number_of_threads(run, people: Path, work: Path) -> None:
    train = ("train", "mini", "--width", "0.03125", "--data", "people", "--recipe", "tiny.toml")
    before = torch.get_num_threads()
    try:
        assert run(*train, "--work", "w", "--threads", "2").code == 0
        weights, card = work / "models" / "weights" / "mini.safetensors", work / "models/mini.toml"
        first, words = weights.read_bytes(), tomllib.loads(card.read_text())["training"]["device"]
        assert words.endswith("2 threads")
        (folder,) = (work / "w").glob("mini-*")
        for name in ("final.pt", "checkpoint.pt", "published.json"):
            (folder / name).unlink()
        again = run(*train, "--work", "w", "--threads", "1", "--overwrite")
        assert again.code == 0 and again.err.count("that it began with, 2, not 1") == 1
        assert weights.read_bytes() == first
        assert tomllib.loads(card.read_text())["training"]["device"] == words
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("number, apart", [(1, ""), (2, ", person0 being held out")])
def test_identification_is_not_learned_from_one_person(
    run, people: Path, work: Path, number: int, apart: str
) -> None:
    write_people(work / "few", number)
    done = run("train", "mini", "--data", "few", "--recipe", "tiny.toml", "--work", "w")
    assert done.code == 2 and f"one identity is left to learn{apart};" in done.line
    assert not (work / "models").exists() and os.listdir("w") == ["data"]


def test_shares_that_keep_nothing_are_refused_before_the_work(
    run, people: Path, work: Path
) -> None:
    (work / "plan.toml").write_text(PLAN.replace("1/16", "1/1000000"))
    for arguments in (("prune", "plan.toml"), ("train", "mini", "--width", "0.03125")):
        done = run(*arguments, "--data", "people", "--recipe", "tiny.toml", "--work", "w", "-q")
        assert (done.code, (work / "models").exists()) == ((2, False), (0, True))[
            "mini" in arguments
        ]
        if done.code:
            assert "s1: keep = 1/1000000: that is 0.000768 of the 768 connections" in done.line
            assert "at least 1/192" in done.line
    prune = ("prune", "mini", "--layer", "f", "--data", "people", "--recipe", "tiny.toml", "-q")
    assert run(*prune, "--keep", "1/192", "--name", "thin").code == 0
    more = run("prune", "thin", *prune[2:], "--keep", "1/2")
    assert more.code == 2 and "its parent keeps 1/192 of f already" in more.line
    assert "--keep 25%: not a share" in run(*prune, "--keep", "25%").line


BANKED = TINY_RECIPE.replace("identity = 1.0", "regression = 1.0").replace(
    "[train]", "[bank]\nfaces = 40\nseed = 3\n[train]"
)


def colour_of(folder: Path) -> np.ndarray:
    """The unit vector of a person's colour as the teacher is shown it."""
    mean = np.mean([cv2.imread(str(path))[..., ::-1].mean((0, 1)) for path in folder.iterdir()], 0)
    shown = (mean / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    return np.asarray(shown / np.linalg.norm(shown))


def colours_of_blocks(path: Path) -> None:
    """A teacher that averages blocks of 28×28 pixels."""
    onnx = pytest.importorskip("onnx", reason="needs the onnx package to make a small teacher")
    pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")
    helper, real = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [
            helper.make_node("AveragePool", ["x"], ["p"], kernel_shape=[28, 28], strides=[28, 28]),
            helper.make_node("Flatten", ["p"], ["e"], axis=1),
        ],
        "g",
        [helper.make_tensor_value_info("x", real, ["n", 3, 112, 112])],
        [helper.make_tensor_value_info("e", real, None)],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), str(path))


def test_a_network_learns_from_a_bank_apart_from_whom_it_is_judged_on(
    run, people: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_people(work / "judged", people=1)
    colours = {path.name: colour_of(path) for path in people.iterdir()}
    cosines = [float(colours["person0"] @ colour) for colour in colours.values()]
    near = sum(cosine > 0.4 for cosine in cosines)
    assert 1 <= near <= 3 and min(abs(cosine - 0.4) for cosine in cosines) > 0.01
    colours_of_blocks(work / "colours.onnx")
    monkeypatch.setattr("facebench.lab.data.bank.SHARD", 64)
    (work / "banked.toml").write_text(BANKED.replace('"float32"', '"auto"'))
    teacher = ("--teacher", "colours.onnx")
    arguments = (
        "train", "mini", "--width", "0.03125", "--data", "people", "--recipe", "banked.toml",
        *teacher, "--bank", "bank", "--apart-from", "judged", "-q",
    )  # fmt: skip
    done = run(*arguments)
    assert (done.code, done.out) == (0, "models/mini.toml\n"), done.err
    kept = {path.name: path.read_bytes() for path in (work / "bank").iterdir()}
    assert sorted(kept) == ["answers-00000.npz", "bank.json", "faces-00000.npy"]
    card = tomllib.loads((work / "models" / "mini.toml").read_text())["training"]
    fingerprint = json.loads(kept["bank.json"])["fingerprint"]
    words = " ".join(card["data"].split())
    assert f"bank of 40 faces (40% morphs, seed 3, fingerprint {fingerprint})" in words
    assert f"{near} identities left out as like faces of judged" in words
    chosen = json.loads(next((work / "training").glob("mini-*/precision.json")).read_text())[
        "chosen"
    ]
    assert card["precision"].startswith(chosen)
    figures = json.loads(next((work / "training").glob("mini-*/held_out.json")).read_text())
    assert -1 <= figures["cosine_to_teacher"] <= 1
    assert run(*arguments).code == 0  # nothing is left to do
    assert {path.name: path.read_bytes() for path in (work / "bank").iterdir()} == kept
    done = run("train", "other", *arguments[2:5], "people:2", *arguments[6:])
    assert done.code == 2 and "leave out the weight" in done.line
    done = run("train", "other", *arguments[2:-3], "-q")
    assert done.code == 2 and "another --bank" in done.line  # other crops are learned


def test_a_teacher_with_a_card_takes_its_faces_as_the_card_says() -> None:
    """The defaults of files went before it: 112x112 and ImageNet's mean, or a refusal."""
    card = load_model("baseline").preprocessing
    assert lab._embedder(lab.Lab(), Path("baseline")).preprocessing == card
    assert card.size == (112, 96) and card.mean[0] == 127.5
