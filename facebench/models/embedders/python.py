"""Models that are Python code: ``package.module:factory``, from the working directory too."""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from types import NoneType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from facebench.base.errors import UserError, ended_by, nearest
from facebench.base.storage import working_folder
from facebench.models.embedders.base import (
    CheckedEmbedder,
    Embedder,
    Preprocessing,
    require_complete,
    shortened,
)

_TAKE_OUT = "put what it does as a program below `if __name__ == '__main__':`"
RAW = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


class CallableEmbedder(CheckedEmbedder):
    """A user's function, uint8 N×H×W×3 RGB → float N×D, that prepares the faces itself.

    Its embeddings are not kept: no hash covers what it depends on.
    """

    storable = False

    def __init__(
        self, id: str, function: Callable[[NDArray[np.uint8]], Any], preprocessing: Preprocessing
    ) -> None:
        self.id, self.preprocessing, self._function = id, preprocessing, function

    def _run(self, faces: NDArray[np.uint8]) -> NDArray[Any]:
        return np.asarray(self._function(faces))


def make(spec: str, folder: Path) -> Any:
    """What the factory of ``package.module:factory`` returns: torch module, Embedder or function.

    The working directory and ``folder``, the card's, are searched after the installed packages.
    UserError where the module cannot be imported, lacks the factory, the factory fails, or it
    returns something else or an Embedder without ``id`` or ``preprocessing``.
    """
    name, _, attribute = spec.partition(":")
    module = _imported(spec, name, [working_folder(), folder.resolve()])
    if not hasattr(module, attribute):
        hint = nearest(attribute, (key for key in vars(module) if not key.startswith("_")))
        raise UserError(f"{spec}: module {name!r} has no {attribute!r}{hint}")
    made = getattr(module, attribute)
    if not isinstance(made, (nn.Module, Embedder)):
        try:
            with _on_its_own(name):
                made = made()
        except SystemExit as end:
            raise UserError(f"{spec}: {attribute}() failed: {ended_by(end)}; {_TAKE_OUT}") from None
        except Exception as error:
            raise UserError(f"{spec}: {attribute}() failed: {_line(error)}") from error
    if not isinstance(made, (nn.Module, Embedder)) and not callable(made):
        raise UserError(
            f"{spec}: {attribute}() returned a {type(made).__name__}; it must return a torch "
            "module, an Embedder or a function from uint8 faces to embeddings"
        )
    if isinstance(made, Embedder):
        require_complete(made, spec)
    return made


def _imported(spec: str, name: str, folders: list[Path]) -> Any:
    for folder in map(str, folders):
        if folder not in sys.path:
            sys.path.append(folder)  # last, so that no file here shadows an installed package
    importlib.invalidate_caches()
    try:
        with _on_its_own(name):
            return importlib.import_module(name)
    except SystemExit as end:
        raise UserError(
            f"{spec}: importing {name!r} failed: {ended_by(end)}; {_TAKE_OUT}"
        ) from None
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            places = " or ".join(dict.fromkeys(map(str, folders)))
            raise UserError(f"{spec}: no module {error.name!r} installed or in {places}") from None
        raise UserError(f"{spec}: importing {name!r} failed: {_line(error)}") from error
    except Exception as error:
        raise UserError(f"{spec}: importing {name!r} failed: {_line(error)}") from error


@contextmanager
def _on_its_own(name: str) -> Iterator[None]:
    """Around code of the user's: it sees no arguments of ours, should it parse some, and what it
    wrote on standard error before it ended the program (argparse's usage) is told in our one line.
    """
    arguments, said = sys.argv, io.StringIO()
    sys.argv = [name]
    try:
        with redirect_stderr(said):
            yield
    except SystemExit as end:
        lines = [line.strip() for line in said.getvalue().splitlines() if line.strip()]
        if lines:
            end.code = lines[-1] if isinstance(end.code, (int, NoneType)) else end.code
            said.truncate(0)
        raise
    finally:
        sys.argv = arguments
        print(said.getvalue(), end="", file=sys.stderr)


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {shortened(str(error))}"
