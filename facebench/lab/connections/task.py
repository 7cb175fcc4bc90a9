"""What every criterion is given, and what it answers: the contract of this room."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facebench.models.architectures.convnet import ConvNet

KeptConnections = NDArray[np.bool_]
Batches = Callable[[], Iterator[NDArray[np.uint8]]]
# (kept, strength of the L1 penalty, number of the round) → the layer's weights after the round.
Learn = Callable[[KeptConnections, float, int], NDArray[np.float32]]


@dataclass(frozen=True)
class LayerTask:
    """One layer of a trained network N_(m-1) to make sparse.

    net: plain ConvNet, without dropout or normalisation at work; layer: the paper's name; keep: the
    degree of sparsity S, 0 < S < 1, as a share of all weights of the layer; rng: the only
    randomness; before: connections that the layer still has (None: all), what is dropped stays
    dropped. faces: starts another pass over held-out uint8 N×H×W×3 batches; logits: float N×F
    features → float N×C of the identities; learn: trains on, for criteria that select while they
    learn. A criterion that needs what is None raises ValueError.
    """

    net: ConvNet
    layer: str
    keep: Fraction
    rng: np.random.Generator
    faces: Batches | None = None
    logits: Callable[[Tensor], Tensor] | None = None
    learn: Learn | None = None
    before: KeptConnections | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not 0 < self.keep < 1:
            raise ValueError(f"the degree of sparsity must lie between 0 and 1, not {self.keep}")
        if self.before is not None and self.before.shape != self.weight.shape:
            raise ValueError(f"before is {self.before.shape}, the weight {self.weight.shape}")

    @property
    def module(self) -> nn.Module:
        """The layer itself."""
        return self.net.layer(self.layer)

    @property
    def weight(self) -> NDArray[np.float32]:
        """A copy of the layer's weights, float32."""
        with torch.no_grad():
            return self.net.layer(self.layer).weight.detach().cpu().numpy().astype(np.float32)

    @property
    def allowed(self) -> KeptConnections:
        """The connections that may be kept."""
        return np.ones(self.weight.shape, bool) if self.before is None else self.before

    @property
    def shared(self) -> bool:
        """Whether one weight serves several positions (a convolution)."""
        return isinstance(self.module, nn.Conv2d)

    def held_out(self) -> Iterator[NDArray[np.uint8]]:
        """Another pass over the held-out faces; ValueError where there are none."""
        if self.faces is None:
            raise ValueError("this criterion needs held-out faces")
        return self.faces()


# LayerTask → the dropping matrix, bool in the shape of the weight, True: kept.
Criterion = Callable[[LayerTask], KeptConnections]
