"""The shell around a network's pass: faces and embeddings checked, failures in one line."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facebench.errors import UserError
from facebench.nets.embedder import Embedder
from facebench.nets.outputs import as_embeddings, check_faces, failed, in_fixed_batches


class CheckedEmbedder(Embedder):
    """An embedder whose pass is the method ``_run``: uint8 N×H×W×3 RGB → N×D of any float type.

    dimension: D, once it is known; batch: the only number of faces that ``_run`` takes, or None.
    """

    dimension: int | None = None
    batch: int | None = None

    def forward(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """One pass of the network: uint8 N×H×W×3 RGB → float32 N×D; UserError where it fails."""
        check_faces(faces, self.preprocessing.size)
        if not len(faces):
            return np.zeros((0, self.dimension or 0), dtype=np.float32)
        try:
            output = in_fixed_batches(self._run, faces, self.batch)
        except UserError:
            raise
        except Exception as error:
            raise failed(self.id, error, len(faces)) from error
        vectors = as_embeddings(self.id, output, len(faces))
        self.dimension = vectors.shape[1]
        return vectors

    @abstractmethod
    def _run(self, faces: NDArray[np.uint8]) -> NDArray[Any]:
        """The network's own output for faces."""
