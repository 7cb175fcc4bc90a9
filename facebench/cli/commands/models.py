"""``facebench models``: which models there are, and what one is made of."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from facebench.base.errors import UserError, nearest
from facebench.base.storage import write_atomically
from facebench.base.text import json_text
from facebench.base.vocabulary import SYNTHETIC_LABEL
from facebench.cli.output import FormatOption, show_table
from facebench.models.cards.card import (
    MetricFields,
    ModelCard,
    is_code,
    is_compact,
    list_models,
    recorded_names,
)
from facebench.models.cards.members import trained_bytes, untrained_members
from facebench.models.cards.names import card_for
from facebench.models.embedders.base import Preprocessing
from facebench.models.sizes import (
    SparsityReport,
    compact_report,
    convnet_report,
    planned_report,
)
from facebench.similarity import SIMILARITIES
from facebench.tables.table import Column, Table, facts_of, list_of

if TYPE_CHECKING:
    from facebench.records.find import Entry

app = typer.Typer(
    help="List the models of the zoo and of the working directory's models/ folder.\n\n"
    "Example: facebench models show sparse_074",
    no_args_is_help=False,
    invoke_without_command=True,
)


ListedFormat = Literal["table", "json", "csv"]
_SORTS = ("name", "kept", "bytes", "accuracy", "published")
_BOUND = re.compile(r"(\w+)\s*(<=|>=|<|>)\s*([\d.]+(?:e\d+)?)\s*(%|[kM]B)?")
_UNITS = {None: 1.0, "%": 0.01, "kB": 1e3, "MB": 1e6}
_TESTS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


@app.callback()
def models(
    context: typer.Context,
    format: Annotated[ListedFormat, typer.Option("--format", help="table, json or csv.")] = "table",
    recorded: Annotated[
        bool,
        typer.Option(
            "--recorded",
            help="With the models whose records are kept in git and whose weights are not.",
        ),
    ] = False,
    protocol: Annotated[
        str, typer.Option("--protocol", "-p", help="Whose result is shown.")
    ] = "lfw",
    sort: Annotated[
        str | None,
        typer.Option(help=f"By {', '.join(_SORTS)}; -kept turns it round."),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--filter",
            help="Names (sparse_*), or a bound: 'bytes<2MB', 'accuracy>=95%'; may be repeated.",
        ),
    ] = None,
    records: Annotated[
        list[Path] | None, typer.Option(help="Folders to find records in, first.")
    ] = None,
) -> None:
    """List the models of the zoo and of the working directory's models/ folder.

    Example: facebench models --sort -accuracy --filter 'bytes<2MB'
    """
    if context.invoked_subcommand is not None:
        return
    from facebench.protocols.cards import load_protocol
    from facebench.records.find import Finder

    load_protocol(protocol)
    cards = list_models(recorded=recorded)
    own = {card.name: card.sha256 for card in cards if card.sha256}
    best = Finder.of(records or []).best(protocol, weights=own)
    rows = [summary(card) | _measured_of(best.get(card.name), protocol) for card in cards]
    rows = [row for row in rows if all(_passes(row, one) for one in only or [])]
    if sort is not None:
        rows = _sorted(rows, sort)
    if format != "table":
        _write_rows(rows, format)
        return
    numbers = [Column(name) for name in ("kept %", "MB", f"{protocol} % [95%]", "paper %")]
    notes = [f"{protocol}: the headline of the best record, measured here; paper: its paper's"]
    if any(row["data_kind"] == "synthetic" for row in rows):
        notes.append(f"°: {SYNTHETIC_LABEL}")
    if not all(row["weights"] for row in rows):
        notes.append("MB –: no weights, cannot be evaluated; `facebench models show NAME`.")
    if not recorded and (others := len(recorded_names())):
        notes.append(f"{others} more have records and no weights: facebench models --recorded")
    show_table(list_of(("name", *numbers), map(_row, rows), notes=notes), "bare")


def _measured_of(entry: Entry | None, protocol: str) -> dict[str, Any]:
    """What the record of a model's weights says, in the row of its list."""
    found = entry.headline if entry else None
    return {
        "protocol": protocol,
        "statistic": found.statistic if found else None,
        "accuracy": found.value if found else None,
        "low": found.low if found else None,
        "high": found.high if found else None,
        "data_kind": entry.data.kind if entry else None,
        "record": str(entry.path) if entry else None,
    }


def _passes(row: dict[str, Any], wanted: str) -> bool:
    """Whether a row has a name like the one wanted, or is within a bound; UserError: no such."""
    if (bound := _BOUND.fullmatch(wanted.strip())) is None:
        if any(sign in wanted for sign in "<>="):
            raise UserError(f"--filter {wanted!r}: write a bound as 'bytes<2MB' or 'accuracy>=95%'")
        return fnmatchcase(row["name"], wanted) or wanted == row["architecture"]
    name, sign, number, unit = bound.groups()
    if name == "name":
        raise UserError(f"--filter {wanted!r}: names have no bound; write --filter 'sparse_*'")
    field, most = _field(name, "--filter"), float(number) * _UNITS[unit]
    if field != "bytes" and most > 1:  # accuracy>=95
        most /= 100
    return row[field] is not None and _TESTS[sign](row[field], most)


def _sorted(rows: list[dict[str, Any]], by: str) -> list[dict[str, Any]]:
    """By a field, those without it last."""
    field = _field(by.removeprefix("-"), "--sort")
    known = [row for row in rows if row[field] is not None]
    known.sort(key=lambda row: row[field], reverse=by.startswith("-"))
    return known + [row for row in rows if row[field] is None]


def _field(name: str, option: str) -> str:
    if name not in _SORTS:
        raise UserError(f"{option} {name!r}: is none of {', '.join(_SORTS)}{nearest(name, _SORTS)}")
    return {"kept": "compression_ratio", "published": "published_accuracy"}.get(name, name)


def _write_rows(rows: list[dict[str, Any]], format: ListedFormat) -> None:
    if format == "json":
        typer.echo(json_text(rows, 2), nl=False)
        return
    from facebench.tables.csv import to_csv

    typer.echo(to_csv(rows, ["name"]), nl=False)


def _row(row: dict[str, Any]) -> list[str]:
    mark = "°" if row["data_kind"] == "synthetic" else ""
    value = _text(row["accuracy"], ".2f", 0.01)
    if row["low"] is not None:
        value += f" [{_text(row['low'], '.2f', 0.01)}, {_text(row['high'], '.2f', 0.01)}]"
    return [
        row["name"],
        _text(row["compression_ratio"], ".1f", 0.01),
        _text(row["bytes"], ".2f", 1e6),
        value + mark,
        _text(row["published_accuracy"], ".2f", 0.01),
    ]


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A name of the list, a card.toml or a model file.")],
    format: FormatOption = "table",
    regions: Annotated[
        Path | None,
        typer.Option(help="Draw the face regions of an ensemble or a member into this .png file."),
    ] = None,
) -> None:
    """Show one model: parameters kept per layer, training, licence, signature.

    Example: facebench models show sparse_074
    """
    card = card_for(name)
    if regions is not None:
        _draw(card, regions)
    details = describe(card)
    if format == "json":
        typer.echo(json_text(details, 2), nl=False)
        return
    title = f"{card.name}  {card.title}"
    if details["layers"]:
        show_table(replace(_layer_table(details), title=title), "ruled")
        title = ""
    show_table(facts_of(_facts(card, details), title), "facts")


def _facts(card: ModelCard, details: dict[str, Any]) -> Iterator[tuple[str, object]]:
    for key in ("structure", "parent", "licence", "notes", "signature"):
        if details[key]:
            yield key, details[key]
    for region in details["regions"]:
        yield f"region {region['name']}", f"{region['model']}: {region['signature']}"
    yield "weights", _weights_text(card, details)
    for similarity in SIMILARITIES:
        if (metric := card.metric_fields(similarity)) is not None:
            yield "metric", f"{similarity}, {_learned(metric)}: {metric.fitted_on}"
    for group in ("training", "source"):
        for key, value in (details[group] or {}).items():
            yield f"{group}: {key.replace('_', ' ')}", value


def _learned(metric: MetricFields) -> str:
    counts = ((metric.images, "images"), (metric.identities, "people"))
    return " of ".join(f"{count:,} {what}" for count, what in counts if count) or "learned"


def summary(card: ModelCard) -> dict[str, Any]:
    """What the list says of a model; ``parameters``: those kept; None where it is not known.

    ``bytes``: of the weights file, None where there is none.
    """
    path, report = card.weights_path, _planned(card)
    present = is_code(card) or (path is not None and path.is_file())
    size = path.stat().st_size if path is not None and path.is_file() else None
    if card.architecture == "ensemble":
        size = trained_bytes(card)
        present = size is not None
    return {
        "name": card.name,
        "title": card.title,
        "architecture": card.architecture,
        "structure": structure(card),
        "width": card.width,
        "parameters": report.kept if report else None,
        "compression_ratio": report.compression_ratio if report else None,
        "bytes": size,
        "weights": present,
        "published_accuracy": card.source.accuracy if card.source else None,
    }


def describe(card: ModelCard) -> dict[str, Any]:
    """What ``show`` says of a model; layers are counted in the weights, or planned without them."""
    report = _planned(card)
    if card.architecture == "convnet" and card.weights is not None:
        report = _measured(card)
    layers = [
        {"name": layer.name, "kept": layer.kept, "total": layer.total}
        for layer in (report.layers if report else ())
    ]
    full = card.model_dump(exclude_none=True)
    return {
        **summary(card),
        "architecture": card.architecture,
        "parent": card.parent,
        "licence": card.licence,
        "notes": card.notes,
        "weights": card.weights,
        "sha256": card.sha256,
        "layers": layers,
        "kept": report.kept if report else None,
        "total": report.total if report else None,
        "compression_ratio": report.compression_ratio if report else None,
        "regions": _regions(card),
        "signature": signature(card),
        "training": {
            key: value for key, value in full["training"].items() if value not in ("", ())
        },
        "source": full.get("source"),
    }


def structure(card: ModelCard) -> str:
    """The structure in the paper's words: ``1/256-f 1/128-5b``, or the kind of file."""
    if card.architecture == "ensemble":
        return f"ensemble of {len(card.members)}"
    if is_compact(card) and card.filters_removed:
        return f"{card.architecture} less {card.filters_removed:.0%} of its filters"
    if card.architecture != "convnet":
        return card.architecture
    return " ".join(f"{degree}-{layer}" for layer, degree in card.sparsity.items()) or "dense"


def signature(card: ModelCard) -> str | None:
    """The model's part of a record's signature; None where the card alone does not settle it."""
    fields = card.preprocessing
    if card.sha256 is None or fields.size is None or card.layout or card.output:
        return None
    size = card.region.canvas if card.region else fields.size
    preparation = Preprocessing(size, fields.colour, fields.mean, fields.scale, fields.flip)
    variant = f" region={card.region.signature}" if card.region else ""
    return f"weights:{card.sha256[:16]} {preparation.signature} float32{variant}"


def _draw(card: ModelCard, path: Path) -> None:
    if path.suffix.lower() != ".png":
        raise UserError(f"--regions {path}: the picture is a PNG; give a name that ends in .png")
    # Late: drawing imports matplotlib, which no other answer of this command needs.
    from facebench.figures.regions import regions_picture

    write_atomically(path, regions_picture(card))


def _regions(card: ModelCard) -> list[dict[str, Any]]:
    """The regions of an ensemble by member, or the one of a member."""
    pairs = [(member.region, member.model, card.regions[member.region]) for member in card.members]
    if card.region is not None:
        pairs = [("", card.name, card.region)]
    return [
        {"name": name, "model": model, "signature": region.signature, **region.model_dump()}
        for name, model, region in pairs
    ]


def _weights_text(card: ModelCard, details: dict[str, Any]) -> str:
    if card.architecture != "ensemble":
        return details["weights"] or f"none yet ({card.path})"
    missing = untrained_members(card)
    total = len(card.members)
    if not missing:
        return f"those of its {total} members"
    return f"none yet for {len(missing)} of its {total} members: {', '.join(missing)}"


def _planned(card: ModelCard) -> SparsityReport | None:
    if is_compact(card):
        return compact_report(card)
    if card.width is None or card.preprocessing.size is None:
        return None
    return planned_report(card.width, card.preprocessing.size, card.degrees)


def _measured(card: ModelCard) -> SparsityReport:
    assert card.width is not None and card.preprocessing.size is not None
    path = card.weights_path
    assert path is not None
    return convnet_report(card.width, card.preprocessing.size, path, card.sha256)


def _layer_table(details: dict[str, Any]) -> Table:
    total = {"name": "all", "kept": details["kept"], "total": details["total"]}
    rows = (
        (layer["name"], f"{layer['kept']:,}", f"{layer['total']:,}",
         f"{layer['kept'] / layer['total']:.4f}")
        for layer in [*details["layers"], total]
    )  # fmt: skip
    return list_of(("layer", *map(Column, ("kept", "of", "share"))), rows)


def _text(value: float | None, form: str, unit: float = 1.0) -> str:
    return "–" if value is None else f"{value / unit:{form}}"
