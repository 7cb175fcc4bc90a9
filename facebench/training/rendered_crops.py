"""Synthetic identities to learn from, rendered when they are first asked for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facebench.faces.synthetic import TRAIN_IDENTITIES, render


class RenderedCrops:
    """Images of ``identities`` people, ``images`` of each, uint8 128×112×3, rendered on the fly.

    An image depends on (version of the renderer, seed, identity, image) alone; it is kept in
    memory, 43 kB each. ValueError where more people are asked for than may be trained on.
    """

    def __init__(self, seed: int, identities: int, images: int) -> None:
        if not 0 < identities <= len(TRAIN_IDENTITIES) or images < 1:
            raise ValueError(f"{identities} identities of {images} images cannot be rendered")
        self.seed, self.images = seed, images
        self.labels = np.repeat(np.arange(identities, dtype=np.int64), images)
        self._made: dict[int, NDArray[np.uint8]] = {}

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> NDArray[np.uint8]:
        if not 0 <= row < len(self):
            raise IndexError(row)
        if row not in self._made:
            identity, image = divmod(int(row), self.images)
            self._made[row] = render(self.seed, identity, image)
        return self._made[row]
