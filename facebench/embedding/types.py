"""The result of an extraction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Embeddings:
    """Embeddings of named faces.

    keys: N names; vectors: float32 N×D, zero where the face was not acquired; acquired: bool N.
    """

    keys: tuple[str, ...]
    vectors: NDArray[np.float32]
    acquired: NDArray[np.bool_]
