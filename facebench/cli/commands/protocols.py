"""``facebench protocols``: which protocols there are, and what one says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from facebench.base.text import json_text
from facebench.cli.output import FormatOption, ListFormat, show_table
from facebench.protocols.cards import (
    SPREAD_SHORT,
    ProtocolCard,
    SpreadKind,
    list_protocols,
    load_protocol,
)

app = typer.Typer(invoke_without_command=True)
_HARDER = (
    "any of them on harder faces: lfw+14px (rows of pixels), lfw+jpeg20, lfw+blur2, lfw+dark0.25, "
    "lfw+28px+jpeg20; .probe at the end: on one side only"
)


@app.callback()
def protocols(context: typer.Context, format: FormatOption = "table") -> None:
    """List the protocols, those of the working directory's protocols/ folder first.

    Example: facebench protocols
    """
    if context.invoked_subcommand is None:
        _list(format)


@app.command("list")
def list_(format: FormatOption = "table") -> None:
    """List the protocols. Example: facebench protocols list --format json"""
    _list(format)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A name of the list, or a card.toml.")],
    format: FormatOption = "table",
) -> None:
    """Show one protocol's card. Example: facebench protocols show lfw"""
    values = load_protocol(name).model_dump(mode="json")
    if format == "json":
        typer.echo(json_text(values), nl=False)
        return
    from facebench.tables.table import facts_of

    show_table(facts_of(_facts(values)), "facts")


def _list(format: ListFormat) -> None:
    cards = list_protocols()
    if format == "json":
        values = [card.model_dump(mode="json") for card in cards]
        typer.echo(json_text(values), nl=False)
        return
    from facebench.tables.table import Column, list_of

    headings = ("name", "kind", Column("comparisons"), "parts", "±", "title")
    show_table(list_of(headings, map(_row, cards), [_HARDER]), "ruled")


def _row(card: ProtocolCard) -> list[str]:
    number = card.published_comparisons
    comparisons = f"{number:,}" if number else ""
    named = ("folds", "draws", "splits")
    parts = next((_counted(getattr(card, part), part) for part in named if hasattr(card, part)), "")
    kind: SpreadKind = getattr(card, "spread", "standard deviation")
    spread = SPREAD_SHORT[kind] if parts else ""
    return [f"{card.name} v{card.version}", card.kind, comparisons, parts, spread, card.title]


def _facts(values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for field, value in values.items():
        for number, text in enumerate(_lines(value)):
            yield "" if number else field, text


def _lines(value: Any) -> list[str]:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [", ".join(f"{name}: {item}" for name, item in entry.items()) for entry in value]
    if isinstance(value, dict):
        return [", ".join(f"{name}: {item}" for name, item in value.items())] if value else []
    if isinstance(value, list):
        return [", ".join(map(str, value))] if value else []
    return [str(value)] if value != "" else []


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number != 1 else f"1 {what[:-1]}"
