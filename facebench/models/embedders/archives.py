"""The archive of a torch.export file, made anew of the parts that were checked.

torch looks names up without regard to case and takes one of two equal ones, so an archive can show
a checker other parts than it gives to torch. What torch reads is therefore not the file but an
archive written here: every part is one of a known name, read once, checked, and copied.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from facebench.base.errors import UserError
from facebench.base.text import printable

_MODEL = "models/model.json"
_KNOWN = re.compile(
    r"archive_format|archive_version|byteorder|version|\.data/version|\.data/serialization_id|"
    rf"{re.escape(_MODEL)}|data/sample_inputs/model\.pt|"
    r"data/weights/(model_weights_config\.json|weight_\d+)|"
    r"data/constants/(model_constants_config\.json|tensor_\d+)"
)
_CODE = re.compile(
    r"data/(aotinductor/.*|constants/(opaque|custom)_obj.*|(weights|constants)/[^/]*\.pt)", re.I
)
_LEFT_OUT = re.compile(r"extra/.*|.*/")  # what the author noted, and folders: torch needs neither
_SHOWN = 80  # characters of a name
# How the shapes of inputs, which are JSON within JSON, name a class; torch itself escapes nothing.
_IMPORT = re.compile(r"__enum__|\\u")

# Sizes such as 2*s0 + 1 are evaluated as Python by sympy, so only what sizes need may pass.
_SIZE_NAMES = re.compile(
    r"[a-z]{1,4}\d+|Symbol|Integer|Rational|Float|Add|Mul|Pow|Max|Min|Mod|PythonMod|ModularIndexing|"
    r"FloorDiv|CeilDiv|CleanDiv|PowByNatural|IntTrueDiv|FloorToInt|CeilToInt|floor|ceiling|"
    r"FloatTrueDiv|FloatPow|ToFloat|TruncToInt|TruncToFloat|RoundToInt|Identity|precision|e|"
    r"integer|positive|nonnegative|negative|zero|real|True|False|"
    r"Equality|Unequality|LessThan|GreaterThan|StrictLessThan|StrictGreaterThan"
)
_SIZE_TEXT = re.compile(r"[\w\s+\-*/%(),.<>=']*")


def checked_archive(path: Path, data: bytes) -> bytes:
    """An archive of the same program, of its checked parts alone.

    UserError where the file has parts that torch would unpickle, evaluate or run natively, parts of
    unknown or repeated names, packed ones, or more than it is long.
    """
    found: dict[str, bytes] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = archive.infolist()
        root = parts[0].filename.partition("/")[0] if parts else ""
        if sum(part.file_size for part in parts) > len(data):
            raise UserError(f"{path}: its parts are longer than the file; not loaded")
        for part in parts:
            name = part.filename.removeprefix(f"{root}/")
            _require_known(path, part, name)
            if name in found:
                raise UserError(f"{path}: holds {printable(name, _SHOWN)} twice; not loaded")
            if not _LEFT_OUT.fullmatch(name):
                found[name] = archive.read(part)
    if _MODEL not in found:
        raise UserError(f"{path}: holds no {_MODEL}; export the model again")
    program = json.loads(found[_MODEL])
    if not all(_is_size(text) for key, text in _values(program) if key == "expr_str"):
        raise UserError(f"{path}: {_MODEL} holds an expression that is not a size; not loaded")
    if any(_IMPORT.search(text) for _, text in _values(program) if isinstance(text, str)):
        raise UserError(f"{path}: {_MODEL} names a class that torch would import; not loaded")
    return _written(found)


def _require_known(path: Path, part: zipfile.ZipInfo, name: str) -> None:
    shown = printable(name, _SHOWN)
    if name.endswith("serialized_exported_program.json"):
        raise UserError(f"{path}: an archive of an older form; export the model again")
    if _CODE.fullmatch(name):
        raise UserError(f"{path}: holds native code or pickles ({shown}); not loaded")
    if not _KNOWN.fullmatch(name) and not _LEFT_OUT.fullmatch(name):
        raise UserError(
            f"{path}: holds {shown}, which is no part of a torch.export file; not loaded"
        )
    if part.compress_type != zipfile.ZIP_STORED:
        raise UserError(f"{path}: {shown} is compressed, as torch never does; export it again")


def _written(parts: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(f"model/{name}"), content)
    return out.getvalue()


def _values(node: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every value in a JSON tree with the key that it, or the list around it, has."""
    if key != "expr_str" and isinstance(node, dict):
        for name, value in node.items():
            yield from _values(value, name)
    elif key != "expr_str" and isinstance(node, list):
        for value in node:
            yield from _values(value, key)
    else:
        yield key, node


def _is_size(text: Any) -> bool:
    if not isinstance(text, str) or not _SIZE_TEXT.fullmatch(text):
        return False
    return all(_SIZE_NAMES.fullmatch(name) for name in re.findall(r"[A-Za-z_]\w*", text))
