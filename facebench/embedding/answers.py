"""What a model answers, checked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facebench.embedding.unreadable import UnusableFacesError
from facebench.errors import UserError
from facebench.nets.embedder import Embedder
from facebench.nets.outputs import failed


def answer_of(embedder: Embedder, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the model gives for K faces, uint8 K×h×w×3: float32 K×D.

    UnusableFacesError: the model's own refusal of what it computes. UserError: it fails, or gives
    anything but K rows of floats; code of a user's own may do anything.
    """
    try:
        answer = np.asarray(embedder.embed(faces))
    except UserError as error:  # its own refusal of what it computes
        raise UnusableFacesError(str(error)) from None
    except Exception as error:
        raise failed(embedder.id, error, len(faces)) from error
    if answer.ndim != 2 or len(answer) != len(faces) or not answer.size:
        raise UserError(
            f"model {embedder.id} gave an array {answer.shape} for {len(faces)} "
            "faces; it must give one row of numbers per face"
        )
    if answer.dtype.kind != "f":
        raise UserError(f"model {embedder.id} gave {answer.dtype} numbers; it must give floats")
    with np.errstate(over="ignore"):
        return answer.astype(np.float32, copy=False)
