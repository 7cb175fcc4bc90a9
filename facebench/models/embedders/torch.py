"""Embedding faces with a torch module: ours, TorchScript, an exported program or a user's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facebench.base.errors import UserError
from facebench.models.embedders.base import CheckedEmbedder, Preprocessing, variant_of
from facebench.models.embedders.options import Precision, device_parts


def torch_device(name: str) -> torch.device:
    """The device with a name; UserError where it is unknown or this machine does not have it."""
    kind, index = device_parts(name)
    if kind == "cuda" and not torch.cuda.is_available():
        raise UserError(f"--device {name}: this machine or this build of torch has no CUDA GPU")
    if kind == "cuda" and index >= torch.cuda.device_count():
        raise UserError(f"--device {name}: this machine has {torch.cuda.device_count()} GPUs")
    return torch.device(name)


class TorchEmbedder(CheckedEmbedder):
    """A torch network as an embedder: inference mode, bfloat16 autocast where asked.

    ``network`` maps float32 N×3×H×W, prepared as ``preprocessing`` says, to N×D; it is in
    evaluation mode already, and an nn.Module is moved to ``device``. ``channels_last``: the memory
    order, which is quicker but breaks networks that call ``view``; ``batch``: the only number of
    rows that the network takes; ``output``: which of several, by its name, or by its number from 0
    where they have none; ``path``: the file of its weights, where no card names it; ``outputs``:
    what it gave last. Threads are left as they are.
    """

    def __init__(
        self,
        id: str,
        network: Callable[[Tensor], Any],
        weights_hash: str,
        preprocessing: Preprocessing,
        *,
        device: str = "cpu",
        precision: Precision = "float32",
        channels_last: bool = False,
        batch: int | None = None,
        output: str | None = None,
        dimension: int | None = None,
        path: Path | None = None,
    ) -> None:
        self.id, self.weights_hash = id, weights_hash
        self.device, self.precision, self.dimension = device, precision, dimension
        self.batch, self.variant = batch, variant_of(output=output)
        self._device, self.output = torch_device(device), output
        self.outputs: tuple[str, ...] = ()
        self._format = torch.channels_last if channels_last else torch.contiguous_format
        if isinstance(network, nn.Module):
            network.to(self._device)
        if isinstance(network, nn.Module) and channels_last:
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network, self.path = network, path
        self._prepare(preprocessing)

    def _prepare(self, preprocessing: Preprocessing) -> None:
        shape = (1, 3, 1, 1)
        self.preprocessing = preprocessing
        self._mean = torch.tensor(preprocessing.mean, device=self._device).reshape(shape)
        self._scale = torch.tensor(preprocessing.scale, device=self._device).reshape(shape)

    def prepared_as(self, preprocessing: Preprocessing) -> TorchEmbedder:
        """See `Embedder.prepared_as`; the network is not copied."""
        other = copy(self)
        other._prepare(preprocessing)
        return other

    def giving(self, output: str) -> TorchEmbedder:
        """The same network with another of its outputs as the embedding."""
        other = copy(self)
        other.output, other.variant, other.dimension = output, variant_of(output=output), None
        return other

    def _run(self, faces: NDArray[Any]) -> NDArray[Any]:
        low = self.precision == "bfloat16"
        with (
            torch.inference_mode(),
            torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=low),
        ):
            output = self.network(self._prepared(faces))
            self.outputs = _names(output)
            return chosen_output(self.id, output, self.output).float().cpu().numpy()

    def _prepared(self, faces: NDArray[Any]) -> Tensor:
        """float32 N×3×H×W in the network's memory order."""
        if not faces.flags.writeable or not faces.flags.c_contiguous:
            faces = faces.copy()  # torch cannot share such memory
        x = torch.from_numpy(faces).to(self._device)
        if self.preprocessing.colour == "bgr":
            x = x.flip(3)
        x = x.permute(0, 3, 1, 2).to(torch.float32, memory_format=self._format)
        return x.sub_(self._mean).div_(self._scale)


def _names(output: Any) -> tuple[str, ...]:
    """Of several outputs: their names, or their numbers where they have none; of one: nothing."""
    if isinstance(output, Mapping):
        return tuple(map(str, output))
    return tuple(map(str, range(len(output)))) if isinstance(output, (tuple, list)) else ()


def chosen_output(model: str, output: Any, name: str | None) -> Tensor:
    """The embedding among a network's outputs: the named one, or the first of several."""
    names = _names(output)
    if name is not None and not names:
        raise UserError(
            f"model {model} has no output {name!r}: it has one, without a name; leave out "
            "--output-name, or 'output' in its card"
        )
    if name is not None and name not in names:
        raise UserError(f"model {model} has no output {name!r}, but {', '.join(names)}")
    if names:
        values = list(output.values()) if isinstance(output, Mapping) else output
        output = values[0 if name is None else names.index(name)]
    if not isinstance(output, Tensor):
        raise UserError(f"model {model} gave a {type(output).__name__}, not a tensor of embeddings")
    return output
