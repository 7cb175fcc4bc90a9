"""TorchScript and torch.export files: programs that users bring, loaded without unpickling.

Like any program, run only one that you trust.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from facebench.errors import UserError
from facebench.nets.options import torch_device


@dataclass(frozen=True)
class Program:
    """A loaded program: float32 N×3×H×W → N×D. batch, size: what it takes, None: any."""

    run: Callable[[torch.Tensor], Any]
    sha256: str
    batch: int | None = None
    size: tuple[int, int] | None = None


def load_torchscript(path: Path, device: str = "cpu") -> Program:
    """A TorchScript file in evaluation mode; UserError where it is none."""
    data, place = _bytes(path), torch_device(device)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecated in torch, but what people have
            module = torch.jit.load(io.BytesIO(data), map_location=place)
    except Exception as error:
        raise UserError(
            f"{path}: not a TorchScript file ({_line(error)}); a state dict or a pickled module "
            "holds no program: save torch.jit.trace(...) or give package.module:factory"
        ) from None
    return Program(module.eval(), hashlib.sha256(data).hexdigest())


def load_exported(path: Path, device: str = "cpu") -> Program:
    """A torch.export file (.pt2); UserError where it is none or holds pickles or native code."""
    data, place = _bytes(path), torch_device(device)
    try:
        _refuse_code(path, data)
        with _no_pickle():
            program = torch.export.load(io.BytesIO(data))
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
        raise UserError(f"{path}: not a torch.export file: {_line(error)}") from None
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


# Sizes such as 2*s0 + 1 are evaluated as Python by sympy, so only what sizes need may pass.
_SIZE_NAMES = re.compile(
    r"[a-z]{1,4}\d+|Symbol|Integer|Rational|Float|Add|Mul|Pow|Max|Min|Mod|PythonMod|ModularIndexing|"
    r"FloorDiv|CeilDiv|CleanDiv|PowByNatural|IntTrueDiv|FloorToInt|CeilToInt|floor|ceiling|"
    r"integer|positive|nonnegative|negative|zero|real|True|False|"
    r"Equality|Unequality|LessThan|GreaterThan|StrictLessThan|StrictGreaterThan"
)
_SIZE_TEXT = re.compile(r"[\w\s+\-*/%(),.<>=']*")


def _refuse_code(path: Path, data: bytes) -> None:
    """UserError where the archive has parts that torch would unpickle, evaluate or run natively."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        old = any(name.endswith("serialized_exported_program.json") for name in names)
        if old or len(set(names)) != len(names):
            raise UserError(f"{path}: an archive of an older or odd form; export the model again")
        for name in names:
            if re.search(
                r"aotinductor/|opaque_obj|custom_obj|(weights|constants)/[^/]*\.pt$", name
            ):
                raise UserError(f"{path}: holds native code or pickles ({name}); not loaded")
            if "/models/" in name and not all(
                map(_is_size, _sizes(json.loads(archive.read(name))))
            ):
                raise UserError(
                    f"{path}: {name} holds an expression that is not a size; not loaded"
                )


def _sizes(node: Any) -> Iterator[Any]:
    """Every ``expr_str`` in a JSON tree."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "expr_str":
                yield value
            else:
                yield from _sizes(value)
    elif isinstance(node, list):
        for value in node:
            yield from _sizes(value)


def _is_size(text: Any) -> bool:
    if not isinstance(text, str) or not _SIZE_TEXT.fullmatch(text):
        return False
    return all(_SIZE_NAMES.fullmatch(name) for name in re.findall(r"[A-Za-z_]\w*", text))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: the model cannot be read: {error.strerror}") from None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
