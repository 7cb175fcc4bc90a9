"""The version of the renderer, who may be trained on, and where every random number comes from."""

from __future__ import annotations

import numpy as np

RENDERER_VERSION: int = 1
"""Changes whenever any face changes by a bit: networks and records name it."""

TRAIN_IDENTITIES = range(0, 1_000_000)
"""People whose faces a network may learn from."""

EVALUATION_IDENTITIES = range(1_000_000, 2_000_000)
"""People who appear in protocols only."""

ROLE_IDENTITY, ROLE_CAPTURE, ROLE_SCENE, ROLE_TWIN = 1, 2, 3, 4


def generator(seed: int, role: int, *key: int) -> np.random.Generator:
    """A fresh generator for one purpose, keyed on (version, seed, role, key)."""
    words = [RENDERER_VERSION, seed, role, *key]
    # The same seed either way: numpy takes 32-bit words faster from an array.
    small = min(words) >= 0 and max(words) < 1 << 32
    entropy = np.array(words, dtype=np.uint32) if small else words
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))
