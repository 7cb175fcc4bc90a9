"""The layer-wise schedule on a toy: what it writes, and that it continues from anywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

import facebench.lab.connections.schedule as schedule
import facebench.lab.learning.loop as loop
from facebench.base.errors import UserError
from facebench.lab.connections.plan import ConnectionPlan
from facebench.lab.connections.schedule import ConnectionRun, prune_connections
from facebench.lab.data.frozen import Frozen
from facebench.lab.data.sources import TrainingData, training_data
from facebench.lab.laboratory.laboratory import Laboratory
from facebench.lab.laboratory.work_folder import Evaluated
from facebench.lab.learning.learner import Machine, untrained
from facebench.lab.learning.recipes import RecipeFile, load_recipe
from facebench.models.cards.card import read_card
from facebench.models.cards.trained import network_of, packed_weights
from tests.helpers.training_toys import write_people

STEPS = (
    {"model": "s1", "layer": "f", "keep": "1/16"},
    {"model": "s2", "layer": "5b", "keep": "1/8"},
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    write_people(folder / "p", people=8, images=5)
    return training_data([str(folder / "p")], 6, folder / "cache")


def tiny_recipe(joint: bool = False) -> RecipeFile:
    whole = load_recipe("paper" if joint else "short").model_dump()
    whole |= {"batch": 3 if joint else 6, "precision": "float32", "checkpoint_every": 1}
    whole["train"] |= {"steps": 2, "rate": 1e-4}
    whole["retrain"] |= {"steps": 2, "rate": 1e-4}
    return RecipeFile.model_validate(whole)


@pytest.fixture
def make_run(data, tmp_path: Path) -> Callable[..., ConnectionRun]:
    def make(
        name: str = "a", steps=STEPS, joint: bool = False, base=None, frozen=None, **more
    ) -> ConnectionRun:
        plan = ConnectionPlan.model_validate(
            {"width": 0.03125, "baseline": base or {"model": "s0"}, "step": steps, "frozen": frozen}
        )
        machine = Machine(report=lambda _: None)
        folder = tmp_path / name
        lab = Laboratory(tiny_recipe(joint), "short", data, "toys", folder / "work",
                         folder / "models", folder / "results", machine, **more)  # fmt: skip
        return ConnectionRun(plan, lab)

    return make


FROZEN = {"below": "4b", "views": 2}


def weights(run: ConnectionRun) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in (run.lab.models / "weights").glob("*.safetensors")}


def test_cards_with_parents_masks_and_evaluation(make_run) -> None:
    run = make_run()
    assert prune_connections(run) == ["s0", "s1", "s2"]
    card = read_card(run.lab.models / "s2.toml")
    assert card.parent == "s1" and card.degrees == {"f": Fraction(1, 16), "5b": Fraction(1, 8)}
    assert "verification error on training" in card.notes
    packed, before = packed_weights(card), packed_weights(read_card(run.lab.models / "s1.toml"))
    assert set(packed.masks) == {"f", "local5b"} and set(before.masks) == {"f"}
    assert torch.equal(packed.masks["f"], before.masks["f"])
    for name, degree in (("f", 16), ("local5b", 8)):
        mask = packed.masks[name]
        assert mask.sum() == mask.numel() // degree
        assert (packed.state[f"{name}.weight"][~mask] == 0).all()
    assert (run.lab.results / "diagnostics" / "s2.json").exists()
    assert read_card(run.lab.models / "s0.toml").parent is None


def test_stopped_anywhere_and_continued_is_undisturbed_byte_for_byte(
    make_run, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = make_run("whole")
    prune_connections(whole)
    broken = make_run("broken")
    places = [
        (loop, "_step", 1),
        (loop, "_step", 2),
        (schedule, "_select", 0),
        (loop, "_step", 0),
        (loop, "_save", 1),
        (schedule, "_publish", 0),
    ]
    for module, name, after in places:
        real, calls = getattr(module, name), []

        def failing(*given, real=real, calls=calls, after=after):
            if len(calls) == after:
                raise KeyboardInterrupt
            calls.append(1)
            return real(*given)

        with monkeypatch.context() as patch:
            patch.setattr(module, name, failing)
            with pytest.raises(KeyboardInterrupt):
                prune_connections(broken)
    prune_connections(broken)
    assert len(weights(whole)) == 3 and weights(broken) == weights(whole)
    logs = [(r.folder("s2") / "log.csv").read_text().splitlines() for r in (whole, broken)]
    assert [line.rsplit(",", 1)[0] for line in logs[0]] == [
        line.rsplit(",", 1)[0] for line in logs[1]
    ]


def test_dropped_weights_are_zero_after_every_step(make_run, monkeypatch) -> None:
    step, seen = loop._step, []

    def watched(net, *rest):
        answer = step(net, *rest)
        for module in net.modules():
            if hasattr(module, "weight_mask"):
                product = module.weight_orig * module.weight_mask
                assert (product[module.weight_mask == 0] == 0).all()
                assert (module.weight[module.weight_mask == 0] == 0).all()
                seen.append(module.weight_mask.mean().item())
        return answer

    monkeypatch.setattr(loop, "_step", watched)
    prune_connections(make_run())
    # s1: two steps with one sparse layer; s2: two steps with two.
    assert sorted(seen) == [1 / 16] * 4 + [1 / 8] * 2


def test_all_criteria_and_scratch_make_models(make_run, monkeypatch) -> None:
    monkeypatch.setattr("facebench.lab.connections.criteria.ROUNDS", 4)
    names = ("random", "highest", "magnitude", "obd", "brp")
    steps = [STEPS[0]]
    steps += [{**STEPS[1], "model": f"s2_{n}", "criterion": n, "parent": "s1"} for n in names]
    steps += [{"model": "s2_scratch", "criterion": "scratch", "masks_of": "s2_random"}]
    run = make_run(steps=steps)
    prune_connections(run)
    masks = {n: packed_weights(read_card(run.lab.models / f"s2_{n}.toml")).masks["local5b"]
             for n in (*names, "scratch")}  # fmt: skip
    assert {int(mask.sum()) for mask in masks.values()} == {masks["obd"].numel() // 8}
    assert torch.equal(masks["scratch"], masks["random"])
    assert len({mask.numpy().tobytes() for mask in masks.values()}) == len(names)
    assert read_card(run.lab.models / "s2_scratch.toml").parent is None
    # Two mini-batches each, and brp one more for each of four rounds in which it selects.
    trained = {name: read_card(run.lab.models / f"s2_{name}.toml").training for name in names}
    assert trained["brp"].images == 3 * trained["obd"].images
    assert "brp, 4 mini-batches while selecting" in trained["brp"].recipe


def test_from_a_card_the_network_starts_as_it_was(make_run) -> None:
    """N_m starts from the card's weights: after no step at all features are the card's."""
    first = make_run("first", steps=STEPS[:1])
    prune_connections(first)
    card = first.lab.models / "s1.toml"
    again = make_run("again", steps=STEPS[1:], base={"model": "s1", "from": str(card)})
    schedule._learn_baseline(again)
    learner = again.learned("s1")
    plain, old = learner.plain(), network_of(read_card(card)).eval()
    faces = torch.randn(3, 3, 112, 96)
    with torch.no_grad():
        assert torch.allclose(plain(faces), old(faces), atol=1e-4)
    prune_connections(again)
    card2 = read_card(again.lab.models / "s2.toml")
    assert card2.degrees == {"f": Fraction(1, 16), "5b": Fraction(1, 8)} and card2.parent == "s1"
    assert not (again.lab.models / "s1.toml").exists()


def test_under_joint_supervision_without_normalisation(make_run) -> None:
    run = make_run(joint=True, steps=STEPS[:1])
    prune_connections(run)
    head = (run.folder("s1") / "log.csv").read_text().splitlines()[0]
    assert head == "step,identity,verification,regression,faces_per_second"


def test_the_evaluation_is_in_the_card(make_run) -> None:
    def evaluate(card: Path, names: tuple[str, ...]) -> list[Evaluated]:
        return [Evaluated(names[0], f"{names[0]}: accuracy 0.9.", 0.9)]

    run = make_run(steps=(), evaluate=evaluate)
    plan = run.plan.model_copy(update={"protocols": ("lfw",)})
    object.__setattr__(run, "plan", plan)
    prune_connections(run)
    assert read_card(run.lab.models / "s0.toml").notes.endswith("lfw: accuracy 0.9.")


def test_trained_weights_and_other_runs_are_not_overwritten(make_run) -> None:
    run = make_run(steps=())
    prune_connections(run)
    before = weights(run)
    prune_connections(replace(run, lab=replace(run.lab, work=run.lab.work.parent / "other")))
    assert weights(run) == before  # whatever the folder, it is the same network
    changed = replace(run, plan=run.plan.model_copy(update={"seed": 5}))
    with pytest.raises(UserError, match="--overwrite"):
        prune_connections(changed)
    assert weights(run) == before
    prune_connections(replace(changed, lab=replace(changed.lab, overwrite=True)))
    assert weights(run) != before
    with pytest.raises(UserError, match="--overwrite"):
        prune_connections(run)  # its card is the other's now


def test_selection_is_on_the_parent_over_held_out_faces(make_run, monkeypatch) -> None:
    seen = []
    real = schedule.CRITERIA["correlation"]

    def watched(task):
        seen.append((task.layer, float((task.net.f.weight != 0).float().mean()),
                     sum(len(batch) for batch in task.held_out())))  # fmt: skip
        return real(task)

    monkeypatch.setattr(schedule, "CRITERIA", {"correlation": watched})
    run = make_run()
    prune_connections(run)
    total = len(run.lab.data.held_out.images)
    assert [entry[0] for entry in seen] == ["f", "5b"]
    assert seen[0][1] == 1.0 and seen[1][1] == pytest.approx(1 / 16)
    assert {entry[2] for entry in seen} == {total}


def test_frozen_layers_stay_the_baselines_and_the_cards_say_so(make_run) -> None:
    run = make_run(frozen=FROZEN)
    prune_connections(run)
    nets = [network_of(read_card(run.lab.models / f"s{i}.toml")).state_dict() for i in range(3)]
    for name, value in nets[0].items():
        frozen = name.startswith("conv") and not name.startswith("conv4b")
        assert torch.equal(value, nets[2][name]) == frozen, name
    cards = [read_card(run.lab.models / f"s{i}.toml") for i in range(3)]
    said = "layers below 4b frozen, 2 augmentations of each face"
    assert [said in card.training.recipe for card in cards] == [False, True, True]
    assert list((run.lab.work / "stored").glob("*.npy"))
    with pytest.raises(UserError, match=r"s1\.toml.* --overwrite"):
        prune_connections(make_run(frozen={"below": "4b", "views": 3}))


def test_frozen_layers_learn_in_a_measured_precision_without_held_out_faces(
    data: TrainingData, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The lines of it go where others go, and nowhere where there is to be quiet."""
    recipe = tiny_recipe().model_copy(update={"precision": "auto"})
    shown = data.held_out
    none = np.empty((0, 128, 112, 3), np.uint8)
    nobody = replace(
        data,
        held_out=replace(shown, images=none, labels=shown.labels[:0], targets=shown.targets[:0]),
    )
    learner = replace(
        untrained(recipe, 0.03125, (112, 96), nobody, seed=0),
        frozen=Frozen("4b", 1),
        stored=tmp_path / "stored",
    )
    lines: list[str] = []
    learner.learn("retrain", tmp_path / "work", Machine(report=lines.append), seed=0)
    assert capsys.readouterr().out == ""
    assert sum(line.startswith("precision ") for line in lines) == 1


def test_scratch_learns_all_layers_though_steps_freeze_some(make_run) -> None:
    steps = (*STEPS, {"model": "s2s", "criterion": "scratch", "masks_of": "s2"})
    run = make_run(steps=steps, frozen=FROZEN)
    prune_connections(run)
    first = [
        network_of(read_card(run.lab.models / f"{name}.toml")).layer("1a").weight
        for name in ("s0", "s2", "s2s")
    ]
    assert torch.equal(first[0], first[1]) and not torch.equal(first[0], first[2])


def test_a_supervised_layer_cannot_be_frozen(make_run) -> None:
    with pytest.raises(UserError, match=r"supervises layer 2b, which the plan freezes .below 4b."):
        prune_connections(make_run(joint=True, frozen=FROZEN))


def test_a_baseline_of_two_rounds_learns_twice(make_run) -> None:
    run = make_run(steps=(), base={"model": "s0", "steps": [2, 3]})
    prune_connections(run)
    card = read_card(run.lab.models / "s0.toml")
    assert "2 and 3 mini-batches" in card.training.recipe and card.training.images == 30
    logs = [run.folder("s0") / "log.csv", run.folder("s0") / "round_01" / "log.csv"]
    assert [log.read_text().splitlines()[-1].split(",")[0] for log in logs] == ["2", "3"]


def test_a_network_depends_on_its_ancestors(make_run) -> None:
    """Another baseline makes another N_1, though its own step is the same."""
    run = make_run()
    longer = make_run(base={"model": "s0", "steps": 3})
    assert [run.folder(name) == longer.folder(name) for name in ("s0", "s1", "s2")] == [False] * 3
    last = make_run(steps=(STEPS[0], {**STEPS[1], "keep": "1/4"}))
    assert [run.folder(name) == last.folder(name) for name in ("s0", "s1", "s2")] == [
        True, True, False,
    ]  # fmt: skip


def test_a_folder_of_another_version_is_refused_in_one_line(make_run) -> None:
    run = make_run(steps=())
    (run.lab.work / "s0").mkdir(parents=True)
    (run.lab.work / "s0" / "settings.json").write_text("{}")
    with pytest.raises(UserError, match=r"another version of facebench.*give another --work"):
        prune_connections(run)
