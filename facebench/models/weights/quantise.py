"""Weights in 8 bits: symmetric integers with one scale for each output channel.

q = round(w / s) with s = max|w| / 127 over the channel, so that zero stays zero and no weight moves
by more than s/2 (Krishnamoorthi 2018, Section 2 and 3.1: symmetric, per channel). A channel is
what one bias belongs to: the first axis of a convolution or a fully-connected layer, position and
output of a locally-connected layer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVELS = 127  # -128 is left out: the range is symmetric


def channel_axes(shape: tuple[int, ...]) -> int:
    """How many leading axes of a weight count channels: 2 of [position, out, in·k·k], else 1."""
    return 2 if len(shape) == 3 else 1


def is_quantised(name: str, shape: tuple[int, ...]) -> bool:
    """Whether a tensor of a state dict is a layer's weight; biases and norms stay as they are."""
    return name.endswith(".weight") and len(shape) > 1


def quantise(
    weight: NDArray[np.float32], kept: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """int8 values in the weight's shape and float32 scales, one per channel.

    weight: float, finite; kept: bool in its shape, None: all. What is dropped becomes 0 and does
    not count for the scale. A channel of zeros has scale 0.
    """
    channels = channel_axes(weight.shape)
    values = weight.astype(np.float64)
    if kept is not None:
        values = np.where(kept, values, 0.0)
    inside = tuple(range(channels, weight.ndim))
    scales = _scales(np.abs(values).max(axis=inside, initial=0.0))
    steps = _beside(scales.astype(np.float64), weight.ndim)
    quotients = np.divide(values, steps, out=np.zeros_like(values), where=steps > 0)
    return np.clip(np.rint(quotients), -LEVELS, LEVELS).astype(np.int8), scales


def dequantise(values: NDArray[np.int8], scales: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32 weights q·s; the scales' shape is a beginning of the values' shape."""
    return np.asarray(values.astype(np.float32) * _beside(scales, values.ndim))


def _scales(largest: NDArray[np.float64]) -> NDArray[np.float32]:
    scales = (largest / LEVELS).astype(np.float32)
    # Below 1e-38 float32 rounds so coarsely that 127 steps may not reach the largest weight.
    short = scales.astype(np.float64) * (LEVELS + 0.5) < largest
    return np.where(short, np.nextafter(scales, np.float32(np.inf)), scales).astype(np.float32)


def _beside(scales: NDArray[Any], ndim: int) -> NDArray[Any]:
    return scales.reshape(scales.shape + (1,) * (ndim - scales.ndim))
