"""Running a masked network by its kept connections, where that is quicker than the dense product.

The rule was measured (docs/sparsity.md): in passes of 8 faces or more the kept inputs of every
neuron are gathered and summed by ``embedding_bag``, which pays below one eighth; in smaller passes
a compressed row per neuron (CSR) is multiplied with one face at a time, which pays below a quarter.
Whatever keeps more stays dense, and convolutions do always.

The rule is applied once, by the passes that a network is meant for, never to the pass at hand: the
last, smaller batch of a list takes the same path as the others. Beyond that, both paths sum for
each face by itself, so that what a layer gives for a face does not depend on its batch, to the last
bit (dense products and convolutions do not promise that). `execution_of` says what was chosen.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from facebench.models.architectures.base import LocallyConnected2d
from facebench.models.sparsity.masks import masks_of

Execution = Literal["dense", "bag", "csr"]
BAG_PASS = 8  # faces in a pass from which on embedding_bag is the quicker one
_LANES = 16  # float32 in the widest vector register
# Shares kept at which the dense product is as quick. For embedding_bag alone it is 1/2 (full width,
# one thread); but at half width, where weights fit into the cache, and in two threads, a network
# with 1/4 of 5a took 10% longer, with 1/8 up to 3%.
BREAK_EVEN = {"bag": 1 / 8, "csr": 1 / 4}


def chosen_path(share: float, batch: int) -> Execution:
    """How a layer that keeps this share of its weights runs in passes of ``batch`` faces."""
    sparse: Execution = (
        "bag" if batch >= BAG_PASS or not torch.backends.mkl.is_available() else "csr"
    )
    return sparse if share < BREAK_EVEN[sparse] else "dense"


def accelerate(
    net: nn.Module, masks: Mapping[str, Tensor] | None = None, batch: int = 32
) -> nn.Module:
    """Let the layers run sparsely for which it pays, in place; returns the network.

    ``masks``: module name → bool or 0/1 tensor in the shape of its weight, 1: kept; left out, those
    that the network has. ``batch``: the faces in the passes to come. For inference in float32 on a
    CPU: afterwards the layers have no ``weight``, so neither train nor save such a network.
    ValueError where it is in training mode.
    """
    if net.training:
        raise ValueError(
            "sparse execution is for inference: call facebench.models.sparsity.masks.freeze"
        )
    for name, mask in (masks_of(net) if masks is None else masks).items():
        layer = net.get_submodule(name)
        if not isinstance(layer, (nn.Linear, LocallyConnected2d)):
            continue
        path = chosen_path(float(mask.float().mean()), batch)
        if path == "dense":
            continue
        sparse: _SparseLayer
        if isinstance(layer, nn.Linear):
            sparse = SparseLinear(layer, mask, path)
        else:
            sparse = SparseLocallyConnected2d(layer, mask, path)
        parent, _, own = name.rpartition(".")
        setattr(net.get_submodule(parent), own, sparse.eval())
    return net


def execution_of(net: nn.Module) -> str:
    """Which layers run sparsely and how, as ``sparse bag:local5b,f``; empty where none does."""
    found: dict[str, list[str]] = {}
    for name, module in net.named_modules():
        if isinstance(module, _SparseLayer):
            found.setdefault(module.path, []).append(name)
    words = (f"{path}:{','.join(sorted(names))}" for path, names in sorted(found.items()))
    return " ".join(["sparse", *words]) if found else ""


def runtime_of(net: nn.Module) -> str:
    """`Embedder.runtime` of a network: torch and its version where layers run sparsely, or empty.

    Embeddings are stored under it: those of other paths differ in their last bits.
    """
    words = execution_of(net)
    return f"torch {torch.__version__}, {words}" if words else ""


class _SparseLayer(nn.Module):
    """Neurons with the inputs that each of them keeps, in ascending order.

    first: where the inputs of each neuron begin, one more than there are neurons; inputs, values:
    of the kept connections, neuron after neuron; int32 and float32.
    """

    first: Tensor
    inputs: Tensor
    values: Tensor
    bias: Tensor | None

    def __init__(
        self,
        weight: Tensor,
        mask: Tensor,
        inputs: NDArray[np.int64],
        bias: Tensor | None,
        path: Execution,
    ) -> None:
        """weight, mask: neurons × fan-in; inputs: the input of each kept one, row-major."""
        super().__init__()
        kept = mask.detach().cpu().to(torch.bool).numpy()
        values = weight.detach().cpu().float().numpy()[kept]
        neuron, _ = np.nonzero(kept)
        order = np.lexsort((inputs, neuron))  # neighbours in memory are read together
        first = np.concatenate([[0], np.cumsum(np.bincount(neuron, minlength=len(kept)))])
        self.path = path
        for name, array in (
            ("first", first.astype(np.int32)),
            ("inputs", inputs[order].astype(np.int32)),
            ("values", values[order]),
        ):
            self.register_buffer(name, torch.from_numpy(array), persistent=False)
        own = None if bias is None else bias.detach().cpu().float().reshape(-1, 1).clone()
        self.register_buffer("bias", own, persistent=False)
        if path == "csr":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch says once that its CSR tensors are a beta
                self._rows(int(inputs.max(initial=0)) + 1)

    def product(self, table: Tensor) -> Tensor:
        """float inputs × N → float32 neurons × N, bias added."""
        table = table.to(self.values.dtype)
        if not table.numel() or not self.values.numel():
            out = table.new_zeros(len(self.first) - 1, table.shape[1])
        elif self.path == "bag":
            # Whole vectors: a rest of fewer faces would be summed, and rounded, in another way.
            whole = F.pad(table, (0, -table.shape[1] % _LANES))
            out = F.embedding_bag(
                self.inputs, whole, self.first, mode="sum", per_sample_weights=self.values,
                include_last_offset=True,
            )[:, : table.shape[1]]  # fmt: skip
        else:
            rows = self._rows(len(table))
            # A product with one face at a time: with several, its bits depend on their number.
            out = torch.stack([torch.mv(rows, face) for face in table.t().contiguous()], dim=1)
        return out if self.bias is None else out.add_(self.bias)

    def _rows(self, inputs: int) -> Tensor:
        size = (len(self.first) - 1, inputs)
        return torch.sparse_csr_tensor(
            self.first, self.inputs, self.values, size, check_invariants=False
        )


class SparseLinear(_SparseLayer):
    """A masked nn.Linear by its kept connections: float N×in → float32 N×out."""

    def __init__(self, layer: nn.Linear, mask: Tensor, path: Execution) -> None:
        inputs = np.nonzero(mask.detach().cpu().numpy())[1]
        super().__init__(layer.weight, mask, inputs, layer.bias, path)
        self.in_features, self.out_features = layer.in_features, layer.out_features

    def forward(self, x: Tensor) -> Tensor:
        return self.product(x.t().contiguous()).t().contiguous()


class SparseLocallyConnected2d(_SparseLayer):
    """A masked LocallyConnected2d by its kept connections: float N×C×H×W → float32 N×out×H'×W'.

    The input map is read where it lies, by row, column and channel; no patches are copied.
    """

    def __init__(self, layer: LocallyConnected2d, mask: Tensor, path: Execution) -> None:
        neurons = mask.shape[0] * mask.shape[1]
        flat = mask.reshape(neurons, -1)
        super().__init__(
            layer.weight.reshape(neurons, -1), flat, _map_inputs(layer, mask), layer.bias, path
        )
        self.out_channels, self.out_size = layer.out_channels, layer.out_size

    def forward(self, x: Tensor) -> Tensor:
        n = x.shape[0]
        table = x.permute(2, 3, 1, 0).reshape(-1, n)
        return self.product(table).view(*self.out_size, self.out_channels, n).permute(3, 2, 0, 1)


def _map_inputs(layer: LocallyConnected2d, mask: Tensor) -> NDArray[np.int64]:
    """Row-major index into an H×W×C input map of each kept weight [position, out, in·k·k]."""
    position, _, column = np.nonzero(mask.detach().cpu().numpy())
    channel, inside = np.divmod(column, layer.kernel**2)
    row, across = np.divmod(position, layer.out_size[1])
    down, right = np.divmod(inside, layer.kernel)
    return ((row + down) * layer.in_size[1] + across + right) * layer.in_channels + channel
