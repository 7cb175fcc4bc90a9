"""What a shell completes: names of models, protocols and reports, without reading a card."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from inspect import signature
from typing import Any

import typer
from typer.models import ParameterInfo

from facebench.base.storage import toml_files


def complete_names(name: str, loaded: Any) -> None:
    """Give the arguments and options of a command's module what they are completed by."""
    for command in [loaded.command] if hasattr(loaded, "command") else _below(loaded.app):
        for parameter in signature(command, eval_str=True).parameters.values():
            names = _OF_COMMANDS.get((name, parameter.name)) or _NAMES.get(parameter.name)
            for said in getattr(parameter.annotation, "__metadata__", ()):
                if names is not None and isinstance(said, ParameterInfo):
                    said.autocompletion = names
            command.__annotations__[parameter.name] = parameter.annotation  # no text any more


def _below(app: typer.Typer) -> Iterator[Callable[..., Any]]:
    for one in (*app.registered_commands, app.registered_callback):
        if one is not None and one.callback is not None:
            yield one.callback


def model_names(incomplete: str) -> list[str]:
    """Of cards, those whose weights are not here too: their records are."""
    return _beginning(incomplete, list(toml_files("models", ".", "recorded")))


def protocol_names(incomplete: str) -> list[str]:
    """Of cards."""
    return _beginning(incomplete, list(toml_files("protocols")))


def report_names(incomplete: str) -> list[str]:
    """Of cards and of their groups, and the words that stand in the same place."""
    return _beginning(incomplete, [*toml_files("reports"), *_groups(), "list", "run"])


def _groups() -> list[str]:
    found = set[str]()
    for path in toml_files("reports").values():
        with suppress(OSError, ValueError):
            group = tomllib.loads(path.read_text("utf-8")).get("group")
            found |= {group} if isinstance(group, str) and group else set()
    return sorted(found)


def _beginning(incomplete: str, names: Sequence[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


Names = Callable[[str], list[str]]
_NAMES: dict[str, Names] = {
    **dict.fromkeys(("model", "models", "teacher", "student"), model_names),
    **dict.fromkeys(("base", "baseline", "reference", "candidate", "candidates"), model_names),
    "protocol": protocol_names,
}
_OF_COMMANDS: dict[tuple[str, str], Names] = {
    ("models", "name"): model_names,
    ("train", "card"): model_names,
    ("prune", "what"): model_names,
    ("gate", "records"): model_names,
    ("report", "files"): model_names,
    ("report", "what"): report_names,
    ("protocols", "name"): protocol_names,
    ("threshold", "check"): protocol_names,
}
