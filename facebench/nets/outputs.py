"""What goes into a network and what comes out, checked the same way for every kind of model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facebench.errors import UserError


def check_faces(faces: NDArray[np.uint8], size: tuple[int, int]) -> None:
    """ValueError where faces are not uint8 N×height×width×3 in the model's size."""
    if faces.dtype != np.uint8 or faces.ndim != 4 or faces.shape[1:] != (*size, 3):
        raise ValueError(
            f"faces must be uint8 N×{size[0]}×{size[1]}×3, not {faces.dtype} {faces.shape}"
        )


def as_embeddings(model: str, output: NDArray[Any], faces: int) -> NDArray[np.float32]:
    """A network's output as float32 N×D; axes of length 1 after the second are dropped.

    UserError names the model where the shape is another or where embeddings are NaN or infinite.
    """
    if output.ndim > 2 and all(length == 1 for length in output.shape[2:]):
        output = output.reshape(output.shape[:2])
    if output.ndim != 2 or output.shape[0] != faces or output.dtype.kind != "f":
        raise UserError(
            f"model {model} gave {output.dtype} {'×'.join(map(str, output.shape))} for {faces} "
            "faces; an embedding model gives one row of floats per face"
        )
    if output.shape[1] == 1:
        raise UserError(
            f"model {model} gave one number per face, which is no embedding; choose another of its "
            "outputs with --output-name"
        )
    with np.errstate(over="ignore"):
        vectors = np.ascontiguousarray(output, dtype=np.float32)
    broken = int((~np.isfinite(vectors).all(axis=1)).sum())
    if broken:
        kind = "NaN" if np.isnan(vectors).any() else "infinite values"
        raise UserError(
            f"model {model} gave {kind} for {broken} of {faces} faces; check its weights, its "
            "mean and scale, or use --precision float32"
        )
    return vectors


def in_fixed_batches(
    run: Callable[[NDArray[Any]], NDArray[Any]], inputs: NDArray[Any], batch: int | None
) -> NDArray[Any]:
    """Outputs for inputs (N first) of a network that takes ``batch`` rows only; None: any number.

    The last batch is filled up by repeating its last row, which is not returned.
    """
    n = len(inputs)
    if batch is None or n == batch:
        return run(inputs)
    outputs = []
    for start in range(0, n, batch):
        part = inputs[start : start + batch]
        missing = batch - len(part)
        if missing:
            part = np.concatenate([part, np.repeat(part[-1:], missing, axis=0)])
        out = run(part)
        if out.ndim == 0 or len(out) != batch:
            return out  # the wrong shape is reported by who asked
        outputs.append(out[: batch - missing])
    return np.concatenate(outputs)


def failed(model: str, error: BaseException, faces: int) -> UserError:
    """A model that users bring broke on a batch: the error's first line."""
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return UserError(
        f"model {model} failed on {faces} faces: {type(error).__name__}: {first[:200]}; check "
        "--size, --batch and the model's input"
    )
