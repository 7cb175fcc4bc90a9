"""Filters removed in steps from a toy of a real network: what it writes, and that it continues."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import torch

import facebench.lab.filters.points as points
import facebench.lab.filters.schedule as schedule
import facebench.lab.learning.loop as loop
from facebench.base.errors import UserError
from facebench.lab.data.sources import training_data
from facebench.lab.filters.curve import FOLDER, read_curve
from facebench.lab.filters.groups import filter_counts, find_groups
from facebench.lab.filters.plan import FilterPlan
from facebench.lab.filters.schedule import FilterRun, prune_filters
from facebench.lab.laboratory.laboratory import Laboratory
from facebench.lab.laboratory.work_folder import Evaluated
from facebench.lab.learning.learner import Machine
from facebench.lab.learning.recipes import load_recipe
from facebench.models.architectures.base import parameters
from facebench.models.architectures.registry import build
from facebench.models.cards.card import read_card
from facebench.models.cards.publish import publish_compact
from facebench.models.cards.trained import compact_network_of
from tests.helpers.training_toys import write_people

FACES = (112, 96)
MakeRun = Callable[..., FilterRun]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    write_people(folder / "p", people=6, images=4)
    return training_data([str(folder / "p")], 6, folder / "cache")


@pytest.fixture
def make_run(data, tmp_path: Path, monkeypatch) -> MakeRun:
    monkeypatch.setattr(
        points, "latencies", lambda nets, size, **_: [points.Latency(2, 1, 3)] * len(nets)
    )
    # Drawing takes most of the time; test_pictures.py draws.
    for name in ("draw_curves", "draw_layers"):
        monkeypatch.setattr(points, name, lambda curve, path: path.write_bytes(b"drawn"))
    whole = load_recipe("compact").model_dump()
    whole |= {"batch": 6, "precision": "float32", "checkpoint_every": 1}
    recipe = type(load_recipe("compact")).model_validate(whole)

    def make(name: str = "a", evaluate=None, **more) -> FilterRun:
        folder = tmp_path / name
        lab = Laboratory(recipe, "tiny", data, "toys", folder / "work", folder / "models",
                         folder / "results", Machine(report=lambda _: None), evaluate)  # fmt: skip
        if not (folder / "models" / "net.toml").exists():
            torch.manual_seed(1)
            net = build("squeezenet1_1", 8, FACES, 0.125)
            publish_compact("net", net, {"data": "none"}, folder / "models")
        given = {"step": Fraction(1, 10), "until": Fraction(3, 10), "fine_tune": 2}
        given |= {"importance_batches": 2, **more}
        plan = FilterPlan("net", f"net_{given.get('criterion', 'taylor')}", **given)
        return FilterRun(plan, read_card(folder / "models" / "net.toml"), lab)

    return make


def weights(run: FilterRun) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in (run.lab.models / "weights").glob("*.safetensors")}


def curve_of(run: FilterRun):
    return read_curve(run.lab.results / FOLDER / f"{run.plan.model}.json")


def test_cards_curve_diagnostics_and_pictures_of_every_point(make_run) -> None:
    asked = []

    def evaluate(card: Path, protocols: tuple[str, ...]) -> list[Evaluated]:
        asked.append(card.stem)
        return [Evaluated("lfw", f"lfw of {card.stem}.", 0.9 - 0.01 * len(asked), (0.8, 0.95))]

    run = make_run(evaluate=evaluate, protocols=("lfw",))
    names = prune_filters(run)
    assert names == ["net_taylor_10", "net_taylor_20", "net_taylor_30"]
    assert asked == ["net_taylor_10", "net", "net_taylor_20", "net_taylor_30"]
    total = sum(run.counts().values())
    curve = curve_of(run)
    assert [point.model for point in curve.points] == ["net", *names]
    assert all(list(point.intervals["lfw"]) == [0.8, 0.95] for point in curve.points)
    accuracies = [point.accuracy["lfw"] for point in curve.points]
    assert accuracies == pytest.approx([0.88, 0.89, 0.87, 0.86])
    before = None
    for number, point in enumerate(curve.points):
        card = read_card(run.lab.models / f"{point.model}.toml")
        net = compact_network_of(card)
        left = sum(filter_counts(find_groups(net, FACES)).values())
        assert point.filters == total - left == -(-total * number // 10)
        assert point.parameters == parameters(net) and point.latency == 2
        if before is not None:
            assert point.parameters < before.parameters
            assert point.multiply_adds < before.multiply_adds
            assert card.parent == "net" and card.filters_removed == point.removed
            assert f"lfw of {point.model}." in card.notes
            shares = curve.removed[point.model]
            gone = sum(shares[name] * count for name, count in curve.layers.items())
            assert gone == pytest.approx(point.filters)
            path = run.lab.results / "diagnostics" / f"{point.model}.json"
            assert json.loads(path.read_text())["values"]["filters_removed"] == point.removed
        before = point
    written = {path.name for path in (run.lab.results / FOLDER).iterdir()}
    series = {f"net_taylor{end}" for end in (".json", ".csv", ".layers.csv", ".png", ".layers.png")}
    assert written == series


@pytest.mark.slow
def test_stopped_anywhere_and_continued_is_undisturbed_byte_for_byte(
    make_run, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken = make_run("whole"), make_run("broken")
    prune_filters(whole)
    places = [
        (schedule, "_remove", 0),
        (loop, "_step", 1),
        (schedule, "_publish", 0),
        (loop, "_step", 0),
        (points, "_write", 0),
        (loop, "_save", 1),
        (schedule, "measure_together", 0),
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
                prune_filters(broken)
    prune_filters(broken)
    assert len(weights(whole)) == 4 and weights(broken) == weights(whole)
    assert curve_of(broken) == curve_of(whole)
    (kept,) = (path.name for path in broken.folder.glob("step_*.pt"))
    assert kept == "step_003.pt" and not list(broken.folder.rglob("checkpoint.pt"))
    before = weights(broken)
    assert prune_filters(broken) == prune_filters(whole) and weights(broken) == before


@pytest.mark.slow
def test_goes_on_to_a_later_end_as_if_it_had_been_the_first(make_run) -> None:
    first = make_run("one", until=Fraction(1, 10))
    prune_filters(first)
    later = make_run("one", until=Fraction(3, 10))
    assert prune_filters(later)[-1] == "net_taylor_30"
    at_once = make_run("two")
    prune_filters(at_once)
    assert weights(later) == weights(at_once)


def test_points_alone_are_published(make_run) -> None:
    run = make_run(points=(Fraction(2, 10),), point_fine_tune=1)
    assert prune_filters(run) == ["net_taylor_20", "net_taylor_30"]
    assert {p.stem for p in run.lab.models.glob("*.toml")} == {
        "net", "net_taylor_20", "net_taylor_30"
    }  # fmt: skip
    card = read_card(run.lab.models / "net_taylor_30.toml")
    assert card.training.images == 6 * (3 * 2 + 2 * 1)


def test_criteria_differ(make_run) -> None:
    states = {}
    for criterion in ("taylor", "l1", "random"):
        run = make_run("same", criterion=criterion, until=Fraction(1, 10))
        (name,) = prune_filters(run)
        net = compact_network_of(read_card(run.lab.models / f"{name}.toml"))
        states[criterion] = filter_counts(find_groups(net, FACES))
    assert states["taylor"] != states["random"] != states["l1"]
    assert (run.lab.results / FOLDER / "net.png").exists()  # all criteria in one picture


def test_other_settings_and_foreign_cards_are_refused(make_run) -> None:
    run = make_run(until=Fraction(1, 10), fine_tune=0)
    prune_filters(run)
    before = weights(run)
    with pytest.raises(UserError, match="--overwrite"):
        prune_filters(make_run(until=Fraction(1, 10), fine_tune=1))
    with pytest.raises(UserError, match="at most 74%"):
        prune_filters(make_run("much", until=Fraction(95, 100)))
    other = replace(run, lab=replace(run.lab, work=run.lab.work.parent / "elsewhere"))
    prune_filters(other)  # the same in another folder
    assert weights(run) == before
    pruned = replace(run, card=read_card(run.lab.models / "net_taylor_10.toml"))
    with pytest.raises(UserError, match="lost filters already; prune net again"):
        prune_filters(pruned)


def test_points_behind_what_is_done_are_refused(make_run) -> None:
    prune_filters(make_run(points=(Fraction(3, 10),)))
    with pytest.raises(UserError, match="10% lies behind the 3 steps"):
        prune_filters(make_run(points=(Fraction(1, 10),)))


def accuracy(of: float, asked: list[str]):
    def evaluate(card: Path, protocols: tuple[str, ...]) -> list[Evaluated]:
        asked.append(card.stem)
        return [Evaluated(name, f"{name} of {card.stem}.", of) for name in protocols]

    return evaluate


def test_points_of_other_weights_or_steps_are_not_mixed_into_a_curve(make_run) -> None:
    def again(work: str, **more) -> FilterRun:
        run = make_run("a", until=Fraction(1, 10), fine_tune=0, protocols=("lfw",), **more)
        return replace(run, lab=replace(run.lab, work=run.lab.work.parent / work, overwrite=True))

    prune_filters(again("first", evaluate=accuracy(0.9, [])))
    torch.manual_seed(2)
    other = build("squeezenet1_1", 8, FACES, 0.125)
    lab = again("first").lab
    publish_compact("net", other, {"data": "none"}, lab.models)
    prune_filters(again("second", evaluate=accuracy(0.5, [])))
    assert [p.accuracy["lfw"] for p in curve_of(again("second")).points] == [0.5, 0.5]
    prune_filters(again("third", step=Fraction(1, 20), evaluate=accuracy(0.5, [])))
    curve = curve_of(again("third"))
    assert [p.model for p in curve.points] == ["net", "net_taylor_05", "net_taylor_10"]
    assert [p.filters for p in curve.points] == sorted(p.filters for p in curve.points)


def test_all_points_of_a_curve_are_timed_in_one_run(make_run, monkeypatch) -> None:
    first = make_run(until=Fraction(1, 10), fine_tune=0)
    prune_filters(first)
    monkeypatch.setattr(
        points, "latencies", lambda nets, size, **_: [points.Latency(4, 3, 5)] * len(nets)
    )
    later = make_run(until=Fraction(2, 10), points=(Fraction(2, 10),), fine_tune=0)
    prune_filters(later)
    curve = curve_of(later)
    assert [p.latency for p in curve.points] == [4, 4, 4] and len({p.threads for p in curve.points})
    told = json.loads((later.lab.results / "diagnostics" / "net_taylor_10.json").read_text())
    assert told["values"]["latency_ms"] == 4 and told["values"]["latency_threads"] >= 1
    (later.lab.models / "net_taylor_10.toml").unlink()
    points.measure_together(later.card, later.lab, later.plan)
    whole, gone, last = curve_of(later).points
    assert gone.latency != gone.latency and (whole.latency, last.latency) == (4, 4)


def test_a_protocol_added_later_is_evaluated_of_the_whole_network_too(make_run) -> None:
    prune_filters(make_run(until=Fraction(1, 10), fine_tune=0))
    asked: list[str] = []
    later = make_run(until=Fraction(2, 10), fine_tune=0, protocols=("lfw",),
                     evaluate=accuracy(0.8, asked))  # fmt: skip
    prune_filters(later)
    assert asked == ["net_taylor_20", "net"]
    assert curve_of(later).points[0].accuracy == {"lfw": 0.8}


def test_an_unreadable_curve_beside_is_left_out_and_said(make_run) -> None:
    run = make_run(until=Fraction(1, 10), fine_tune=0)
    folder = run.lab.results / FOLDER
    folder.mkdir(parents=True)
    (folder / "other.json").write_text("broken")
    said: list[str] = []
    prune_filters(replace(run, lab=replace(run.lab, machine=Machine(report=said.append))))
    assert any("other.json: not a curve" in line and "left out" in line for line in said)
    assert len(curve_of(run).points) == 2


def test_the_supervision_of_other_data_is_not_taken_over(make_run, data) -> None:
    from facebench.lab.laboratory.train import train

    run = make_run("b", until=Fraction(1, 10), fine_tune=1)
    run = replace(run, lab=replace(run.lab, overwrite=True))
    trained = train(read_card(run.lab.models / "net.toml"), run.lab, steps=1)
    same = replace(run, card=trained)
    learned = run.lab.work / f"net-{trained.training.fingerprint}"
    assert same.learned_here == learned
    people = [(replace(crops, key="others"), count) for crops, count in data.sources]
    other = replace(same, lab=replace(run.lab, data=replace(data, sources=people)))
    assert other.learned_here is None and other.folder != same.folder
    prune_filters(other)  # a supervision is fitted


def test_too_deep_an_end_leaves_no_folder_behind(make_run) -> None:
    run = make_run("deep", until=Fraction(95, 100))
    with pytest.raises(UserError, match="at most 74%"):
        prune_filters(run)
    assert not run.folder.exists()
