"""The training loop: any network that maps faces to features, supervised, masked, resumable."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_, prune

from facebench.nets.convnet import to_input
from facebench.training.augment import Batch, batches
from facebench.training.checkpoints import load_checkpoint, save_checkpoint
from facebench.training.crops import TrainingCrops
from facebench.training.losses import Supervision

LOSSES = ("regression", "similarity", "identity")
CHECKPOINT = "checkpoint.pt"
LOG_EVERY = 100


@dataclass(frozen=True)
class Recipe:
    """How long and how hard to train.

    steps: mini-batches; rate: learning rate of AdamW, reached after ``warmup`` steps, held, and
    lowered to zero along a half cosine over the last share ``fall`` of the steps; weights: factor
    of each loss; precision: ``bfloat16`` (autocast) or ``float32``; seed: fixes batches,
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
    precision: str = "bfloat16"
    seed: int = 0
    checkpoint_every: int = 500

    def rate_at(self, step: int) -> float:
        """Learning rate of a step."""
        rising = min(1.0, (step + 1) / self.warmup)
        falling = max(0.0, 1 - (self.steps - step) / (self.fall * self.steps)) if self.fall else 0.0
        return self.rate * rising * 0.5 * (1 + math.cos(math.pi * falling))


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
    supervision: Supervision,
    sources: list[tuple[TrainingCrops, int]],
    recipe: Recipe,
    folder: Path,
    masks: Mapping[str, Tensor] | None = None,
    report: Callable[[str], None] = print,
) -> None:
    """Train ``net`` in place on batches drawn from ``sources``; continue from ``folder`` if begun.

    Checkpoints and ``log.csv`` go to ``folder``. A batch, its augmentation and a step's dropout
    depend on (seed, step) alone, so a resumed run on the CPU repeats what an undisturbed one does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    masks = masks or {}
    mask_layers(net, masks)
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    net.train()
    parameters = [*net.parameters(), *supervision.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=recipe.rate, weight_decay=recipe.decay, fused=True)
    step = _resume(folder, net, supervision, optimiser)
    started, running, summed = time.monotonic(), torch.zeros(len(LOSSES)), 0
    feed = batches(sources, recipe.seed, start=step)
    try:
        first = step
        while step < recipe.steps:
            torch.manual_seed(recipe.seed * 1_000_003 + step)
            losses = _step(net, supervision, optimiser, next(feed), recipe, step)
            running += losses
            summed += 1
            step += 1
            if step % LOG_EVERY == 0:
                rate = (step - first) * sum(n for _, n in sources) / (time.monotonic() - started)
                _log(folder, step, running / summed, rate, report)
                summed = 0
                running.zero_()
            if step % recipe.checkpoint_every == 0 or step == recipe.steps:
                _save(folder, net, supervision, optimiser, step)
    finally:
        feed.close()
        bake_masks(net, masks)
    net.eval()


def _step(
    net: nn.Module,
    supervision: Supervision,
    optimiser: torch.optim.Optimizer,
    batch: Batch,
    recipe: Recipe,
    step: int,
) -> Tensor:
    for group in optimiser.param_groups:
        group["lr"] = recipe.rate_at(step)
    low = recipe.precision == "bfloat16"
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=low):
        features = net(to_input(torch.from_numpy(batch.faces)))
    losses = supervision(
        features.float(), torch.from_numpy(batch.targets), torch.from_numpy(batch.labels)
    )
    total = sum(recipe.weights[name] * losses[name] for name in LOSSES)
    optimiser.zero_grad(set_to_none=True)
    total.backward()
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    clip_grad_norm_(parameters, 5.0)
    optimiser.step()
    return torch.stack([losses[name].detach() for name in LOSSES])


def _resume(
    folder: Path, net: nn.Module, supervision: Supervision, optimiser: torch.optim.Optimizer
) -> int:
    path = folder / CHECKPOINT
    if not path.exists():
        return 0
    saved = load_checkpoint(path)
    net.load_state_dict(saved["net"])
    supervision.load_state_dict(saved["supervision"])
    optimiser.load_state_dict(saved["optimiser"])
    return int(saved["step"])


def _save(
    folder: Path,
    net: nn.Module,
    supervision: Supervision,
    optimiser: torch.optim.Optimizer,
    step: int,
) -> None:
    state = {"net": net.state_dict(), "supervision": supervision.state_dict(),
             "optimiser": optimiser.state_dict(), "step": step}  # fmt: skip
    save_checkpoint(state, folder / CHECKPOINT)


def _log(
    folder: Path, step: int, means: Tensor, rate: float, report: Callable[[str], None]
) -> None:
    path = folder / "log.csv"
    new = not path.exists()
    with path.open("a", newline="") as handle:
        writer = csv.writer(handle)
        if new:
            writer.writerow(["step", *LOSSES, "faces_per_second"])
        writer.writerow([step, *(f"{v:.5f}" for v in means.tolist()), f"{rate:.1f}"])
    report(f"step {step}: " + ", ".join(
        f"{name} {value:.4f}" for name, value in zip(LOSSES, means.tolist(), strict=True)
    ) + f", {rate:.0f} faces/s")  # fmt: skip
