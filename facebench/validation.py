"""What is wrong with a card or a record, in one line: file, field, allowed values, nearest name."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from facebench.errors import UserError, nearest

Model = TypeVar("Model", bound=BaseModel)


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file; UserError in one line: absent, not UTF-8, or not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: not UTF-8 at byte {error.start}; save the card as UTF-8"
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path}: not TOML: {_one_line(str(error))}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None


def validated(model: type[Model], values: object, where: str) -> Model:
    """values as a model; UserError names where, the first wrong field and what is allowed there."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise UserError(f"{where}: {_explain(error, model)}") from None


def _explain(error: ValidationError, model: type[BaseModel]) -> str:
    # A misspelt field is missing under its right name too: the misspelling is what to mend.
    errors = error.errors(include_url=False)
    first = min(errors, key=lambda one: one["type"] != "extra_forbidden")
    field = ".".join(str(part) for part in first["loc"]) or "(all)"
    more = error.error_count() - 1
    rest = f" (and {more} more)" if more else ""
    if first["type"] == "extra_forbidden":
        known = _fields(model, first["loc"][:-1])
        hint = nearest(str(first["loc"][-1]), known)
        return f"unknown field {field!r}{hint} (fields: {', '.join(known)}){rest}"
    if first["type"] == "missing":
        return f"field {field!r} is missing{rest}"
    got = _one_line(repr(first["input"]))
    message = _one_line(first["msg"])
    hint = ""
    if first["type"] == "literal_error" and isinstance(first["input"], str):
        allowed = str(first.get("ctx", {}).get("expected", "")).replace(" or ", ", ")
        hint = nearest(first["input"], [word.strip(" '") for word in allowed.split(",")])
    return f"field {field!r}: {message}, not {got[:80]}{hint}{rest}"


def _fields(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """Field names of the model that lies at a path inside another."""
    here: Any = model
    for part in path:
        if isinstance(part, int):
            continue
        fields: Mapping[str, Any] = here.model_fields
        if part not in fields:
            return []
        here = _inner_model(fields[part].annotation)
        if here is None:
            return []
    return list(here.model_fields)


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _inner_model(arg))), None)


def _one_line(text: str) -> str:
    return " ".join(text.split())
