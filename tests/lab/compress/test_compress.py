"""The whole of it on toys: what it writes, that it continues, and that it decides once."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import facebench.lab.compress.looks as looks
from facebench.base.errors import UserError
from facebench.evaluation.evaluate import evaluate_prepared
from facebench.gate.named import judge
from facebench.lab.compress.brought import start_of
from facebench.lab.compress.compress import CompressRun, compress
from facebench.lab.compress.ledger import Earlier
from facebench.lab.compress.plan import CompressPlan
from facebench.lab.data.sources import training_data
from facebench.lab.laboratory.laboratory import Laboratory
from facebench.lab.learning.learner import Machine
from facebench.lab.learning.recipes import load_recipe
from facebench.models.architectures.convnet import ConvNet
from facebench.models.architectures.registry import build
from facebench.models.architectures.shapes import LAYERS, module_name
from facebench.models.cards.card import ModelCard, read_card
from facebench.models.cards.publish import publish_compact, publish_weights, write_card
from facebench.models.cards.trained import compact_network_of, packed_weights
from facebench.models.embedders.options import ModelOptions
from facebench.models.weights.packed import load_packed
from facebench.models.zoo import load_model
from facebench.protocols.settings import Settings
from tests.helpers.training_toys import write_people

FACES = (112, 96)
MakeRun = Callable[..., CompressRun]
# As loose as a rule can be: networks with random weights lose nothing that they had.
RULE = "lfw.accuracy drop <= 99pt at 50%"


@pytest.fixture(scope="module")
def lfw(tmp_path_factory) -> Path:
    """24 people of two coloured crops, 2 folds, compared in twos."""
    folder = tmp_path_factory.mktemp("lfw")
    rng, lines = np.random.default_rng(0), ["2\t12"]
    for fold in range(2):
        names = [f"P{fold}_{n:02d}" for n in range(12)]
        lines += [f"{name}\t1\t2" for name in names]
        lines += [f"{names[n]}\t1\t{names[n ^ 1]}\t2" for n in range(12)]
        for name in names:
            base = cv2.resize(rng.integers(0, 255, (4, 4, 3), dtype=np.uint8), (96, 112))
            (folder / "lfw" / name).mkdir(parents=True)
            for number in (1, 2):
                face = np.clip(base + rng.normal(0, 25, base.shape), 0, 255).astype(np.uint8)
                cv2.imwrite(str(folder / "lfw" / name / f"{name}_{number:04d}.jpg"), face)
    (folder / "pairs.txt").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    write_people(folder / "p", people=6, images=4)
    return training_data([str(folder / "p")], 6, folder / "cache")


@pytest.fixture
def make_run(data, lfw: Path, tmp_path: Path) -> MakeRun:
    whole = load_recipe("compact").model_dump()
    whole |= {"batch": 6, "precision": "float32", "checkpoint_every": 1}
    recipe = type(load_recipe("compact")).model_validate(whole)
    machine = Machine(report=lambda _: None)
    settings = Settings(store=False, progress=False, workers=0, align="none")

    def make(place: str = "a", taught: bool = True, kind=compact_card, **more) -> CompressRun:
        folder = tmp_path / place
        card = kind(folder / "zoo")
        lab = Laboratory(recipe, "tiny", data, "toys", folder / "work", folder / "models",
                         folder / "results", machine)  # fmt: skip
        given = {"fine_tune": 1, "candidates": 5, **more}
        plan = CompressPlan("net", RULE, "small", **given)
        return CompressRun(
            plan, card, lfw, lab if taught else None, settings, folder / "work",
            folder / "models", folder / "results", machine,
        )  # fmt: skip

    return make


def compact_card(folder: Path) -> ModelCard:
    if not (folder / "net.toml").exists():
        torch.manual_seed(1)
        publish_compact("net", build("squeezenet1_1", 8, FACES, 0.125), {"data": "none"}, folder)
    return read_card(folder / "net.toml")


def convnet_card(folder: Path) -> ModelCard:
    if not (folder / "net.toml").exists():
        torch.manual_seed(1)
        fields = {"name": "net", "title": "a net", "architecture": "convnet", "width": 0.0625,
                  "preprocessing": {"size": FACES, "flip": "add"}}  # fmt: skip
        write_card(ModelCard.model_validate(fields), folder / "net.toml")
        net = ConvNet(0.0625, FACES)
        publish_weights("net", net.state_dict(), {}, {"data": "none"}, folder)
    return read_card(folder / "net.toml")


def brought_card(folder: Path) -> ModelCard:
    return start_of("tests.lab.compress.test_brought:net", ModelOptions(size=(112, 112)), folder)


@pytest.mark.slow
def test_card_weights_records_curve_picture_and_gate_file(make_run: MakeRun) -> None:
    run = make_run()
    found = compress(run)
    assert found.outcome == "pass" and found.decision.earlier == Earlier()
    assert found.candidates == 5 and len(found.points) == 6
    assert all(path.is_file() for path in found.files)
    card = read_card(run.models / "small.toml")
    assert card.parent == "net" and "pass" in card.notes and "no choice has seen" in card.notes
    point = found.chosen
    assert point.bytes == card.weights_path.stat().st_size == point.objective
    assert point.bytes < packed_bytes_of(run.card)
    net = compact_network_of(card)
    assert card.filters_removed is None or 0 < card.filters_removed < 1
    assert point.kept == sum(
        p.numel() if p.dim() < 2 else int((p != 0).sum()) for p in net.parameters()
    )
    rows = list(csv.DictReader((run.results / "small" / "candidates.csv").open()))
    assert [row["candidate"] for row in rows] == [one.candidate for one in found.points]
    told = json.loads((run.results / "small" / "candidates.json").read_text())
    assert told["looked_at"] == 5 and told["verdict"]["outcome"] == "pass"
    assert told["candidates"][0]["candidate"] == "start"
    front = [p for p in found.points if p.front]
    assert all(
        not (q.objective < p.objective and q.value >= p.value) for p in front for q in found.points
    )
    where = run.results / "small"
    judged = judge(where / "decided", where / "gate.toml", where / "baseline")
    assert judged.outcome == "pass" and len(judged.verdicts) == 2


def packed_bytes_of(card: ModelCard) -> int:
    return card.weights_path.stat().st_size


def test_nobody_is_both_chosen_and_decided_on(make_run: MakeRun, monkeypatch) -> None:
    seen: dict[str, set[str]] = {}

    def evaluate(model, prepared, settings):
        seen.setdefault(prepared.comparisons.fingerprint, set()).update(
            key.split("/")[0] for key in prepared.comparisons.keys
        )
        order.append(prepared.comparisons.fingerprint)
        return evaluate_prepared(model, prepared, settings)

    order: list[str] = []
    monkeypatch.setattr(looks, "evaluate_prepared", evaluate)
    compress(make_run(taught=False, moves=("int8",)))
    assert len(seen) == 2 and not set.intersection(*seen.values())
    # Candidates on one half; then the start and the chosen one, once, on the other.
    assert order == [order[0]] * 2 + [order[-1]] * 2


class _KilledError(Exception):
    pass


@pytest.mark.slow
@pytest.mark.parametrize("kind", [compact_card, convnet_card, brought_card])
def test_a_killed_run_continues_and_ends_the_same(make_run: MakeRun, monkeypatch, kind) -> None:
    """Killed after each evaluation in turn; nothing is evaluated twice, the verdict given once."""
    more = {"kind": kind, "candidates": 3, "moves": ("filters", "connections", "int8")}
    whole = compress(make_run("whole", **more))
    done: list[tuple[str, str]] = []

    def evaluate(model, prepared, settings):
        record = evaluate_prepared(model, prepared, settings)
        done.append((str(model), prepared.comparisons.fingerprint))
        return record

    saved = looks.save_record

    def save_and_die(record, folder):
        path = saved(record, folder)
        if len(done) % 2:
            raise _KilledError
        return path

    monkeypatch.setattr(looks, "evaluate_prepared", evaluate)
    monkeypatch.setattr(looks, "save_record", save_and_die)
    found = None
    for _ in range(20):
        try:
            found = compress(make_run("killed", **more))
            break
        except _KilledError:
            continue
    assert found is not None
    assert [p.candidate for p in found.points] == [p.candidate for p in whole.points]
    assert found.card.sha256 == whole.card.sha256
    assert found.decision.record.digest() == whole.decision.record.digest()
    count = len(done)
    again = compress(make_run("killed", **more))
    assert len(done) == count and again.decision.earlier == Earlier()
    assert again.outcome == found.outcome


@pytest.mark.slow
def test_a_convnet_loses_connections_and_becomes_int8(make_run: MakeRun) -> None:
    run = make_run(kind=convnet_card, candidates=3)
    found = compress(run)
    assert "passed over filters: those of a convnet cannot be removed here" in found.told
    packed = packed_weights(found.card)
    assert packed.dtype == "int8" or packed.masks
    masked = {layer for layer in LAYERS if module_name(layer) in packed.masks}
    assert set(found.card.sparsity) == masked
    for name, mask in packed.masks.items():
        assert (packed.state[f"{name}.weight"][~mask] == 0).all()


@pytest.mark.slow
def test_a_brought_network_end_to_end(make_run: MakeRun) -> None:
    run = make_run(kind=brought_card, candidates=6)
    found = compress(run)
    assert found.outcome == "pass" and {"filters", "connections", "int8"} == {
        name.rpartition("-")[0] for p in found.points[1:] for name in p.candidate.split("_")
    }
    card, point = found.card, found.chosen
    assert (card.architecture, card.factory) == ("python", "tests.lab.compress.test_brought:net")
    assert "mini-batches of 6 faces" in card.training.recipe and "pass" in card.notes
    assert (
        point.bytes
        == card.weights_path.stat().st_size
        == point.objective
        < 0.6 * (found.points[0].objective)
    )
    assert any(f"{found.points[0].objective:,.0f}, in float16" in line for line in found.told)
    face = np.full((1, 112, 112, 3), 90, np.uint8)
    assert load_model(str(card.path)).embed(face).shape == (1, 6)
    where = run.results / "small"
    judged = judge(where / "decided", where / "gate.toml", where / "baseline")
    assert judged.outcome == "pass" and len(judged.verdicts) == 2
    assert compress(run).decision.record.digest() == found.decision.record.digest()


@pytest.mark.slow
def test_without_faces_nothing_is_trained(make_run: MakeRun) -> None:
    run = make_run(taught=False, moves=("connections",), candidates=1)
    found = compress(run)
    assert found.chosen.candidate == "connections-04"
    before, after = packed_weights(run.card).state, load_packed(found.card.weights_path)
    for name, value in after.state.items():
        kept = after.masks.get(name.removesuffix(".weight"), torch.ones_like(value, dtype=bool))
        assert torch.equal(value[kept.bool()], before[name][kept.bool()])
    assert "no training after it" in found.card.training.recipe


@pytest.mark.slow
def test_multiply_adds_fall_with_filters(make_run: MakeRun) -> None:
    found = compress(make_run(taught=False, objective="multiply-adds", candidates=2))
    assert found.chosen.candidate == "filters-08"
    assert 0.93**8 * 0.95 < found.chosen.share < 0.93**8 * 1.05
    gate = (found.files[2]).read_text()
    assert f"multiply_adds <= {found.chosen.multiply_adds}" in gate


@pytest.mark.slow
def test_latency_is_measured_beside_the_start(make_run: MakeRun, monkeypatch) -> None:
    from facebench.lab.filters.latency import Latency

    monkeypatch.setattr(
        looks, "latencies", lambda nets, size, repeats: [Latency(4, 4, 4), Latency(3, 3, 3)]
    )
    found = compress(make_run(taught=False, objective="latency", candidates=1))
    assert found.chosen.objective == 0.75 and found.points[0].objective == 1.0


def test_nothing_passes_and_nothing_is_decided(make_run: MakeRun) -> None:
    run = make_run(taught=False, moves=("int8",))
    strict = replace(run, plan=replace(run.plan, until="lfw.accuracy drop <= 0.001pt at 95%"))
    found = compress(strict)
    assert found.card is None and found.decision is None and found.chosen is None
    assert found.outcome in ("undecided", "fail")
    assert any("nothing smaller passes; nearest was int8-01" in line for line in found.told)
    assert not (run.models / "small.toml").exists()
    told = json.loads((run.results / "small" / "candidates.json").read_text())
    assert told["verdict"] is None


def test_nobody_is_learned_from_and_decided_on(make_run: MakeRun) -> None:
    """As far as names tell."""
    run = make_run()
    assert run.lab is not None
    (crops, share), *others = run.lab.data.sources
    alike = replace(crops, names=("P0_03", *crops.names[1:]))
    lab = replace(run.lab, data=replace(run.lab.data, sources=((alike, share), *others)))
    with pytest.raises(UserError, match=r"1 people of lfw are in it \(first: P0_03\)"):
        compress(replace(run, lab=lab))


def test_other_networks_and_names_are_refused(make_run: MakeRun) -> None:
    run = make_run(taught=False)
    with pytest.raises(UserError, match="--name net: is the start's own"):
        compress(replace(run, plan=replace(run.plan, model="net")))
    card = run.card.model_copy(update={"architecture": "onnx"})
    with pytest.raises(UserError, match="is of kind onnx; networks of facebench's own and"):
        compress(replace(run, card=card))


@pytest.mark.slow
def test_a_card_of_other_settings_is_not_overwritten(make_run: MakeRun) -> None:
    run = make_run(taught=False, moves=("int8",))
    compress(run)
    other = replace(run, plan=replace(run.plan, seed=1))
    with pytest.raises(UserError, match="add --overwrite"):
        compress(other)
    earlier = compress(replace(other, overwrite=True)).decision.earlier
    assert (earlier.same, earlier.some) == (0, 1) and 0 < earlier.share < 1
