"""Several files of weights for one network: each is a model, called by what differs in its path."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from facebench.base.errors import UserError
from facebench.models.cards.card import FACTORY

Weights = str | PathLike[str] | Sequence[str | PathLike[str]]
_NUMBER = re.compile(r"(\d+)")


class NamedModel(NamedTuple):
    """A model as a user gives it. name: None: its own; weights: the file that goes into it."""

    name: str | None
    model: Any
    weights: Path | None = None

    @property
    def spec(self) -> str:
        """One text for a model that has a name, weights included."""
        return f"{self.model}" if self.weights is None else f"{self.model}@{self.weights}"


def swept(models: Sequence[NamedModel], weights: Weights | None) -> list[NamedModel]:
    """The models, where the one that takes weights is there once for each file of them.

    weights: files, or patterns such as ``runs/*/ckpt.pt``, whose files are in the order of their
    numbers. UserError: not one model takes weights, or there is no such file.
    """
    if weights is None:
        return list(models)
    takers = [at for at, one in enumerate(models) if takes_weights(one.model)]
    if len(takers) != 1:
        found = "none is named" if not takers else f"{len(takers)} are named"
        raise UserError(
            "--weights are of one network, package.module:factory (in Python also a torch module), "
            f"and {found}"
        )
    at = takers[0]
    own, files = models[at], weight_files(weights)
    names = [own.name] if own.name and len(files) == 1 else run_names(files)
    made = [NamedModel(name, own.model, file) for name, file in zip(names, files, strict=True)]
    return [*models[:at], *made, *models[at + 1 :]]


def takes_weights(model: object) -> bool:
    """Whether a model is code that makes a network: a factory by name, or a torch module."""
    if isinstance(model, (str, PathLike)):
        return FACTORY.fullmatch(str(model)) is not None
    from torch import nn

    return isinstance(model, nn.Module)


def weight_files(weights: Weights) -> list[Path]:
    """The files that paths and patterns name, each once; UserError: there is none."""
    given = [weights] if isinstance(weights, (str, PathLike)) else list(weights)
    found: list[Path] = []
    for one in map(str, given):
        path = Path(one).expanduser()
        if path.is_dir():
            raise UserError(f"--weights {one}: is a folder; name its files, e.g. '{one}/*.pt'")
        if path.is_file():
            found.append(path)
            continue
        if not glob.has_magic(one):
            raise UserError(f"--weights {one}: there is no such file")
        files = [Path(name) for name in glob.glob(str(path), recursive=True)]
        files = sorted((file for file in files if file.is_file()), key=_by_number)
        if not files:
            raise UserError(f"--weights {one}: no file matches")
        found += files
    return list(dict.fromkeys(found))


def run_names(files: Sequence[Path]) -> list[str]:
    """What differs in the paths: ``runs/s50/ckpt.pt`` among its likes is ``s50``."""
    if len(files) == 1:
        return [files[0].stem]
    parts = [[*file.parent.resolve().parts, file.stem] for file in files]
    if len({file.suffix for file in files}) > 1:
        parts = [[*own[:-1], file.name] for own, file in zip(parts, files, strict=True)]
    start = _shared(parts)
    parts = [own[start:] for own in parts]
    end = _shared([own[::-1] for own in parts])
    parts = [own[: len(own) - end] or own for own in parts]
    if len(set(map(len, parts))) == 1:
        places = [at for at, column in enumerate(zip(*parts, strict=True)) if len(set(column)) > 1]
        parts = [[own[at] for at in places] for own in parts]
    return ["-".join(own) for own in parts]


def _shared(parts: Sequence[Sequence[str]]) -> int:
    """How many parts all begin with, leaving each at least one."""
    most = min(map(len, parts)) - 1
    return next((at for at in range(most) if len({own[at] for own in parts}) > 1), max(most, 0))


def _by_number(path: Path) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in _NUMBER.split(str(path))]
