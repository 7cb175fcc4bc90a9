"""Soft labels, supervisions, the teacher's neurons, and toy students from first to last."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from facebench.base.errors import UserError
from facebench.lab.data.crops import TrainingCrops
from facebench.lab.data.sources import training_data
from facebench.lab.distillation import distil as distillation
from facebench.lab.distillation import teachers
from facebench.lab.distillation.distil import Distillation, distil
from facebench.lab.distillation.knowledge import Lesson, knowledge_of, labels_of, lesson_of
from facebench.lab.distillation.publish import Footprint
from facebench.lab.distillation.student import StudentShape, untrained_student
from facebench.lab.distillation.supervision import (
    NeuronSupervision,
    SoftLabelSupervision,
    fit_mean_classifier,
    soft_label_loss,
    standardised,
)
from facebench.lab.distillation.teachers import Teachers, load_teachers, neurons_of
from facebench.lab.laboratory.laboratory import Laboratory
from facebench.lab.laboratory.work_folder import Evaluated
from facebench.lab.learning.learner import Machine
from facebench.lab.learning.recipes import load_recipe
from facebench.models.embedders.base import Embedder, Preprocessing
from facebench.models.embedders.options import ModelOptions
from facebench.models.zoo import load_model
from tests.helpers.training_toys import TINY_RECIPE, write_people

QUIET = Machine(report=lambda _: None)


class Blocks(Embedder):
    """Mean colours of a grid: a teacher that knows the toys' people."""

    weights_hash = "ab" * 32

    def __init__(self, id: str, cells: int, size: tuple[int, int] = (112, 96)) -> None:
        self.id, self.cells, self.preprocessing = id, cells, Preprocessing(size, flip="add")
        self.calls = 0

    def forward(self, faces):
        self.calls += 1
        n, height, width, _ = faces.shape
        rows = faces.reshape(n, self.cells, height // self.cells, width, 3)
        return rows.mean((2, 3)).reshape(n, -1).astype(np.float32)


def toy_teachers(*cells: int) -> Teachers:
    made = tuple(Blocks(f"blocks{number}", number) for number in cells)
    names = tuple(one.id for one in made)
    return Teachers(made, names, (ModelOptions(),) * len(made), names)


@pytest.fixture
def people(tmp_path: Path) -> Path:
    return write_people(tmp_path / "people")


@pytest.fixture
def run(tmp_path: Path, people: Path, monkeypatch) -> Distillation:
    monkeypatch.setattr(distillation, "teacher_sizes", lambda _: Footprint(10**6, 4 * 10**6))
    (tmp_path / "tiny.toml").write_text(TINY_RECIPE.replace("identity = 1.0", "regression = 2.0\n"
        "similarity = 20.0\nidentity = 0.1"))  # fmt: skip
    recipe = load_recipe(str(tmp_path / "tiny.toml"))
    data = training_data([str(people)], recipe.batch, tmp_path / "data")
    lab = Laboratory(recipe, "tiny", data, "toys", tmp_path / "work", tmp_path / "models",
                     tmp_path / "results", QUIET)  # fmt: skip
    return Distillation(
        "pupil", StudentShape(width=0.03125), toy_teachers(4, 2), Lesson(neurons=5), lab
    )


# Soft labels


def test_soft_label_loss_by_hand() -> None:
    student, teacher = torch.tensor([[0.0, 0.0]]), torch.tensor([[2.0 * np.log(3.0), 0.0]])
    # At T = 2 the teacher says 3/4 and 1/4, the student 1/2 each.
    expected = 4 * (0.75 * np.log(0.75 / 0.5) + 0.25 * np.log(0.25 / 0.5))
    assert float(soft_label_loss(student, teacher, 2.0)) == pytest.approx(expected, rel=1e-5)
    assert float(soft_label_loss(teacher + 7, teacher, 2.0)) == pytest.approx(0, abs=1e-6)


@given(st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_the_mean_classifier_is_that_of_loops(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.array([0, 0, 1, 1, 1, 3, 3, 4, -1, -1])
    x = (3 * rng.normal(size=(5, 6))[labels] + rng.normal(size=(10, 6))).astype(np.float32)
    found = fit_mean_classifier(x, labels, 6)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    rows, right, likelihood = [], 0, {}
    for face in range(8):
        others = [r for r in range(8) if r != face]
        cosines = []
        for identity in range(6):
            mean = sum((unit[r] for r in others if labels[r] == identity), np.zeros(6))
            norm = np.linalg.norm(mean)
            cosines.append(float(unit[face] @ mean / norm) if norm else -1.0)
        if sum(labels == labels[face]) > 1:
            rows.append((cosines, labels[face]))
            right += int(np.argmax(cosines)) == labels[face]
    assert found.accuracy == pytest.approx(right / 7)
    for scale in (found.scale, found.scale * 1.5, found.scale / 1.5):
        logits = torch.tensor([[scale * c for c in cosines] for cosines, _ in rows])
        own = torch.tensor([label for _, label in rows])
        likelihood[scale] = -float(F.cross_entropy(logits, own))
    # 1 and 200 are the ends of what is tried, and steps are 20% wide.
    if 1.5 < found.scale < 133:
        assert likelihood[found.scale] >= max(likelihood.values()) - 1e-6
    means = found.means
    np.testing.assert_allclose(np.linalg.norm(means, axis=1), [1, 1, 0, 1, 1, 0], atol=1e-6)


def test_a_classifier_needs_two_faces_of_somebody() -> None:
    with pytest.raises(ValueError, match="two faces"):
        fit_mean_classifier(np.ones((3, 2), np.float32), np.array([0, 1, -1]), 2)


# Supervisions


def test_neurons_are_a_mean_squared_error_and_similarities() -> None:
    torch.manual_seed(0)
    judge = NeuronSupervision(8, 3, 2)
    features, targets = torch.rand(4, 8), torch.randn(4, 3)
    targets[3] = float("nan")
    losses = judge(features, targets, torch.tensor([0, 1, -1, -1]))
    with torch.no_grad():
        error = judge.regressor(features[:3]) - targets[:3]
        expected = sum(float(e) ** 2 for e in error.flatten()) / 9
    assert losses["regression"].item() == pytest.approx(expected, rel=1e-5)
    x, t = F.normalize(features[:3], dim=1), F.normalize(targets[:3], dim=1)
    pairs = [(i, j) for i in range(3) for j in range(3) if i != j]
    gaps = [float(x[i] @ x[j]) - (0.5 * float(t[i] @ t[j]) + 0.5) for i, j in pairs]
    assert losses["similarity"].item() == pytest.approx(np.mean(np.square(gaps)), rel=1e-4)
    nothing = judge(features, torch.full((4, 3), float("nan")), torch.full((4,), -1))
    assert all(value.item() == 0 for value in nothing.values())


def test_soft_labels_are_those_of_the_teachers_classifier() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 4)
    x = (5 * rng.normal(size=(3, 6))[labels] + rng.normal(size=(12, 6))).astype(np.float32)
    classifier = fit_mean_classifier(x, labels, 3)
    judge = SoftLabelSupervision(8, classifier, 3, temperature=2.0)
    features, targets = torch.rand(12, 8), torch.from_numpy(x)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    logits = torch.from_numpy(classifier.scale * (unit @ classifier.means.T)).float()
    losses = judge(features, targets, torch.from_numpy(labels))
    expected = soft_label_loss(judge.regressor(features), logits, 2.0).item()
    assert losses["regression"].item() == pytest.approx(expected, rel=1e-4)
    assert (logits.argmax(1).numpy() == labels).all()
    assert losses["similarity"].item() > 0 and losses["identity"].item() > 0
    # The teacher does not learn.
    assert "means" not in dict(judge.named_parameters()) and "means" in judge.state_dict()


def test_standardised_over_all_sources_together() -> None:
    rng = np.random.default_rng(0)
    parts = [rng.normal(3, 2, (20, 4)).astype(np.float32), rng.normal(-1, 5, (30, 4))]
    parts = [part.astype(np.float32) for part in parts]
    for part in parts:
        part[:, 3] = 1.5
    joined = np.concatenate(standardised(parts, np.array([0, 2, 3])))
    np.testing.assert_allclose(joined[:, :2].mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(joined[:, :2].std(0), 1, atol=1e-5)
    assert (joined[:, 2] == 0).all()


# Teachers


def test_several_teachers_are_unit_vectors_one_after_the_other() -> None:
    both, crops = toy_teachers(4, 2), np.random.default_rng(0).integers(
        0, 256, (3, 128, 112, 3), dtype=np.uint8)  # fmt: skip
    found = both.neurons(crops)
    assert found.shape == (3, 18) and both.dimensions == (12, 6)
    np.testing.assert_allclose(np.linalg.norm(found[:, :12], axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(found[:, 12:], axis=1), 1, atol=1e-6)
    plain = both.embedders[1].embed(crops[:, 8:120, 8:104])
    np.testing.assert_allclose(found[:, 12:] * np.linalg.norm(plain, axis=1)[:, None], plain,
                               rtol=1e-5)  # fmt: skip
    assert both.origin((12, 6), 11) == ("blocks4", 11) and both.origin((12, 6), 13) == (
        "blocks2", 1)  # fmt: skip


def test_neurons_are_kept_and_continued(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(teachers, "BATCH", 4)
    images = np.random.default_rng(0).integers(0, 256, (18, 128, 112, 3), dtype=np.uint8)
    nothing = np.full((18, 1), np.nan, np.float32)
    crops = TrainingCrops(images, np.zeros(18, np.int64), nothing)
    expected = toy_teachers(4).neurons(images)

    class StoppedError(Exception):
        pass

    def stop(done: int) -> None:
        if done == 8:
            raise StoppedError

    with pytest.raises(StoppedError):
        neurons_of(crops, toy_teachers(4), tmp_path, stop)
    second = toy_teachers(4)
    seen: list[int] = []
    np.testing.assert_allclose(neurons_of(crops, second, tmp_path, seen.append), expected)
    assert seen == [12, 16, 18]  # 8 were there
    third = toy_teachers(4)
    np.testing.assert_allclose(neurons_of(crops, third, tmp_path), expected)
    assert third.embedders[0].calls <= 2  # its dimension is asked for, no more
    images = images.copy()
    images[7, 0, 0, 0] ^= 1  # one crop, and there one value
    other = neurons_of(replace(crops, images=255 - images), third, tmp_path)
    assert not np.allclose(other, expected) and len(list(tmp_path.glob("*.npy"))) == 2


def test_teachers_that_cannot_be(tmp_path: Path) -> None:
    for specs, said in (((), "--teacher"), (("baseline", "baseline"), "twice"),
                        (("basline",), "did you mean 'baseline'")):  # fmt: skip
        with pytest.raises(UserError, match=said):
            load_teachers(specs)


# Students


def test_shapes() -> None:
    assert StudentShape(width=0.125).features == 64
    assert StudentShape("squeezenet1_1", 0.25).features == 128
    for wrong, said in (
        (("convnett",), "did you mean 'convnet'"),
        (("convnet", 5.0), "--width 5"),
        (("convnet", 0.5, 64), "--embedding"),
        (("mobilefacenet", 0.5, 0), "--embedding 0"),
    ):
        with pytest.raises(UserError, match=said):
            StudentShape(*wrong)


def test_students_differ_in_what_they_are_taught_alone(run: Distillation) -> None:
    images = run.lab.data.sources[0][0].images
    neurons = [run.teachers.neurons(np.stack([images[row] for row in range(len(images))]))]
    first = []
    for lesson in (Lesson(neurons=5), Lesson("all"), Lesson("soft-labels")):
        known = knowledge_of(lesson, run.teachers, run.lab.data, neurons, run.shape.features)
        judge = known.supervise(run.shape.features)
        assert [n for _, n in known.data.sources] == [n for _, n in run.lab.data.sources]
        learner = untrained_student(run.shape, run.lab.recipe, known.data, judge, seed=3)
        first.append(torch.cat([p.flatten() for p in learner.net.parameters()]))
        assert known.data.embedding == {"selected": 5}.get(lesson.targets, 18)
    assert torch.equal(first[0], first[1]) and torch.equal(first[0], first[2])


def test_a_student_is_taught_selected_neurons_and_published(run: Distillation) -> None:
    card = distil(run)
    assert card.architecture == "convnet" and card.parent is None and card.weights_path.is_file()
    notes = " ".join(card.notes.split())
    assert "Taught 5 selected of 18 neurons of blocks4 + blocks2." in notes
    assert "51.6 times" in notes and "fewer parameters (1,000,000 to" in notes
    assert "selected of 18" in card.title and "toys" in card.licence and card.training.images == 18
    faces = np.zeros((2, 112, 96, 3), np.uint8)
    assert load_model(str(card.path)).embed(faces).shape == (2, run.shape.features)
    report = json.loads((run.lab.results / "distillation" / "pupil.json").read_text())
    assert len(report["neurons"]) == report["count"] == 5
    assert [t["neurons"] for t in report["teachers"]] == [12, 6]
    for one in report["neurons"]:
        offset = 12 * (one["teacher"] == "blocks2")
        assert one["index"] == offset + one["neuron"] and 0 <= one["discriminability"] <= 1
    values = json.loads((run.lab.results / "diagnostics" / "pupil.json").read_text())["values"]
    student = report["sizes"]["student"]
    assert values["compression_against_teacher"] == pytest.approx(10**6 / student["parameters"])
    assert student["bytes"] == card.weights_path.stat().st_size


def test_nothing_is_done_twice_and_another_lesson_begins_anew(run: Distillation) -> None:
    card = distil(run)
    before = card.path.read_bytes(), card.weights_path.read_bytes()
    calls = run.teachers.embedders[0].calls
    distil(run)
    assert run.teachers.embedders[0].calls == calls
    # A card or weights that were lost are published again from what was learned.
    for lost in (card.path, card.weights_path):
        lost.unlink()
        distil(run)
        assert (card.path.read_bytes(), card.weights_path.read_bytes()) == before
    other = replace(run, lesson=Lesson("all"))
    with pytest.raises(UserError, match="--overwrite"):
        distil(other)
    assert (card.path.read_bytes(), card.weights_path.read_bytes()) == before
    told: list[str] = []
    made = distil(
        replace(other, lab=replace(other.lab, overwrite=True, machine=Machine(report=told.append)))
    )
    assert f"{other.folder.name} begins anew" in told[0] and "another lesson" in told[0]
    assert made.sha256 != card.sha256 and made.training.fingerprint != card.training.fingerprint
    distil(replace(run, lab=replace(run.lab, work=run.lab.work / "elsewhere", overwrite=True)))
    timeless = [
        re.sub(rb"duration = .*", b"", text) for text in (card.path.read_bytes(), before[0])
    ]
    assert timeless[0] == timeless[1] and card.weights_path.read_bytes() == before[1]
    with pytest.raises(UserError, match="own teacher"):
        distil(replace(run, name="blocks4"))


def test_what_is_refused_leaves_no_folder_begun(run: Distillation) -> None:
    with pytest.raises(UserError, match="that are ever active"):
        distil(replace(run, lesson=Lesson(neurons=32)))
    assert not run.folder.exists()
    assert distil(run).weights_path.is_file()  # the corrected command


def test_a_card_of_another_architecture_is_refused_before_any_work(run: Distillation) -> None:
    run.lab.models.mkdir()
    (run.lab.models / "pupil.toml").write_text(
        'name = "pupil"\ntitle = "x"\narchitecture = "mobilenet_v2"\nembedding = 8\n'
        "[preprocessing]\nsize = [112, 96]\n"
    )
    with pytest.raises(UserError, match="mobilenet_v2, the student is a squeezenet1_1"):
        distil(replace(run, shape=StudentShape("squeezenet1_1", 0.125, 16)))
    assert not run.lab.work.exists()


def test_a_stopped_student_becomes_what_an_undisturbed_one_does(run: Distillation) -> None:
    class StoppedError(Exception):
        pass

    def bar(title: str, total: int, unit: str = "steps"):
        def advance(step: int, note: str = "") -> None:
            if title == "pupil" and step == 2:
                raise StoppedError

        return advance

    with pytest.raises(StoppedError):
        distil(replace(run, lab=replace(run.lab, machine=Machine(report=lambda _: None, bar=bar))))
    assert not (run.lab.models / "pupil.toml").exists()
    stopped = distil(run).weights_path.read_bytes()
    again = replace(
        run, lab=replace(run.lab, work=run.lab.work / "two", models=run.lab.models / "two")
    )
    assert distil(again).weights_path.read_bytes() == stopped


def test_a_compact_student_of_soft_labels(run: Distillation) -> None:
    shape = StudentShape("squeezenet1_1", 0.125, 16)
    evaluated: list[str] = []

    def evaluate(card: Path, protocols: tuple[str, ...]) -> list[Evaluated]:
        evaluated.append(f"{card.name} {protocols}")
        return [Evaluated("lfw", "lfw: fine.", 0.9)]

    card = distil(
        replace(
            run,
            shape=shape,
            lesson=Lesson("soft-labels", temperature=3),
            protocols=("lfw",),
            lab=replace(run.lab, evaluate=evaluate),
        )
    )
    assert (card.architecture, card.embedding) == ("squeezenet1_1", 16)
    notes = " ".join(tomllib.loads(card.path.read_text())["notes"].split())
    assert "soft labels over" in notes and "T = 3" in notes and notes.endswith("lfw: fine.")
    assert evaluated == ["pupil.toml ('lfw',)"]
    assert load_model(str(card.path)).embed(np.zeros((1, 112, 96, 3), np.uint8)).shape == (1, 16)


def test_a_student_learns_what_it_is_taught(run: Distillation) -> None:
    """The regression falls: the toy teacher's neurons are colours, which a small net sees."""
    recipe = run.lab.recipe.model_copy(
        update={"train": run.lab.recipe.train.model_copy(update={"steps": 40}), "batch": 12}
    )
    data = replace(run.lab.data, sources=[(run.lab.data.sources[0][0], 12)])
    told: list[str] = []
    run = replace(
        run, lab=replace(run.lab, recipe=recipe, data=data, machine=Machine(report=told.append))
    )
    distil(run)
    rows = (run.folder / "log.csv").read_text().splitlines()
    assert rows[0].startswith("step,regression,similarity,identity") and len(rows) == 2
    # Standardised neurons: 1 is what predicting the mean gives; the log is the mean of all steps.
    assert float(rows[1].split(",")[1]) < 1.0


@pytest.mark.parametrize(
    "fields, said",
    [
        ({"targets": "all", "neurons": 3}, "--neurons belongs"),
        ({"neurons": 0}, "--neurons 0"),
        ({"nuisance_weight": -1.0}, "--nuisance-weight"),
        ({"temperature": 0.0}, "--temperature 0"),
    ],
)
def test_lessons_that_cannot_be(fields: dict, said: str) -> None:
    with pytest.raises(UserError, match=said):
        Lesson(**fields)


@pytest.mark.parametrize(
    "targets, option, own",
    [
        ("all", "neurons", "selected"),
        ("soft-labels", "nuisance_weight", "selected"),
        ("all", "redundancy_weight", "selected"),
        ("all", "temperature", "soft-labels"),
        ("selected", "temperature", "soft-labels"),
    ],
)
def test_an_option_of_other_targets_is_refused_even_at_its_default(
    targets: str, option: str, own: str
) -> None:
    value = getattr(Lesson(), option) or 3
    with pytest.raises(UserError, match=f"--{option.replace('_', '-')} belongs to --targets {own}"):
        lesson_of(targets, **{option: value})
    assert lesson_of(own, **{option: value}) == Lesson(own, **{option: value})
    assert lesson_of(targets, **{option: None}) == Lesson(targets)


def test_what_data_and_teacher_do_not_give(run: Distillation) -> None:
    crops = run.lab.data.sources[0][0]
    neurons = [np.zeros((len(crops.labels), 18), np.float32)]
    neurons[0][:, :4] = np.random.default_rng(0).normal(size=(len(crops.labels), 4))
    with pytest.raises(UserError, match="4 that are ever active"):
        knowledge_of(Lesson(neurons=5), run.teachers, run.lab.data, neurons, 16)
    assert knowledge_of(Lesson(), run.teachers, run.lab.data, neurons, 16).report["count"] == 4
    nobody = replace(crops, labels=np.full(len(crops.labels), -1))
    data = replace(run.lab.data, sources=[(nobody, 6)])
    for targets in ("selected", "soft-labels"):
        with pytest.raises(UserError, match="identit"):
            knowledge_of(Lesson(targets), run.teachers, data, neurons, 16)
    assert knowledge_of(Lesson("all"), run.teachers, data, neurons, 16).data.embedding == 18


def test_labels_are_those_of_a_mini_batch(run: Distillation) -> None:
    from facebench.lab.data.augment import make_batch

    crops = run.lab.data.sources[0][0]
    marked = replace(crops, targets=np.arange(len(crops.labels), dtype=np.float32)[:, None])
    other = replace(marked, targets=marked.targets + len(crops.labels))
    sources = [(marked, 3), (other, 3)]
    batch = make_batch(sources, seed=0, step=0)
    labels = labels_of(sources)
    assert list(labels[batch.targets[:, 0].astype(int)]) == list(batch.labels)
