"""TorchScript and torch.export files: programs that users bring, loaded without unpickling.

Loading runs none of their code, but what they compute may be anything: TorchScript can write any
file. Like any program, run only one that you trust.
"""

from __future__ import annotations

import hashlib
import io
import os
import pickletools
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from facebench.base.errors import UserError
from facebench.base.opening import MODEL, member_bytes, read_bytes
from facebench.models.embedders.archives import checked_archive
from facebench.models.embedders.base import shortened
from facebench.models.embedders.torch import torch_device

_DAMAGED = "it is cut short or damaged; copy or save it again"
_SAVE_PROGRAM = (
    "that holds no program: name the code of its network, package.module:factory, with --weights "
    "FILE, or save torch.jit.trace(...) of it"
)


@dataclass(frozen=True)
class Program:
    """A loaded program: float32 N×3×H×W → N×D. batch, size: what it takes, None: any."""

    run: Callable[[torch.Tensor], Any]
    sha256: str
    batch: int | None = None
    size: tuple[int, int] | None = None


def load_torchscript(path: Path, device: str = "cpu") -> Program:
    """A TorchScript file in evaluation mode; UserError where it is none."""
    data, place = read_bytes(path, "the model", MODEL), torch_device(device)
    if zipfile.is_zipfile(io.BytesIO(data)) and not _is_whole(data):
        raise UserError(f"{path}: not a TorchScript file: {_DAMAGED}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecated in torch, but what people have
            module = torch.jit.load(io.BytesIO(data), map_location=place)
    except Exception as error:
        raise UserError(f"{path}: not a TorchScript file: {_instead(data, error)}") from None
    return Program(module.eval(), hashlib.sha256(data).hexdigest())


def _is_whole(data: bytes) -> bool:
    """Whether an archive's pickles are as long as they say: torch makes room for any length first,
    and compares no checksums.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                if name.endswith(".pkl"):
                    for _ in pickletools.genops(member_bytes(archive, name)):
                        pass
    except Exception:  # of the archive, or of any of a pickle's parts
        return False
    return True


def _instead(data: bytes, error: Exception) -> str:
    """What a file is that torch does not load as a program, and what to do."""
    if not data:
        return "it is empty; copy or save it again"
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        if data[:2] == b"PK":
            return _DAMAGED
        if data[:1] == b"\x80":
            return f"it is a pickle; {_SAVE_PROGRAM}"
        return f"it is none of torch's; {_SAVE_PROGRAM}"
    if any(name.endswith("/data.pkl") for name in names) and not _has_code(names):
        return f"it is what torch.save writes, a state dict or a pickled module; {_SAVE_PROGRAM}"
    return f"{shortened(str(error))}; {_SAVE_PROGRAM}"


def _has_code(names: list[str]) -> bool:
    return any(name.endswith("/constants.pkl") for name in names)


def load_exported(path: Path, device: str = "cpu") -> Program:
    """A torch.export file (.pt2); UserError where it is none or holds pickles or native code."""
    data, place = read_bytes(path, "the model", MODEL), torch_device(device)
    try:
        with _no_pickle():
            program = torch.export.load(io.BytesIO(checked_archive(path, data)))
        if place.type != "cpu":
            from torch.export.passes import move_to_device_pass

            program = move_to_device_pass(program, place)
        batch, size = _input_shape(path, program)
        try:
            module = program.module(check_guards=False)  # guards are text that torch executes
        except TypeError:  # a torch without guards
            module = program.module()
    except UserError:
        raise
    except Exception as error:
        why = shortened(str(error)) or type(error).__name__
        raise UserError(f"{path}: not a torch.export file: {why}; export it again") from None
    return Program(module, hashlib.sha256(data).hexdigest(), batch, size)


def _input_shape(
    path: Path, program: torch.export.ExportedProgram
) -> tuple[int | None, tuple[int, int] | None]:
    """Batch and height × width of the one image input, where they are fixed."""
    inputs = program.graph_signature.user_inputs
    shapes = [n.meta["val"].shape for n in program.graph.nodes if n.name in inputs]
    if len(shapes) != 1 or len(shapes[0]) != 4:
        raise UserError(f"{path}: needs one input of 4 axes (N×3×H×W), it has {len(shapes)} inputs")
    n, channels, height, width = (length if type(length) is int else None for length in shapes[0])
    if channels not in (None, 3):
        raise UserError(f"{path}: its input has {channels} channels, not 3")
    return n, (height, width) if height and width else None


@contextmanager
def _no_pickle() -> Iterator[None]:
    """torch.export.load asks torch.load for arbitrary pickles; this overrules it."""
    name = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
