"""Crops on a device: the rows of the CPU's batches, faces like its faces (tested on the CPU)."""

from __future__ import annotations

import numpy as np
import torch

from facebench.faces.synthetic import render
from facebench.lab.data.augment import centre_crop, make_batch
from facebench.lab.data.crops import TrainingCrops
from facebench.lab.data.device_feed import DeviceFeed, augmented


def sources() -> list[tuple[TrainingCrops, int]]:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (20, 128, 112, 3), dtype=np.uint8)
    labels = np.array([-1, *([0, 1, 2, 3] * 5)][:20])
    first = TrainingCrops(images, labels, rng.random((20, 3)).astype(np.float32))
    second = TrainingCrops(images[:8], labels[1:9], np.full((8, 1), np.nan, np.float32))
    return [(first, 6), (second, 2)]


def test_same_rows_as_on_the_cpu() -> None:
    feed = DeviceFeed(sources(), 7, "cpu")
    for step in (0, 3):
        batch, wanted = feed.batch(step), make_batch(sources(), 7, step)
        assert batch.faces.shape == (8, 112, 96, 3) and batch.faces.dtype == torch.uint8
        assert np.array_equal(batch.labels.numpy(), wanted.labels)
        assert np.array_equal(batch.targets.numpy(), wanted.targets, equal_nan=True)
        assert torch.equal(batch.faces, feed.batch(step).faces)


def test_pairs_on_the_device() -> None:
    batch = DeviceFeed(sources(), 7, "cpu", pairs=True).batch(1)
    assert len(batch.faces) == 16 and (batch.labels >= 0).all()
    assert (batch.labels[:12] < 4).all() and (batch.labels[12:] >= 4).all()


def test_augmented_faces_are_the_centre_of_the_crop_slightly_changed() -> None:
    crop = render(0, 3, 1)
    crops = torch.from_numpy(np.stack([crop] * 40))
    faces = augmented(crops, np.random.default_rng(0)).numpy().astype(float)
    centre = centre_crop(crop).astype(float)
    mirrored = centre[:, ::-1]
    near = [min(np.abs(f - centre).mean(), np.abs(f - mirrored).mean()) for f in faces]
    assert np.median(near) < 25 and len({face.tobytes() for face in faces}) == 40
    flipped = [np.abs(f - mirrored).mean() < np.abs(f - centre).mean() for f in faces]
    assert 8 < sum(flipped) < 32
