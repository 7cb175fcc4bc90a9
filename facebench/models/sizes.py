"""How many parameters models have and keep, by layer or block: from the card and the weights file.

Nothing here loads a network, nor torch: the numbers of layers are those of
`facebench.models.architectures.shapes`, what is kept is counted in the file of weights.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import safetensors

from facebench.base.errors import UserError
from facebench.base.opening import MODEL, plain_file, tensors_in
from facebench.models.architectures.shapes import compact_blocks, convnet_layers, module_name
from facebench.models.cards.card import ModelCard, Shape, is_compact, shape_of
from facebench.models.cards.members import trained_members
from facebench.models.counting.cost import Cost
from facebench.models.weights.external import onnx_size
from facebench.models.weights.files import weights_bytes

_NO_PARAMETERS = (
    ".running_mean",
    ".running_var",
    ".num_batches_tracked",
    ".weight.scale",
    ".weight.bits",
    ".weight.gaps",
)


@dataclass(frozen=True)
class LayerSavings:
    """One layer or block: its name, parameters kept and in the whole network."""

    name: str
    kept: int
    total: int

    @property
    def share(self) -> float:
        """Share of the layer's parameters, biases included, that is kept."""
        return self.kept / self.total


@dataclass(frozen=True)
class SparsityReport:
    """The layers of a network with what is kept of each."""

    layers: tuple[LayerSavings, ...]

    @property
    def kept(self) -> int:
        """Parameters kept, biases included."""
        return sum(layer.kept for layer in self.layers)

    @property
    def total(self) -> int:
        """Parameters of the whole network, biases included."""
        return sum(layer.total for layer in self.layers)

    @property
    def compression_ratio(self) -> float:
        """Parameters kept / parameters of the dense network (Sun et al. 2015, Section 5.1)."""
        return self.kept / self.total


def planned_report(
    width: float, input_size: tuple[int, int], sparsity: Mapping[str, Fraction]
) -> SparsityReport:
    """Parameters that a ConvNet will keep at degrees of sparsity S by layer of the paper."""
    weights = {name: layer.weight for name, layer in convnet_layers(width, input_size).items()}
    kept = {name: round(weights[name] * degree) for name, degree in sparsity.items()}
    return _convnet_report(width, input_size, kept)


def convnet_report(
    width: float, input_size: tuple[int, int], path: Path, sha256: str | None
) -> SparsityReport:
    """Parameters that the file of a ConvNet's weights keeps, by layer of the paper.

    sha256: of that file. UserError: it is not there, is another, or is no file of weights.
    """
    data, _ = weights_bytes(path, sha256)
    try:
        tensors = tensors_in(data)
    except ValueError as error:
        raise UserError(f"{path}: not usable as packed weights: {error}") from None
    kept = {
        name: tensor.size
        for name in convnet_layers(width, input_size)
        if (tensor := tensors.get(f"{module_name(name)}.weight.kept")) is not None
    }
    return _convnet_report(width, input_size, kept)


def compact_report(card: ModelCard) -> SparsityReport:
    """Parameters of a compact card's network by block, and of the network with all its filters.

    Counted in the header of the weights file; a card whose file is absent or cannot be read counts
    as whole. Blocks are ``features.3`` or ``layer1.0``; running statistics are no parameters.
    """
    total, path = _whole(shape_of(card)), card.weights_path
    found = _counted(path) if path is not None else None
    kept = total if found is None else _by_block(found)
    return SparsityReport(
        tuple(LayerSavings(name, kept.get(name, 0), count) for name, count in total.items())
    )


def cost_of(card: ModelCard) -> Cost:
    """From the files of a card; parameters of networks of ours only, and of ensembles of them.

    The compression ratio is one to the dense network of the same structure; an ensemble has none.
    """
    if card.architecture == "ensemble":
        return Cost.sum([cost_of(member) for member in trained_members(card)])
    path = card.weights_path
    size = None
    if path is not None:
        size = onnx_size(path) if card.architecture == "onnx" else path.stat().st_size
    report = compact_report(card) if is_compact(card) else _of_weights(card)
    if report is None:
        return Cost(bytes=size)
    return Cost(report.total, report.kept, report.compression_ratio, size)


def _of_weights(card: ModelCard) -> SparsityReport | None:
    """What the weights of a ConvNet's card keep; None: it is no ConvNet, or has none."""
    size, path = card.preprocessing.size, card.weights_path
    if card.architecture != "convnet" or card.width is None or size is None or path is None:
        return None
    return convnet_report(card.width, size, path, card.sha256)


def _convnet_report(
    width: float, input_size: tuple[int, int], kept_weights: Mapping[str, int]
) -> SparsityReport:
    layers = convnet_layers(width, input_size)
    kept = {name: kept_weights.get(name, layer.weight) for name, layer in layers.items()}
    return SparsityReport(
        tuple(
            LayerSavings(name, kept[name] + layer.bias, layer.total)
            for name, layer in layers.items()
        )
    )


@lru_cache(maxsize=32)
def _whole(shape: Shape) -> dict[str, int]:
    """Parameters of the whole network by block."""
    blocks = compact_blocks(*shape)
    if blocks is not None:
        return blocks
    # Late: only networks whose numbers are not in `shapes` are built to be counted.
    import torch

    from facebench.models.architectures.registry import build

    with torch.device("meta"):
        net = build(*shape)
    return _by_block({name: tensor.numel() for name, tensor in net.named_parameters()})


def _counted(path: Path) -> dict[str, int] | None:
    """Entries of the parameters in a packed file, from its header; None: absent or unreadable."""
    try:
        plain_file(path, MODEL).close()
        with safetensors.safe_open(path, "np") as file:
            names = [name for name in file.keys() if not name.endswith(_NO_PARAMETERS)]  # noqa: SIM118
            return {name: math.prod(file.get_slice(name).get_shape()) for name in names}
    except (OSError, safetensors.SafetensorError):
        return None


def _by_block(sizes: Mapping[str, int]) -> dict[str, int]:
    blocks: dict[str, int] = {}
    for name, size in sizes.items():
        first, second = name.split(".")[:2]
        block = f"{first}.{second}" if second.isdigit() else first
        blocks[block] = blocks.get(block, 0) + size
    return blocks
