"""Training: bit-identical resume, dropped weights that stay dropped, folding, batches."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from facebench.base.errors import UserError
from facebench.lab.data.augment import augment, batches, make_batch
from facebench.lab.data.crops import TrainingCrops
from facebench.lab.learning import loop
from facebench.lab.learning.loop import CHECKPOINT, LOG, Recipe, load_checkpoint, train
from facebench.lab.learning.losses import Supervision
from facebench.lab.learning.normalised import NormalisedConvNet

WIDTH = 0.0625


def crops(count: int = 48, seed: int = 0) -> TrainingCrops:
    rng = np.random.default_rng(seed)
    targets = rng.normal(size=(count, 8)).astype(np.float32)
    targets /= np.linalg.norm(targets, axis=1, keepdims=True)
    labels = rng.integers(0, 4, count).astype(np.int64)
    labels[::3] = -1
    images = rng.integers(0, 256, (count, 128, 112, 3), dtype=np.uint8)
    return TrainingCrops(images, labels, targets)


def fresh() -> tuple[NormalisedConvNet, Supervision]:
    torch.manual_seed(0)
    net = NormalisedConvNet(WIDTH)
    return net, Supervision(net.features, 8, 4)


def run(folder: Path, steps: int, every: int = 2, masks=None) -> NormalisedConvNet:
    net, supervision = fresh()
    recipe = Recipe(steps, warmup=2, checkpoint_every=every, precision="float32")
    train(net, supervision, [(crops(), 8)], recipe, folder, masks, report=lambda _: None)
    return net


def test_resume_is_bit_identical(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run(tmp_path / "whole", 6)
    interrupted = tmp_path / "interrupted"

    step, calls = loop._step, []

    def failing(*args):
        calls.append(1)
        if len(calls) == 6:  # after the checkpoint at step 4, before the one at 6
            raise KeyboardInterrupt
        return step(*args)

    monkeypatch.setattr(loop, "_step", failing)
    with pytest.raises(KeyboardInterrupt):
        run(interrupted, 6)
    assert (interrupted / CHECKPOINT).exists()
    monkeypatch.setattr(loop, "_step", step)
    continued = run(interrupted, 6)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, continued.state_dict()[name]), name


def test_dropped_weights_are_zero_after_training_and_others_moved(tmp_path: Path) -> None:
    net, _ = fresh()
    mask = (torch.rand(net.local5b.weight.shape) < 0.1).float()
    trained = run(tmp_path, 3, masks={"local5b": mask})
    weight = trained.local5b.weight.detach()
    assert (weight[mask == 0] == 0).all()
    assert not torch.equal(weight[mask == 1], net.local5b.weight.detach()[mask == 1])
    assert set(dict(trained.named_parameters())) == set(dict(net.named_parameters()))


def test_masked_training_resumes(tmp_path: Path) -> None:
    net, _ = fresh()
    mask = (torch.rand(net.f.weight.shape) < 0.1).float()
    whole = run(tmp_path / "a", 4, masks={"f": mask})
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    again = run(tmp_path / "b", 4, masks={"f": mask})
    assert torch.equal(whole.f.weight, again.f.weight)


def test_folding_changes_nothing() -> None:
    net, _ = fresh()
    net.train()
    for _ in range(3):
        net(torch.randn(8, 3, 112, 96))
    net.eval()
    x = torch.randn(4, 3, 112, 96)
    with torch.no_grad():
        assert torch.allclose(net(x), net.folded()(x), atol=1e-4)


def test_folding_keeps_dropped_weights_at_zero(tmp_path: Path) -> None:
    net, _ = fresh()
    mask = (torch.rand(net.conv4b.weight.shape) < 0.5).float()
    trained = run(tmp_path, 2, masks={"conv4b": mask})
    assert (trained.folded().conv4b.weight[mask == 0] == 0).all()


def test_batches_start_anywhere_and_cover_an_epoch() -> None:
    sources = [(crops(), 8), (crops(20, 1), 4)]
    feed = batches(sources, seed=5)
    straight = [next(feed) for _ in range(3)]
    feed.close()
    late = batches(sources, seed=5, start=2)
    assert np.array_equal(next(late).faces, straight[2].faces)
    late.close()
    seen = [tuple(make_batch([(crops(), 8)], 5, i).targets[:, 0]) for i in range(6)]
    assert len(set(sum(seen, ()))) == 48


def test_identities_of_two_sources_do_not_meet() -> None:
    first, second = crops(), crops(20, 1)
    batch = make_batch([(first, 8), (second, 8)], 0, 0)
    own = batch.labels[8:]
    assert own[own >= 0].min() >= first.classes


def test_augmentation_is_a_face_of_the_right_size_and_depends_on_its_generator() -> None:
    crop = crops(1).images[0]
    faces = [augment(crop, np.random.default_rng(s)) for s in (1, 1, 2)]
    assert faces[0].shape == (112, 96, 3) and faces[0].dtype == np.uint8
    assert np.array_equal(faces[0], faces[1]) and not np.array_equal(faces[0], faces[2])


def test_losses_ignore_rows_without_target_or_label() -> None:
    torch.manual_seed(0)
    supervision = Supervision(16, 8, 4)
    features, targets = torch.rand(6, 16), torch.randn(6, 8)
    targets[3:] = float("nan")
    labels = torch.tensor([-1, -1, 0, 1, -1, 2])
    full = supervision(features, targets, labels)
    taught = supervision(features[:3], targets[:3], torch.full((3,), -1))
    assert full["regression"].item() == pytest.approx(taught["regression"].item(), abs=1e-6)
    assert full["similarity"].item() == pytest.approx(taught["similarity"].item(), abs=1e-6)
    known = supervision(features[[2, 3, 5]], targets[[5, 5, 5]], labels[[2, 3, 5]])
    assert full["identity"].item() == pytest.approx(known["identity"].item(), abs=1e-5)
    assert known["regression"].item() == 0.0


def test_rate_rises_holds_and_falls() -> None:
    recipe = Recipe(1000, rate=1.0, warmup=100, fall=0.5)
    assert recipe.rate_at(0) == pytest.approx(0.01)
    assert recipe.rate_at(300) == 1.0 and recipe.rate_at(500) == pytest.approx(1.0)
    assert recipe.rate_at(750) == pytest.approx(0.5) and recipe.rate_at(999) < 1e-4


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_whoever_is_asked_to_end_writes_down_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Asked in a step: that step is finished, and the next run does not repeat it."""
    whole, step, done = run(tmp_path / "whole", 5, every=100), loop._step, []

    def asked(*args):
        done.append(args[5])
        if len(done) == 3:
            os.kill(os.getpid(), number)
        return step(*args)

    class EndedError(Exception):
        pass

    def end(*_: object) -> None:
        raise EndedError

    before = signal.signal(number, end)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(loop, "_step", asked)
            with pytest.raises(EndedError):
                run(tmp_path / "asked", 5, every=100)
            again = run(tmp_path / "asked", 5, every=100)
    finally:
        signal.signal(number, before)
    assert done == [0, 1, 2, 3, 4]
    assert all(torch.equal(v, again.state_dict()[k]) for k, v in whole.state_dict().items())
    logs = [(tmp_path / name / LOG).read_text().split(",")[:-1] for name in ("whole", "asked")]
    assert logs[0] == logs[1]
    kept = [(tmp_path / name / CHECKPOINT).read_bytes() for name in ("whole", "asked")]
    assert kept[0] == kept[1]


@pytest.mark.parametrize("left", [None, "", "step,regr", "step,a\r\n1,0.5,", "\0\0"])
def test_whatever_became_of_the_log_it_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: str | None
) -> None:
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    run(tmp_path, 3, every=1)
    path = tmp_path / LOG
    before = path.read_bytes()
    path.unlink() if left is None else path.write_text(left)
    run(tmp_path, 3, every=1)
    assert len(before.split(b"\r\n")) == 5
    learned = [[line.rsplit(b",", 1)[0] for line in text.split(b"\r\n")[:4]]
               for text in (before, path.read_bytes())]  # fmt: skip
    assert learned[0] == learned[1] and path.read_bytes().startswith(before.split(b"\r\n")[0])


def diverging(folder: Path, rate: float, every: int = 1) -> str:
    net, supervision = fresh()
    recipe = Recipe(40, rate, 0, checkpoint_every=every, precision="float32")
    with pytest.raises(UserError) as caught:
        train(net, supervision, [(crops(), 8)], recipe, folder, report=lambda _: None)
    return str(caught.value)


def test_a_training_that_diverges_stops_and_keeps_what_was_good(tmp_path: Path) -> None:
    said = diverging(tmp_path, 1e30)
    assert "diverged at step 2 of 40" in said and "Lower the rate of the recipe (now 1e+30)" in said
    assert f"{tmp_path / CHECKPOINT} is of step 1" in said and "\n" not in said
    before = (tmp_path / CHECKPOINT).read_bytes()
    for value in load_checkpoint(tmp_path / CHECKPOINT)["net"].values():
        assert value.isfinite().all()
    assert diverging(tmp_path, 1e30) == said  # again the same, not something worse
    assert (tmp_path / CHECKPOINT).read_bytes() == before
    assert "none is kept" in diverging(tmp_path / "other", 1e30, every=10)


def test_weights_that_are_not_finite_are_never_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = loop._step

    def spoiling(net, supervision, optimiser, batch, recipe, number, extras):
        found = step(net, supervision, optimiser, batch, recipe, number, extras)
        if number == 2:
            net.f.bias.data[0] = float("inf")
        return found

    monkeypatch.setattr(loop, "_step", spoiling)
    with pytest.raises(UserError, match=r"step 3 .*a weight is not finite.* is of step 2"):
        run(tmp_path, 6, every=1)
    assert load_checkpoint(tmp_path / CHECKPOINT)["step"] == 2
