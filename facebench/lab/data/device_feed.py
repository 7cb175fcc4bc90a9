"""Batches from crops that lie on the accelerator, augmented there: no face crosses the bus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from facebench.lab.data.augment import FACE_SIZE, epoch_rows, pair_rows
from facebench.lab.data.crops import CROP_SIZE, Sources


@dataclass(frozen=True)
class DeviceBatch:
    """As `facebench.lab.data.augment.Batch`, on the device: uint8 N×112×96×3, int64 N, float32."""

    faces: Tensor
    labels: Tensor
    targets: Tensor


class DeviceFeed:
    """All crops of the sources as one uint8 tensor on a device (43 kB each), and their batches.

    Batch ``step`` takes the rows that `make_batch` (pairs: `make_pair_batch`) would take, so it
    depends on (seed, step) alone; the augmentation is the same in kind, without the loss of
    resolution, and its numbers differ from those of the CPU.
    """

    def __init__(self, sources: Sources, seed: int, device: str, pairs: bool = False) -> None:
        self.sources, self.seed, self.device, self.pairs = sources, seed, device, pairs
        width = max(crops.targets.shape[1] for crops, _ in sources)
        total = sum(len(crops.images) for crops, _ in sources)
        images = torch.empty(total, *CROP_SIZE, 3, dtype=torch.uint8, device=device)
        labels, targets = torch.full((total,), -1), torch.full((total, width), float("nan"))
        begin = classes = 0
        for crops, _ in sources:
            for row in range(len(crops.images)):
                images[begin + row] = torch.from_numpy(np.array(crops.images[row])).to(device)
            own = torch.from_numpy(np.asarray(crops.labels))
            end = begin + len(own)
            labels[begin:end] = torch.where(own >= 0, own + classes, own)
            targets[begin:end, : crops.targets.shape[1]] = torch.from_numpy(crops.targets)
            begin, classes = end, classes + crops.classes
        self.images, self.labels, self.targets = images, labels.to(device), targets.to(device)

    def batch(self, step: int) -> DeviceBatch:
        """Batch number ``step``."""
        rng = np.random.default_rng([self.seed, 4, step])
        rows, begin = [], 0
        for number, (crops, count) in enumerate(self.sources):
            if self.pairs:
                own = pair_rows(crops.labels, count, rng)
            else:
                own = epoch_rows(len(crops.images), count, step, [self.seed, 2, number])
            rows.append(own + begin)
            begin += len(crops.images)
        chosen = torch.from_numpy(np.concatenate(rows)).to(self.device)
        faces = augmented(self.images[chosen], rng)
        return DeviceBatch(faces, self.labels[chosen], self.targets[chosen])


def augmented(crops: Tensor, rng: np.random.Generator) -> Tensor:
    """uint8 N×128×112×3 crops → uint8 N×112×96×3 faces: moved, mirrored, relit, grey, covered."""
    count, device = len(crops), crops.device

    def draw(values: object) -> Tensor:
        return torch.as_tensor(np.asarray(values), dtype=torch.float32, device=device)

    x = crops.permute(0, 3, 1, 2).float() / 255
    x = F.grid_sample(
        x, _grid(rng, count, device), mode="bilinear", padding_mode="border", align_corners=False
    )
    relit = draw(rng.random(count) < 0.7).view(-1, 1, 1, 1)
    gamma = draw(np.exp(rng.normal(0, 0.25, count))).view(-1, 1, 1, 1)
    gain = draw(np.exp(rng.normal(0, 0.08, (count, 3)))).view(-1, 3, 1, 1)
    offset = draw(rng.normal(0, 0.03, count)).view(-1, 1, 1, 1)
    x = torch.where(relit > 0, x.clamp(min=0) ** gamma * gain + offset, x)
    grey = draw(rng.random(count) < 0.15).view(-1, 1, 1, 1)
    weights = draw([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    x = torch.where(grey > 0, (x * weights).sum(1, keepdim=True).expand_as(x), x)
    x = _covered(x, rng)
    return (x.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)


def _grid(rng: np.random.Generator, count: int, device: torch.device) -> Tensor:
    """Sampling places N×112×96×2: the centre of the crop, turned, zoomed, shifted and mirrored."""
    angle, zoom = np.deg2rad(rng.normal(0, 3.0, count)), np.exp(rng.normal(0, 0.035, count))
    shift = np.clip(rng.normal(0, 1.5, (count, 2)), -5, 5)
    mirror = np.where(rng.random(count) < 0.5, -1.0, 1.0)
    height, width = FACE_SIZE
    y, x = np.meshgrid(np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2,
                       indexing="ij")  # fmt: skip
    x = x[None] * mirror[:, None, None]
    y = np.broadcast_to(y[None], x.shape)
    cos, sin = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    size = zoom[:, None, None]
    across = (cos * x - sin * y) / size + shift[:, 0, None, None]
    down = (sin * x + cos * y) / size + shift[:, 1, None, None]
    scaled = np.stack([across / (CROP_SIZE[1] / 2), down / (CROP_SIZE[0] / 2)], axis=-1)
    return torch.as_tensor(scaled, dtype=torch.float32, device=device)


def _covered(x: Tensor, rng: np.random.Generator) -> Tensor:
    for face in np.flatnonzero(rng.random(len(x)) < 0.15):
        height, width = rng.integers(12, 45, 2)
        top, left = rng.integers(0, x.shape[2] - height), rng.integers(0, x.shape[3] - width)
        colour = torch.as_tensor(rng.random(3), dtype=x.dtype, device=x.device)
        x[face, :, top : top + height, left : left + width] = colour.view(3, 1, 1)
    return x
