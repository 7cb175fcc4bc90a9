"""``facebench metric``: learning one, attaching it, showing it."""

from __future__ import annotations

import csv
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from facebench.base.storage import sha256_file
from facebench.evaluation.candidate import candidate_of
from facebench.lab.learning.loop import save_checkpoint
from facebench.lab.learning.losses import Supervision
from facebench.lab.learning.normalised import NormalisedConvNet
from facebench.models.cards.card import read_card
from facebench.models.cards.publish import publish_weights
from facebench.records.files import read_record
from facebench.similarity.learned import load_metric

Run = Callable[..., "Result"]  # noqa: F821
CARD = """name = "toy"
title = "A toy"
architecture = "python"
weights = "tiny_model:pinned"
"""
QUIET = ("--workers", "0", "--quiet", "--components", "4")


@pytest.fixture
def card(work: Path) -> Path:
    """The model ``toy`` in models/ of the working directory."""
    (work / "models").mkdir(exist_ok=True)
    path = work / "models" / "toy.toml"
    path.write_text(CARD)
    return path


def crops(size: tuple[int, int] = (112, 96)) -> dict[str, bytes]:
    """Four people of five aligned crops each: PNG bytes by ``person/number.png``."""
    rng = np.random.default_rng(0)
    found = {}
    for person in ("Ann", "Bob", "Cleo", "Dan"):
        base = cv2.resize(rng.integers(0, 255, (6, 5, 3), dtype=np.uint8), size[::-1])
        for number in range(5):
            image = np.clip(base + rng.normal(0, 20, base.shape), 0, 255).astype(np.uint8)
            found[f"{person}/{number}.png"] = cv2.imencode(".png", image)[1].tobytes()
    return found


def in_folder(folder: Path, images: dict[str, bytes]) -> Path:
    for key, data in images.items():
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).write_bytes(data)
    return folder


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """A folder per identity."""
    return in_folder(tmp_path / "people", crops())


@pytest.fixture
def zipped(tmp_path: Path) -> Path:
    """An index CSV over one zip; the crops 128×112, one row without an identity."""
    folder = tmp_path / "zipped"
    folder.mkdir()
    images = crops((128, 112))
    with zipfile.ZipFile(folder / "some.zip", "w") as archive:
        for key, data in images.items():
            archive.writestr(key, data)
    with (folder / "index.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("file", "source", "identity", "warp_scale"))
        for key in images:
            writer.writerow((key, "some", "" if key == "Dan/4.png" else key.split("/")[0], 1))
    return folder


def test_attached_to_the_card_and_shown(run: Run, card: Path, people: Path) -> None:
    done = run("metric", "fit", "toy", "--data", people, "--attach", *QUIET)
    assert done.code == 0, done.err
    assert "20 images of 4 identities, 168 -> 4 dimensions" in done.out
    path = card.parent / "weights" / "toy.metric.safetensors"
    fields = tomllib.loads(card.read_text())["metric"]
    assert fields == {
        "file": "weights/toy.metric.safetensors",
        "sha256": sha256_file(path),
        "fitted_on": "people",
        "identities": 4,
        "images": 20,
    }
    metric = load_metric(path)
    assert metric.facts.weights_hash == "ab" * 32
    assert "flip=none" in metric.facts.preprocessing
    shown = run("metric", "show", path)
    assert shown.code == 0
    for text in (metric.signature, "pinned", "abababababababab", "people", "168 numbers"):
        assert text in shown.out
    # Mean, four components, basis and ratios; nothing is kept wider than float32.
    values = 168 + 4 * 168 + 4 * 4 + 4
    assert f"{values:,} numbers" in shown.out and metric.values == values
    assert f"{path.stat().st_size:,} bytes" in shown.out and path.stat().st_size < 4 * values + 1000
    before = card.read_bytes(), path.read_bytes()
    run("metric", "fit", "toy", "--data", people, "--attach", *QUIET)
    assert before == (card.read_bytes(), path.read_bytes())


def test_an_index_over_zips_restricted_to_identities(
    run: Run, card: Path, zipped: Path, work: Path
) -> None:
    (work / "unseen.txt").write_text("Dan\nAnn\n\nAnn\nBob\n")
    for data in (zipped, zipped / "index.csv"):
        done = run(
            *("metric", "fit", "toy", "--data", data, "--identities", "unseen.txt"),
            *("--out", "m.safetensors", *QUIET),
        )
        assert done.code == 0, done.err
        facts = load_metric(work / "m.safetensors").facts
        assert (facts.identities, facts.images) == (3, 14)
        assert (
            facts.fitted_on == "zipped (index), identities of unseen.txt"
            and facts.alignment == "template-crop"
        )
    assert "metric" not in tomllib.loads(card.read_text())


def test_several_data_and_rendered_people(run: Run, card: Path, people: Path, work: Path) -> None:
    (work / "unseen.txt").write_text("Cleo\nBob\n")
    done = run(
        *("metric", "fit", "toy", "--data", people, "--data", "synthetic"),
        *("--synthetic-identities", 2, "--identities", "unseen.txt"),
        *("--out", "m.safetensors", *QUIET),
    )
    assert done.code == 0, done.err
    facts = load_metric(work / "m.safetensors").facts
    assert (facts.identities, facts.images) == (4, 34)
    assert facts.fitted_on == "people, identities of unseen.txt + 2 rendered identities"


def test_landmarks_align_a_folder(run: Run, card: Path, tmp_path: Path, work: Path) -> None:
    folder = in_folder(tmp_path / "large", crops((300, 260)))
    refused = run("metric", "fit", "toy", "--data", folder, "--out", "m", *QUIET)
    assert refused.code == 2 and "300x260; an aligned crop is 112x96" in refused.line
    points = "100\t110\t160\t110\t130\t150\t105\t180\t155\t180"
    (folder / "landmarks.txt").write_text("".join(f"{key}\t{points}\n" for key in crops()))
    assert run("metric", "fit", "toy", "--data", folder, "--out", "m", *QUIET).code == 0
    assert load_metric(work / "m").facts.alignment.startswith("landmarks-5pt(")


def test_the_advice_on_images_without_landmarks_can_be_taken(
    run: Run, card: Path, tmp_path: Path
) -> None:
    folder = in_folder(tmp_path / "large", crops((300, 260)))
    points = "100\t110\t160\t110\t130\t150\t105\t180\t155\t180"
    rows = [f"{key}\t{points}\n" for key in crops()]
    (folder / "landmarks.txt").write_text("".join(rows[1:]))
    fit = ("metric", "fit", "toy", "--data", folder, "--out", "m", *QUIET)
    assert run(*fit).line.endswith("failures to acquire with --on-missing count")
    ended = run(*fit, "--on-missing", "count")
    assert ended.code == 0 and f"{len(rows) - 1} images of" in ended.out


def test_embeddings_of_a_file(run: Run, card: Path, work: Path) -> None:
    rng = np.random.default_rng(0)
    np.save("x.npy", rng.standard_normal((12, 7)).astype(np.float32))
    Path("names.txt").write_text("".join(f"p{i // 3}/{i}\n" for i in range(12)))
    given = ("--embeddings", "x.npy", "--names", "names.txt", "--out", "m", "--components", "3")
    assert run("metric", "fit", "toy", *given).code == 0
    facts = load_metric(work / "m").facts
    assert (facts.identities, facts.images, facts.fitted_on) == (4, 12, "x.npy")
    Path("some.txt").write_text("p0\np3\n")
    assert run("metric", "fit", "toy", *given, "--identities", "some.txt").code == 0
    assert load_metric(work / "m").facts.images == 6
    Path("names.txt").write_text("".join(f"{i}\n" for i in range(12)))
    assert "'0' names no identity" in run("metric", "fit", "toy", *given).line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("toy", "--data", "people"), "--attach"),
        (("toy", "--out", "m"), "--data FOLDER, or --embeddings"),
        (("toy", "--data", "absent", "--out", "m"), "absent: no such folder"),
        (("toy", "--data", "empty", "--out", "m"), "no folder per identity"),
        (("toy", "--data", "bare", "--out", "m"), "columns file, source and identity"),
        (("toy", "--embeddings", "x.npy", "--out", "m"), "belong together"),
        (("toi", "--data", "people", "--out", "m"), "did you mean 'toy'"),
        (("tiny_model:pinned", "--data", "people", "--attach"), "no card"),
        (("toy", "--data", "people", "--out", "m", "--normalise", "unti"), "'unit'"),
        (("toy", "--data", "people", "--out", "m", "--identities", "list"), "did you mean 'Cleo'"),
        (("toy", "--data", "one", "--out", "m"), "1 identities"),
        (("toy", "--data", "people", "--out", "m", "--shrinkage", "0"), "rank"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    run: Run, card: Path, work: Path, arguments: tuple[str, ...], message: str
) -> None:
    in_folder(work / "people", crops())
    in_folder(work / "one", {k: v for k, v in crops().items() if k.startswith("Ann")})
    (work / "empty").mkdir()
    (work / "bare").mkdir()
    (work / "bare" / "index.csv").write_text("file,name\na,b\n")
    (work / "list").write_text("Cloe\n")
    how = ("--workers", "0", "--quiet", "--components", "0" if "0" in arguments else "4")
    ended = run("metric", "fit", *arguments, *how)
    assert ended.code == 2 and message in ended.line
    assert not (work / "m").exists() and card.read_text() == CARD


def never(*_: object, **__: object) -> None:
    raise AssertionError("the choices are checked before any model or face is read")


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (("--normalise", "centerd"), "--normalise centerd: choose one of none, unit, centred; did"),
        (("--normalise", "foo"), "--normalise foo: choose one of none, unit, centred"),
        (("--shrinkage", "nan"), "--shrinkage"),
        (("--shrinkage", "inf"), "--shrinkage inf: a number from 0 up"),
        (("--shrinkage", "-1"), "--shrinkage"),
        (("--iterations", "0"), "--iterations"),
        (("--components", "-1"), "--components"),
    ],
)
def test_wrong_choices_are_told_before_the_work(
    run: Run, card: Path, monkeypatch: pytest.MonkeyPatch, choice: tuple[str, str], message: str
) -> None:
    for name in (
        "facebench.models.zoo.load_model",
        "facebench.lab.metrics.joint_bayesian.embed_labelled",
    ):
        monkeypatch.setattr(name, never)
    ended = run("metric", "fit", "toy", "--data", "absent", "--out", "m", *choice)
    assert ended.code == 2 and message in ended.line and "learned from" not in ended.line


def test_fewer_components_than_asked_for_are_told(run: Run, card: Path, work: Path) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((12, 7)).astype(np.float32)
    Path("names.txt").write_text("".join(f"p{i // 3}/{i}\n" for i in range(12)))
    given = ("--embeddings", "x.npy", "--names", "names.txt", "--out", "m")
    np.save("x.npy", vectors)
    told = run("metric", "fit", "toy", *given, "--components", "5000").err
    assert told == "the PCA has 7 components, not 5000: embeddings have 7 numbers\n"
    for quiet in ("7", "3", "0"):
        assert run("metric", "fit", "toy", *given, "--components", quiet).err == ""
    vectors[:, 4:] = 0
    np.save("x.npy", vectors)
    told = run("metric", "fit", "toy", *given, "--components", "5").err
    assert told.endswith("not 5: embeddings have 7 numbers, which vary in 4 directions\n")


def test_show_refuses_what_is_no_metric(run: Run, work: Path) -> None:
    (work / "m").write_bytes(b"not this")
    assert "m: not a metric file" in run("metric", "show", "m").line


@pytest.fixture
def tiny(work: Path) -> Path:
    """The checkpoint of the trained ConvNet ``tiny`` in models/."""
    torch.manual_seed(0)
    net = NormalisedConvNet(0.03125).eval()
    path = work / "models" / "tiny.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        'name = "tiny"\ntitle = "T"\narchitecture = "convnet"\nwidth = 0.03125\n'
        '[preprocessing]\nsize = [112, 96]\nflip = "add"\n'
    )
    publish_weights("tiny", net.folded().state_dict(), {}, {"data": "a crowd"}, path.parent)
    supervision = Supervision(net.features, 7, 2).state_dict()
    checkpoint = work / "final.pt"
    save_checkpoint({"net": net.state_dict(), "supervision": supervision, "masks": {}}, checkpoint)
    return checkpoint


def test_a_projection_beside_a_joint_bayesian(run: Run, tiny: Path, work: Path) -> None:
    how = ("metric", "projection", "tiny", "--checkpoint", tiny)
    assert "--attach" in run(*how).line
    made = run(*how, "--attach", "--out", "copy")
    assert made.code == 0, made.err
    path = work / "models" / "weights" / "tiny.projection.safetensors"
    assert "16 -> 7 numbers by 119 weights" in made.out and "flip=add" in made.out
    assert path.read_bytes() == Path("copy").read_bytes()
    shown = run("metric", "show", path).out
    for text in ("projection", load_metric(path).signature, "119 numbers", "a crowd", "tiny"):
        assert text in shown
    rng = np.random.default_rng(0)
    np.save("x.npy", rng.standard_normal((12, 16)).astype(np.float32))
    Path("names.txt").write_text("".join(f"p{i // 3}/{i}\n" for i in range(12)))
    given = ("--embeddings", "x.npy", "--names", "names.txt", "--components", "3", "--attach")
    assert run("metric", "fit", "tiny", *given).code == 0
    fields = tomllib.loads((work / "models" / "tiny.toml").read_text())
    assert fields["projection"] == {
        "file": "weights/tiny.projection.safetensors",
        "sha256": sha256_file(path),
        "fitted_on": "with the network, on a crowd",
    }
    assert fields["metric"]["identities"] == 4
    card = read_card(work / "models" / "tiny.toml")
    candidate = candidate_of(str(card.path))
    for name in ("joint-bayesian", "projection"):
        file = card.path.parent / card.metric_fields(name).file
        assert candidate.similarity(name).signature == load_metric(file).signature
        assert candidate.similarity(name, file).name == name
    told = run("models", "show", "tiny").out
    assert "joint-bayesian, 12 images of 4 people: x.npy" in " ".join(told.split())
    assert "projection, learned: with the network, on a crowd" in " ".join(told.split())


def test_wrong_checkpoints_are_one_line(run: Run, tiny: Path, card: Path) -> None:
    ended = run("metric", "projection", "tiny", "--checkpoint", "absent", "--attach")
    assert ended.code == 2 and "absent: no such checkpoint" in ended.line
    ended = run("metric", "projection", "toy", "--checkpoint", tiny, "--out", "m")
    assert ended.code == 2 and "is python, not a convnet" in ended.line
    assert not Path("m").exists()


def test_records_of_a_projection_name_it_and_count_its_weights(
    run: Run, tiny: Path, faces: Path
) -> None:
    made = run("metric", "projection", "tiny", "--checkpoint", tiny, "--attach", "--out", "copy")
    assert made.code == 0, made.err
    found = []
    how = ("--data", faces, "--workers", "0", "--draws", "0", "-p", "lfw")
    for name, more in (
        ("card", ("--similarity", "projection")),
        ("file", ("--similarity", "projection", "--metric", "copy")),
        ("cosine", ()),
    ):
        done = run("eval", "-m", "tiny", *how, *more, "--out", name)
        assert done.code == 0, done.err
        (path,) = Path(name).rglob("*.json")
        found.append(read_record(path))
    card, file, cosine = found
    assert (
        card.similarity == load_metric(Path("copy")).signature and card.similarity in card.signature
    )
    assert (card.model.metric_values, cosine.model.metric_values) == (119, None)
    assert card == file and card != cosine
    assert b"metric_values" not in cosine.canonical_json()
    ended = run("eval", "-m", "tiny", *how, "--metric", "copy")
    assert ended.code == 2 and "add --similarity joint-bayesian or projection" in ended.line
    ended = run("eval", "-m", "tiny", *how, "--similarity", "projection", "--flip", "none")
    assert ended.code == 2 and "flip=add" in ended.line
