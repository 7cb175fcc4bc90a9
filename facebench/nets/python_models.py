"""Models that are Python code: ``package.module:factory``, from the working directory too."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from facebench.errors import UserError, nearest
from facebench.nets.embedder import Embedder, Preprocessing
from facebench.nets.outputs import as_embeddings, check_faces, failed

RAW = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


class CallableEmbedder(Embedder):
    """A user's function, uint8 N×H×W×3 RGB → float N×D, that prepares the faces itself."""

    def __init__(
        self,
        id: str,
        function: Callable[[NDArray[np.uint8]], Any],
        weights_hash: str,
        preprocessing: Preprocessing,
    ) -> None:
        self.id, self.weights_hash, self.preprocessing = id, weights_hash, preprocessing
        self.dimension: int | None = None
        self._function = function

    def forward(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What the function gives, checked: uint8 N×H×W×3 RGB → float32 N×D."""
        check_faces(faces, self.preprocessing.size)
        if not len(faces):
            return np.zeros((0, self.dimension or 0), dtype=np.float32)
        try:
            output = np.asarray(self._function(faces))
        except Exception as error:
            raise failed(self.id, error, len(faces)) from error
        vectors = as_embeddings(self.id, output, len(faces))
        self.dimension = vectors.shape[1]
        return vectors


def make(spec: str, folder: Path) -> tuple[Any, str]:
    """What the factory of ``package.module:factory`` returns, and a hash of what it depends on.

    The working directory and ``folder``, the card's, are searched after the installed packages. The
    hash covers the module's source and, for a torch module, its weights. UserError where the module
    cannot be imported, lacks the factory, or the factory fails.
    """
    name, _, attribute = spec.partition(":")
    module = _imported(spec, name, [Path.cwd(), folder.resolve()])
    if not hasattr(module, attribute):
        hint = nearest(attribute, (key for key in vars(module) if not key.startswith("_")))
        raise UserError(f"{spec}: module {name!r} has no {attribute!r}{hint}")
    made = getattr(module, attribute)
    if not isinstance(made, (nn.Module, Embedder)):
        try:
            made = made()
        except Exception as error:
            raise UserError(f"{spec}: {attribute}() failed: {_line(error)}") from error
    if not isinstance(made, (nn.Module, Embedder)) and not callable(made):
        raise UserError(
            f"{spec}: {attribute}() returned a {type(made).__name__}; it must return a torch "
            "module, an Embedder or a function from uint8 faces to embeddings"
        )
    return made, _hash(spec, module, made)


def _imported(spec: str, name: str, folders: list[Path]) -> Any:
    for folder in map(str, folders):
        if folder not in sys.path:
            sys.path.append(folder)  # last, so that no file here shadows an installed package
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            places = " or ".join(dict.fromkeys(map(str, folders)))
            raise UserError(f"{spec}: no module {error.name!r} installed or in {places}") from None
        raise UserError(f"{spec}: importing {name!r} failed: {_line(error)}") from error
    except Exception as error:
        raise UserError(f"{spec}: importing {name!r} failed: {_line(error)}") from error


def _hash(spec: str, module: Any, made: Any) -> str:
    digest = hashlib.sha256(spec.encode())
    try:
        digest.update(inspect.getsource(module).encode())
    except (OSError, TypeError):
        digest.update(b"no source")
    if isinstance(made, nn.Module):
        for name, tensor in sorted(made.state_dict().items()):
            array = tensor.detach().cpu().contiguous()
            digest.update(f"{name} {array.dtype} {tuple(array.shape)}".encode())
            digest.update(array.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
