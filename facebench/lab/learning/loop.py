"""The training loop: any network that maps faces to features, supervised, masked, resumable."""

from __future__ import annotations

import io
import math
import pickle
import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_, prune

from facebench.base.errors import UserError
from facebench.base.opening import ARRAY, reading, require_plain
from facebench.base.progress import Advanced
from facebench.base.storage import write_atomically
from facebench.lab.data.augment import FACE_SIZE, Batch, Change, augment, batches, make_batch
from facebench.lab.data.crops import TrainingCrops
from facebench.lab.data.device_feed import DeviceBatch, DeviceFeed
from facebench.lab.learning.losses import Judge
from facebench.lab.learning.precision import AUTO, computing_in, settled
from facebench.lab.learning.stopping import stopping
from facebench.models.architectures.convnet import to_input

CHECKPOINT, LOG = "checkpoint.pt", "log.csv"
LOG_EVERY = 100
_AGAIN = "remove it, and what it holds is learned again"
Make = Callable[[list[tuple[TrainingCrops, int]], int, int, Change], Batch]


@dataclass(frozen=True)
class Recipe:
    """How long and how hard to train.

    steps: mini-batches; rate: learning rate, reached after ``warmup`` steps; schedule ``cosine``:
    held, and lowered to zero along a half cosine over the last share ``fall`` of the steps;
    ``decline``: lowered exponentially to the share ``end`` of it, then ten times smaller for the
    last share ``fine_tune`` of the steps. optimiser: ``adamw``, or ``sgd`` with ``momentum``;
    decay: of weights; weights: factor of each loss; clip: largest norm of the gradient; precision:
    ``bfloat16`` (autocast), ``float32`` or ``auto``, the faster of both; seed: fixes batches,
    augmentation and dropout.
    """

    steps: int
    rate: float = 1e-3
    warmup: int = 200
    fall: float = 0.7
    decay: float = 1e-4
    weights: Mapping[str, float] = field(
        default_factory=lambda: {"regression": 2.0, "similarity": 10.0, "identity": 0.1}
    )
    precision: str = "float32"
    seed: int = 0
    checkpoint_every: int = 500
    optimiser: str = "adamw"
    momentum: float = 0.9
    schedule: str = "cosine"
    end: float = 1.0
    fine_tune: float = 0.0
    clip: float = 5.0

    def rate_at(self, step: int) -> float:
        """Learning rate of a step."""
        rising = min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0
        if self.schedule == "decline":
            main = max(1, round(self.steps * (1 - self.fine_tune)))
            tenth = 0.1 if step >= main and self.fine_tune else 1.0
            return float(self.rate * rising * self.end ** (min(step, main) / main) * tenth)
        falling = max(0.0, 1 - (self.steps - step) / (self.fall * self.steps)) if self.fall else 0.0
        return self.rate * rising * 0.5 * (1 + math.cos(math.pi * falling))


@dataclass(frozen=True)
class Extras:
    """What not every training needs.

    device: ``cpu``, or ``cuda``: crops are held on the device and augmented there, without regard
    to ``change`` and ``make``, and the network is compiled. make: composes a batch; penalty: module
    name and strength of an L1 penalty on its weight; on_step: told every step done and the
    losses, which are else reported; compiled: on ``cuda``, which costs a minute first; to_input:
    faces of a batch → input of the network; fed: batches come from a thread on ``cuda``, too, with
    ``change`` and ``make``.
    """

    device: str = "cpu"
    make: Make = make_batch
    penalty: tuple[str, float] | None = None
    on_step: Advanced | None = None
    compiled: bool = True
    to_input: Callable[[Tensor], Tensor] = to_input
    fed: bool = False


def mask_layers(net: nn.Module, masks: Mapping[str, Tensor]) -> None:
    """Multiply weights by dropping matrices before every forward pass (paper, Section 4).

    ``masks`` maps a module's state-dict name to a tensor of 0 and 1 in the shape of its weight.
    PyTorch's own pruning does it, so that the weight that the network uses is the product.
    """
    for name, mask in masks.items():
        prune.custom_from_mask(net.get_submodule(name), "weight", mask)


def bake_masks(net: nn.Module, masks: Mapping[str, Tensor]) -> None:
    """Make masked weights plain parameters again; dropped ones are exact zeros."""
    for name in masks:
        prune.remove(net.get_submodule(name), "weight")


def train(
    net: nn.Module,
    supervision: Judge,
    sources: list[tuple[TrainingCrops, int]],
    recipe: Recipe,
    folder: Path,
    masks: Mapping[str, Tensor] | None = None,
    report: Callable[[str], None] = print,
    change: Change = augment,
    extras: Extras | None = None,
) -> None:
    """Train ``net`` in place on batches drawn from ``sources``; continue from ``folder`` if begun.

    supervision: a `Supervision` or `JointSupervision`. Checkpoints and ``log.csv`` go to
    ``folder``, one more when the process is asked to end. A batch, its augmentation and a step's
    dropout depend on (seed, step) alone, so a resumed run on the CPU repeats what an undisturbed
    one does, to the bit. ``change`` makes crops the faces that ``net`` takes. UserError where the
    training diverges: the checkpoint is then the last of finite weights.
    """
    extras = extras or Extras()
    folder.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    masks = {name: mask.to(extras.device) for name, mask in (masks or {}).items()}
    net.to(extras.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    supervision.to(extras.device)
    # Before the masks, under which a network cannot be copied.
    recipe = in_settled_precision(recipe, net, sources, folder, change, extras, report)
    mask_layers(net, masks)
    net.train()
    optimiser = _optimiser([*net.parameters(), *supervision.parameters()], recipe)
    step, mean, log = _resume(folder, net, supervision, optimiser)
    # Hooks that read earlier layers, as the joint supervision's, do not go with compilation.
    compile_it = extras.compiled and extras.device.startswith("cuda") and not supervision.pairs
    compiled: nn.Module = net
    if compile_it:
        compiled = cast(nn.Module, torch.compile(net))
    started, first, losses = time.monotonic(), step, ""
    feed = _feed(sources, recipe, step, change, extras, supervision.pairs)
    try:
        with stopping() as stop:
            while step < recipe.steps and not stop:
                torch.manual_seed(recipe.seed * 1_000_003 + step)
                try:
                    batch = next(feed)
                    mean.add(_step(compiled, supervision, optimiser, batch, recipe, step, extras))
                except _DivergedError as error:
                    raise UserError(_diverged(error, step, folder, recipe)) from None
                step += 1
                logged = step % LOG_EVERY == 0 or step == recipe.steps
                if logged or step - first < LOG_EVERY:
                    faces = (step - first) * sum(n for _, n in sources)
                    rate = faces / (time.monotonic() - started)
                    losses = f"{mean.words}, {rate:.0f} faces/s"
                if logged:
                    _log(log, step, mean, rate)
                    _write_log(folder / LOG, log)
                    mean.clear()
                    if extras.on_step is None:
                        report(f"step {step}: {losses}")
                if step % recipe.checkpoint_every == 0 or step == recipe.steps or stop:
                    if not _finite(net, supervision):
                        what = _DivergedError("a weight is not finite")
                        raise UserError(_diverged(what, step - 1, folder, recipe))
                    _save(folder, net, supervision, optimiser, step, mean, log)
                if extras.on_step is not None:
                    extras.on_step(step, losses)
    finally:
        feed.close()
        bake_masks(net, masks)
        net.to("cpu")
        supervision.to("cpu")
    net.eval()


def _feed(
    sources: list[tuple[TrainingCrops, int]],
    recipe: Recipe,
    step: int,
    change: Change,
    extras: Extras,
    pairs: bool,
) -> Generator[Any, None, None]:
    """Batches from ``step`` on, of a thread beside the network or held on its device."""
    beside = extras.fed or _of_a_bank(sources)
    if extras.device.startswith("cuda") and not beside:
        return _on_device(DeviceFeed(sources, recipe.seed, extras.device, pairs), step)
    return batches(sources, recipe.seed, start=step, change=change, make=extras.make)


def _of_a_bank(sources: list[tuple[TrainingCrops, int]]) -> bool:
    """Whether faces are augmented already, for which a device has no use of whole crops."""
    return any(np.shape(crops.images[0])[:2] == FACE_SIZE for crops, _ in sources)


def _on_device(feed: DeviceFeed, step: int) -> Generator[DeviceBatch, None, None]:
    while True:
        yield feed.batch(step)
        step += 1


def _optimiser(parameters: list[nn.Parameter], recipe: Recipe) -> torch.optim.Optimizer:
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(
            parameters, lr=recipe.rate, momentum=recipe.momentum, weight_decay=recipe.decay
        )
    return torch.optim.AdamW(parameters, lr=recipe.rate, weight_decay=recipe.decay, fused=True)


def in_settled_precision(
    recipe: Recipe,
    net: nn.Module,
    sources: list[tuple[TrainingCrops, int]],
    folder: Path,
    change: Change,
    extras: Extras,
    report: Callable[[str], None],
) -> Recipe:
    """The recipe with what ``auto`` comes to for ``net``, by its first batch; others as they are.

    net: on the device; other arguments as of `train`.
    """
    if recipe.precision != AUTO:
        return recipe
    faces = torch.as_tensor(extras.make(sources, recipe.seed, 0, change).faces)
    inputs = extras.to_input(faces.to(extras.device))
    return replace(recipe, precision=settled(folder, net, inputs, report))


class _Mean:
    """Mean losses since the last line of the log."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names, self.sum, self.count = names, torch.zeros(len(names)), 0

    def add(self, losses: Tensor) -> None:
        self.sum += losses.cpu()
        self.count += 1

    def clear(self) -> None:
        self.sum.zero_()
        self.count = 0

    @property
    def values(self) -> list[float]:
        return [float(value) for value in (self.sum / max(self.count, 1)).tolist()]

    @property
    def words(self) -> str:
        told = zip(self.names, self.values, strict=True)
        return ", ".join(f"{name} {value:.4f}" for name, value in told)


def _step(
    net: nn.Module,
    supervision: Judge,
    optimiser: torch.optim.Optimizer,
    batch: Batch | DeviceBatch,
    recipe: Recipe,
    step: int,
    extras: Extras,
) -> Tensor:
    for group in optimiser.param_groups:
        group["lr"] = recipe.rate_at(step)
    device = torch.device(extras.device)
    with computing_in(recipe.precision, net, device.type):
        features = net(extras.to_input(torch.as_tensor(batch.faces, device=device)))
    losses = supervision(
        features.float(),
        torch.as_tensor(batch.targets, device=device),
        torch.as_tensor(batch.labels, device=device),
    )
    names = supervision.names
    total = torch.stack([recipe.weights.get(name, 0.0) * losses[name] for name in names]).sum()
    if not math.isfinite(float(total.detach())):
        raise _DivergedError("the loss is not finite")
    if extras.penalty is not None:
        name, strength = extras.penalty
        plain = cast(nn.Module, getattr(net, "_orig_mod", net))
        total = total + strength * cast(Tensor, plain.get_submodule(name).weight).abs().sum()
    optimiser.zero_grad(set_to_none=True)
    total.backward()
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    if not math.isfinite(float(clip_grad_norm_(parameters, recipe.clip))):
        raise _DivergedError("the gradient is not finite")
    optimiser.step()
    return torch.stack([losses[name].detach() for name in names])


class _DivergedError(Exception):
    """What is not finite, in words."""


def _diverged(what: _DivergedError, step: int, folder: Path, recipe: Recipe) -> str:
    path = folder / CHECKPOINT
    kept = f"{path} is of step {load_checkpoint(path)['step']}" if path.exists() else "none is kept"
    return (
        f"the training diverged at step {step + 1} of {recipe.steps}: {what}; the last good "
        f"checkpoint: {kept}. Lower the rate of the recipe (now {recipe.rate:g}) or lengthen its "
        f"warmup (now {recipe.warmup}): another recipe begins anew in a folder of its own"
    )


def _finite(*modules: nn.Module) -> bool:
    return all(
        bool(value.isfinite().all())
        for module in modules
        for value in module.state_dict().values()
        if value.is_floating_point()
    )


def _resume(
    folder: Path, net: nn.Module, supervision: Judge, optimiser: torch.optim.Optimizer
) -> tuple[int, _Mean, list[str]]:
    mean, log, step = _Mean(supervision.names), [], 0
    path = folder / CHECKPOINT
    if path.exists():
        saved = load_checkpoint(path)
        net.load_state_dict(saved["net"])
        supervision.load_state_dict(saved["supervision"])
        optimiser.load_state_dict(saved["optimiser"])
        step, log = int(saved["step"]), _with_speeds(saved["log"], folder / LOG)
        mean.sum, mean.count = saved["losses"], int(saved["since"])
    # Whatever became of the file: after the checkpoint everything is learned and logged again.
    _write_log(folder / LOG, log)
    return step, mean, log


def _save(
    folder: Path,
    net: nn.Module,
    supervision: Judge,
    optimiser: torch.optim.Optimizer,
    step: int,
    mean: _Mean,
    log: list[str],
) -> None:
    state = {"net": net.state_dict(), "supervision": supervision.state_dict(),
             "optimiser": optimiser.state_dict(), "step": step,
             "losses": mean.sum, "since": mean.count,
             "log": [_without_speed(line) for line in log]}  # fmt: skip
    save_checkpoint(state, folder / CHECKPOINT)


def _without_speed(line: str) -> str:
    """A line of the log without what was measured: checkpoints are equal in every run."""
    return line.rsplit(",", 1)[0]


def _with_speeds(lines: list[str], path: Path) -> list[str]:
    """A checkpoint's lines with the speeds that the log states, where it is still there."""
    text = path.read_text("utf-8", errors="replace") if path.exists() else ""
    known = {_without_speed(line): line for line in text.splitlines() if "," in line}
    head = {line: f"{line},faces_per_second" for line in lines[:1]}
    return [(head | known).get(line, f"{line},nan") for line in lines]


def _write_log(path: Path, lines: list[str]) -> None:
    """Write a training's log, complete or not at all; there is none without a line."""
    if lines:
        write_atomically(path, "".join(f"{line}\r\n" for line in lines).encode())
    else:
        path.unlink(missing_ok=True)


def _log(lines: list[str], step: int, mean: _Mean, rate: float) -> None:
    if not lines:
        lines.append(",".join(["step", *mean.names, "faces_per_second"]))
    lines.append(",".join([f"{step}", *(f"{v:.5f}" for v in mean.values), f"{rate:.1f}"]))


def save_checkpoint(state: Mapping[str, Any], path: Path) -> None:
    """Write tensors and plain values so that ``torch.load(weights_only=True)`` reads them.

    Equal values give equal bytes, whether they were computed or read from a file.
    """
    buffer = io.BytesIO()
    torch.save(_interned(dict(state)), buffer)
    write_atomically(path, buffer.getvalue())


def load_checkpoint(path: Path, to_do: str = _AGAIN) -> dict[str, Any]:
    """What ``save_checkpoint`` wrote; UserError, which ends with to_do, where it did not."""
    require_plain(path, "the checkpoint", ARRAY)
    with reading(path, "not a checkpoint", to_do):
        # torch's own line advises to unpickle whatever is in the file.
        with _without_advice():
            state = torch.load(path, weights_only=True)
        if not isinstance(state, dict):
            raise TypeError(f"it holds a {type(state).__name__}")
    return state


@contextmanager
def _without_advice() -> Iterator[None]:
    try:
        yield
    except pickle.UnpicklingError:
        raise ValueError("it holds other things than tensors and plain values") from None


def _interned(value: Any) -> Any:
    """Plain values with one object for every equal text: a pickle writes the same object once."""
    if type(value) is str:
        return sys.intern(value)
    if type(value) is dict:
        return {_interned(key): _interned(own) for key, own in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_interned(own) for own in value)
    return value
