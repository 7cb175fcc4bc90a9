"""What is wrong with a card or a record, in one line: file, field, allowed values, nearest name."""

from __future__ import annotations

import dataclasses
import os.path
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_args, get_origin, get_type_hints

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from facebench.base.errors import UserError, nearest
from facebench.base.opening import SETTINGS, plain_bytes, reading, unix_lines

Validated = TypeVar("Validated")  # a pydantic model, or a plain dataclass
Share = Annotated[float, Field(ge=0, le=1)]
PositiveShare = Annotated[float, Field(gt=0, le=1)]
# Text whose line breaks and runs of spaces are of the file alone.
Text = Annotated[str, BeforeValidator(lambda v: " ".join(v.split()) if isinstance(v, str) else v)]


class Strict(BaseModel):
    """Fields of a file: no others than those, none changes, and whole numbers have 64 bits."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="after")
    def _counted_in_64_bits(self) -> Self:
        for name, value in self:  # 1e30 is a whole number, too
            numbers = value if isinstance(value, tuple) else (value,)
            whole = [number for number in numbers if isinstance(number, int)]
            if any(abs(number) >> 63 for number in whole):
                raise ValueError(f"field {name!r} must have whole numbers of 64 bits")
        return self


_NUMBER, _LIST, _TABLE = "must be a whole number", "must be a list", "must be a table of fields"
# What pydantic calls an error, and what it asks for.
_WORDS = {
    "string_type": "must be text",
    "int_type": _NUMBER,
    "int_parsing": _NUMBER,
    "int_parsing_size": f"{_NUMBER} of 64 bits",
    "int_from_float": _NUMBER,
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": _LIST,
    "tuple_type": _LIST,
    "set_type": _LIST,
    "frozen_set_type": _LIST,
    "dict_type": _TABLE,
    "model_type": _TABLE,
    "model_attributes_type": _TABLE,
    "none_required": "must be left out",
    "literal_error": "must be {expected}",
    "union_tag_invalid": "must be one of {expected_tags}",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "too_short": "must hold {min_length} or more",
    "too_long": "must hold {max_length} or fewer",
    "string_too_short": "must have {min_length} or more characters",
    "string_too_long": "must have {max_length} or fewer characters",
    "string_pattern_mismatch": "must be written as {pattern}",
}
_NOT_TABLES = (*(kind for kind in _WORDS if kind.endswith(("_type", "_parsing"))), "literal_error")
_MISSPELT = ("extra_forbidden", "unexpected_keyword_argument")  # of models, and of dataclasses
_TYPES = (
    "str",
    "int",
    "float",
    "bool",
    "none",
    "constrained-str",
    "constrained-float",
    "constrained-int",
)


def not_a_card(name: str) -> str:
    """Words on a file that is named where a card of TOML could be; empty where there is none."""
    return ", and a card's file ends in .toml" if os.path.isfile(name) else ""


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file; UserError in one line: absent, not UTF-8, or not TOML."""
    try:
        # -sig: Windows writes a mark.
        text = unix_lines(plain_bytes(path, SETTINGS).decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: not UTF-8 at byte {error.start}; save the card as UTF-8"
        ) from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    is_json, is_yaml = text.lstrip().startswith("{"), path.suffix in (".yaml", ".yml")
    other = "JSON" if is_json else "YAML"
    to_do = f"it looks like {other}; write it as TOML" if is_json or is_yaml else ""
    with reading(path, "not TOML", to_do):
        return tomllib.loads(text)


def validated(model: type[Validated], values: object, where: str) -> Validated:
    """values as a model; UserError names where, the first wrong field and what is allowed there."""
    try:
        return TypeAdapter(model).validate_python(values)
    except ValidationError as error:
        raise UserError(f"{where}: {explain(error, model)}") from None


def require_own_name(name: str, path: Path) -> None:
    """UserError where the name in a card's file is not the file's."""
    if name != path.stem:
        raise UserError(f"{path}: field 'name' is {name!r}; it must be the file's, {path.stem!r}")


def explain(error: ValidationError, model: type) -> str:
    """The first wrong field of values that were to be a model, in one line of plain words."""
    # A misspelt field is missing under its right name too: the misspelling is what to mend.
    errors = error.errors(include_url=False)
    first = min(errors, key=lambda one: one["type"] not in _MISSPELT)
    place = _place(first)
    same = [one for one in errors if _place(one) == place]
    more = len(errors) - len(same)
    rest = f" (and {more} more)" if more else ""
    field = ".".join(str(part) for part in place)
    if first["type"] in _MISSPELT:
        known = _fields(model, place[:-1])
        hint = nearest(str(place[-1]), known)
        has = f" (fields: {', '.join(known)})" if known else ""
        return f"unknown field {field!r}{hint}{has}{rest}"
    if first["type"] in ("missing", "union_tag_not_found"):
        return f"field {field!r} is missing{rest}"
    allowed = " or ".join(dict.fromkeys(plain_words(one) for one in same))
    allowed = allowed.replace(" or must be ", " or ")
    return f"{f'field {field!r}: ' if field else ''}{allowed}{_instead(first)}{rest}"


def plain_words(error: Mapping[str, Any]) -> str:
    """What one error of pydantic asks for, e.g. ``must be a whole number``."""
    kind, context = error["type"], error.get("ctx", {})
    if kind in _WORDS:
        numbers = {k: f"{v:g}" for k, v in context.items() if isinstance(v, float)}
        return _WORDS[kind].format(**{**context, **numbers})
    message = _one_line(error["msg"])
    for prefix in ("Value error, ", "Assertion failed, "):
        message = message.removeprefix(prefix)
    return message.replace("Input should be ", "must be ").replace(" should ", " must ")


def _place(error: Mapping[str, Any]) -> tuple[int | str, ...]:
    """The path of the field, without the names of types that pydantic adds for a choice of them."""
    path = list(error["loc"])
    while path and isinstance(path[-1], str) and (path[-1] in _TYPES or "[" in path[-1]):
        path.pop()
    if error["type"].startswith("union_tag_"):
        path.append(str(error["ctx"]["discriminator"]).strip("'"))
    return tuple(path)


def _instead(error: Mapping[str, Any]) -> str:
    """``, not 'x'; did you mean 'y'?``; nothing of a whole table, or of what the words name."""
    given = error["input"]
    if error["type"] == "value_error" and repr(given) in error["msg"]:
        return ""
    if error["type"] == "union_tag_invalid":
        given = error["ctx"]["tag"]
    if isinstance(given, (dict, BaseModel)) and error["type"] not in _NOT_TABLES:
        return ""
    hint = ""
    if error["type"] in ("literal_error", "union_tag_invalid") and isinstance(given, str):
        context = error["ctx"]
        listed = str(context.get("expected") or context.get("expected_tags"))
        known = listed.replace(" or ", ", ").split(",")
        hint = nearest(given, [word.strip(" '") for word in known])
    shown = {True: "true", False: "false", None: "null"}.get(given) if _is_word(given) else None
    return f", not {shown or _one_line(repr(given))[:80]}{hint}"


def _is_word(given: object) -> bool:
    return given is None or isinstance(given, bool)


def _fields(model: type, path: tuple[int | str, ...]) -> list[str]:
    """Field names of the model, or models, that lie at a path inside another."""
    here = [model]
    for part in path:
        inside = [fields[str(part)] for one in here if str(part) in (fields := _hints(one))]
        if inside:
            here = [found for hint in inside for found in _inner_models(hint)]
        else:  # an index, a key of one's own, or the kind of one of several models
            here = [one for one in here if part in _kinds(one)] or here
    return list(dict.fromkeys(name for one in here for name in _hints(one)))


def _hints(model: type) -> dict[str, Any]:
    """Fields of a model or a dataclass, with what they are annotated as."""
    if issubclass(model, BaseModel):
        return {name: field.annotation for name, field in model.model_fields.items()}
    assert dataclasses.is_dataclass(model)
    hints = get_type_hints(model)
    return {field.name: hints[field.name] for field in dataclasses.fields(model)}


def _inner_models(annotation: Any) -> list[type]:
    if isinstance(annotation, type) and (
        issubclass(annotation, BaseModel) or dataclasses.is_dataclass(annotation)
    ):
        return [annotation]
    return [found for arg in get_args(annotation) for found in _inner_models(arg)]


def _kinds(model: type) -> set[Any]:
    """The words that tell a model among several, e.g. of a field ``kind``."""
    return {
        word for a in _hints(model).values() if get_origin(a) is Literal for word in get_args(a)
    }


def _one_line(text: str) -> str:
    return " ".join(text.split())
