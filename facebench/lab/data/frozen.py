"""Learning with the lower layers frozen: their activations are stored once and learned from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facebench.lab.data.augment import augment
from facebench.lab.data.crops import CropImages, Sources, key_of
from facebench.lab.data.kept_rows import Rows, kept_rows
from facebench.models.architectures.convnet import ConvNet, to_input
from facebench.models.architectures.shapes import LAYERS, module_name

SEED = 6
# Crops whose activations are written at a time, and faces that the network sees at once.
BLOCK, _SEEN = 64, 64
Report = Callable[[str], None]


@dataclass(frozen=True)
class Frozen:
    """Layers ``below`` one are not trained; each crop is seen in ``views`` augmentations."""

    below: str
    views: int


class UpperLayers(nn.Module):
    """The layers of a network from ``first`` on, under their own names and with its own weights.

    Takes the input of layer ``first``, float N×C×H×W, and gives the network's output. Training and
    evaluation mode never reach the layers below.
    """

    def __init__(self, net: ConvNet, first: str) -> None:
        super().__init__()
        self.first = first
        self._whole = [net]  # in a list: its other layers are not this module's
        net.eval()
        for layer in LAYERS[LAYERS.index(first) :]:
            for name in (module_name(layer), f"norm{layer}"):
                if hasattr(net, name):
                    self.add_module(name, net.get_submodule(name))

    def train(self, mode: bool = True) -> UpperLayers:
        """Dropout of the whole network goes with the mode."""
        super().train(mode)
        self._whole[0].training = mode
        return self

    def forward(self, x: Tensor) -> Tensor:
        return self._whole[0].between(x, self.first, None)


def from_stored(activations: Tensor) -> Tensor:
    """float16 N×H×W×C as stored → float32 N×C×H×W, channels_last in memory."""
    return activations.permute(0, 3, 1, 2).float()


def one_view(views: NDArray[np.float16], rng: np.random.Generator) -> NDArray[np.float16]:
    """One of the augmentations of a crop: V×H×W×C → H×W×C."""
    view: NDArray[np.float16] = views[int(rng.integers(len(views)))]
    return view


def stored_sources(
    net: ConvNet, frozen: Frozen, sources: Sources, folder: Path, low: bool, report: Report
) -> Sources:
    """The sources with activations float16 V×H×W×C, the input of layer ``below``, as images.

    folder: files are written there, named after the layers' weights and the crops, and found again;
    stopped in between it continues. low: computed in bfloat16.
    """
    net.eval()
    digest = _digest(net, frozen, low)
    stored = []
    for number, (crops, count) in enumerate(sources):
        own = hashlib.sha256(key_of(crops).encode()).hexdigest()[:12]
        path = folder / f"{digest}-{number}-{own}.npy"
        images = _stored(net, frozen, crops.images, path, number, low, report)
        stored.append((replace(crops, images=images), count))
    return stored


def _digest(net: ConvNet, frozen: Frozen, low: bool) -> str:
    digest = hashlib.sha256(f"{frozen.below} {frozen.views} {low}".encode())
    lower = {
        name
        for layer in LAYERS[: LAYERS.index(frozen.below)]
        for name in (module_name(layer), f"norm{layer}")
    }
    for name, value in sorted(net.state_dict().items()):
        if name.split(".")[0] in lower:
            digest.update(name.encode() + value.cpu().numpy().tobytes())
    return digest.hexdigest()[:12]


def _stored(
    net: ConvNet,
    frozen: Frozen,
    images: CropImages,
    path: Path,
    source: int,
    low: bool,
    report: Report,
) -> NDArray[np.float16]:
    shape = _shape(net, frozen, images)
    # As many crops as make whole passes of the network, so that stopping changes none of them.
    rows = Rows(len(images), (frozen.views, *shape), np.float16, BLOCK)

    def blocks(begin: int) -> Iterator[NDArray[np.float16]]:
        report(
            f"storing activations below {frozen.below}: {rows.count} crops, "
            f"{rows.bytes / 1e9:.1f} GB"
        )
        for faces in _views(images, frozen.views, source, begin):
            values = _lower(net, frozen.below, faces, low)
            yield values.reshape(-1, frozen.views, *shape)

    return kept_rows(path, rows, blocks, report)


def _views(images: CropImages, views: int, source: int, done: int) -> Iterator[NDArray[np.uint8]]:
    """Augmented faces of a block of crops, N·V×112×96×3; the next is made meanwhile."""

    def make(begin: int) -> NDArray[np.uint8]:
        faces = []
        for row in range(begin, min(begin + BLOCK, len(images))):
            rng = np.random.default_rng([SEED, source, row])
            crop = images[row]
            faces += [augment(crop, rng) for _ in range(views)]
        return np.stack(faces)

    with ThreadPoolExecutor(1) as pool:
        waiting = None
        for begin in range(done, len(images), BLOCK):
            following = pool.submit(make, begin)
            if waiting is not None:
                yield waiting.result()
            waiting = following
        if waiting is not None:
            yield waiting.result()


def _lower(
    net: ConvNet, below: str, faces: NDArray[np.uint8], low: bool, size: int = _SEEN
) -> NDArray[np.float16]:
    """Activations float16 N×H×W×C of uint8 faces."""
    parts = []
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=low):
        for begin in range(0, len(faces), size):
            x = to_input(torch.tensor(faces[begin : begin + size]))
            values = net.between(x, LAYERS[0], below)
            parts.append(values.permute(0, 2, 3, 1).to(torch.float16).numpy())
    return np.concatenate(parts)


def _shape(net: ConvNet, frozen: Frozen, images: CropImages) -> tuple[int, ...]:
    face = augment(images[0], np.random.default_rng(0))[None]
    return _lower(net, frozen.below, face, False).shape[1:]
