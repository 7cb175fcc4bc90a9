"""``facebench results``: which records there are, and what one of them says."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from facebench.base.errors import UserError, nearest
from facebench.base.text import json_text, percent
from facebench.base.vocabulary import SYNTHETIC_LABEL
from facebench.cli.options import NamedSimilarity
from facebench.cli.output import show_table

if TYPE_CHECKING:
    from facebench.records.find import Entry

SHOW = "show"
ResultsFormat = Literal["table", "json", "csv"]
_SORTS = ("model", "protocol", "value", "created")
_ID = 8  # letters of a record's name that tell it from others


def command(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            help="Folders of records or records; default: all in reach. Or `show` and a record."
        ),
    ] = None,
    records: Annotated[
        list[Path] | None, typer.Option(help="Folders of records, as after `results`.")
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option("--model", "-m", help="A name, or sparse_*; several: any.")
    ] = None,
    protocol: Annotated[
        list[str] | None, typer.Option("--protocol", "-p", help="A name, or lfw*; several: any.")
    ] = None,
    similarity: Annotated[NamedSimilarity | None, typer.Option(help="Of these alone.")] = None,
    data: Annotated[
        Literal["real", "synthetic"] | None, typer.Option(help="Photographs, or rendered faces.")
    ] = None,
    sort: Annotated[
        str, typer.Option(help=f"By {', '.join(_SORTS)}; -value turns it round.")
    ] = "protocol",
    json: Annotated[bool, typer.Option("--json", help="As --format json.")] = False,
    format: Annotated[
        ResultsFormat, typer.Option("--format", help="table, json or csv.")
    ] = "table",
) -> None:
    """List, filter and open records.

    Example: facebench results -m baseline -m sparse_074 -p lfw --data real
    """
    from facebench.records.find import Finder
    from facebench.records.record import similarity_kind

    places = list(what or [])
    if places[:1] == [SHOW]:
        _show(places[1:], "json" if json or format == "json" else "table")
        return
    folders = [*map(Path, places), *(records or [])]
    finder = Finder.of(folders, committed=not folders, cache=not folders)
    for line in finder.skipped:
        print(f"skipped: {line}", file=sys.stderr)
    wanted = ((model, "model"), (protocol, "protocol"))
    found = [
        entry
        for entry in finder.entries
        if all(not names or _named(getattr(entry, field), names) for names, field in wanted)
        and similarity in (None, similarity_kind(entry.similarity))
        and data in (None, entry.data.kind)
    ]
    _require_known(finder.entries, model, "model")
    _require_known(finder.entries, protocol, "protocol")
    found = _sorted(found, sort)
    if json or format == "json":
        sys.stdout.write(json_text(list(map(_line, found)), 2))
    elif format == "csv":
        from facebench.tables.csv import to_csv

        sys.stdout.write(to_csv(list(map(_line, found)), ["model"]))
    else:
        _list(found)


def record_named(name: str) -> Path:
    """The file of a record that is named by its path or by the letters that end its name.

    UserError: there is none, or several.
    """
    from facebench.records.find import Finder, is_file

    if is_file(name):
        return Path(name)
    entries = Finder.of().entries
    found = [entry.path for entry in entries if _id(entry).startswith(name)] if name else []
    if len(found) == 1:
        return found[0]
    if found:
        raise UserError(f"{len(found)} records are called {name}…; give more of its letters")
    raise UserError(f"{name!r}: no file, and no record has this id; `facebench results` lists them")


def _named(text: str, names: Sequence[str]) -> bool:
    return any(fnmatchcase(text, name) for name in names)


def _require_known(entries: Sequence[Entry], names: Sequence[str] | None, field: str) -> None:
    known = sorted({getattr(entry, field) for entry in entries})
    for name in names or []:
        if not any(fnmatchcase(one, name) for one in known):
            raise UserError(f"--{field} {name!r}: no record is of it{nearest(name, known)}")


def _sorted(entries: list[Entry], by: str) -> list[Entry]:
    field = by.removeprefix("-")
    if field not in _SORTS:
        raise UserError(f"--sort {by!r}: is none of {', '.join(_SORTS)}{nearest(field, _SORTS)}")

    def key(entry: Entry) -> tuple[object, ...]:
        first = entry.headline.value if field == "value" else getattr(entry, field)
        return first, entry.protocol, entry.data.kind, entry.model, entry.created

    return sorted(entries, key=key, reverse=by.startswith("-"))


def _id(entry: Entry) -> str:
    return entry.path.stem.rpartition("-")[2][:_ID]


def _line(entry: Entry) -> dict[str, Any]:
    """A record as a line of JSON or CSV: shares from 0 to 1."""
    found = entry.headline
    return {
        "id": _id(entry),
        "model": entry.model,
        "protocol": entry.protocol,
        "data_kind": entry.data.kind,
        "data": entry.data.faces,
        "similarity": entry.similarity,
        "template": entry.template,
        "statistic": found.statistic,
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "created": entry.created,
        "path": str(entry.path),
    }


def _list(entries: Sequence[Entry]) -> None:
    """The records, within 80 columns where their names are of usual length."""
    from facebench.records.record import similarity_kind
    from facebench.tables.table import Column, list_of

    short = {"cosine": "cos", "joint-bayesian": "JB"}
    rows = [
        (
            _id(entry),
            entry.model,
            entry.protocol + ("°" if entry.data.kind == "synthetic" else ""),
            short.get(kind := similarity_kind(entry.similarity), kind[:4]),
            _value(entry),
            entry.created[:10],
        )
        for entry in entries
    ]
    notes = [
        f"{len(rows)} records; %: the protocol's headline with its 95% interval; "
        "`facebench results show ID` opens one"
    ]
    if any(entry.data.kind == "synthetic" for entry in entries):
        notes.append(f"°: {SYNTHETIC_LABEL}")
    headings = ("id", "model", "protocol", "sim", Column("%"), "made")
    show_table(list_of(headings, rows, notes=notes), "bare")


def _value(entry: Entry) -> str:
    found = entry.headline
    ends = (
        ""
        if found.low is None or found.high is None
        else (f" [{percent(found.low)}, {percent(found.high)}]")
    )
    return percent(found.value) + ends


def _show(names: Sequence[str], format: Literal["table", "json"]) -> None:
    """What one record says: every statistic, and what it hangs on."""
    from facebench.records.files import read_record
    from facebench.records.frames import named_estimates, shown_interval
    from facebench.tables.table import facts_of

    if len(names) != 1:
        raise UserError("results show: name one record, by its file or its id")
    path = record_named(names[0])
    record = read_record(path)
    if format == "json":
        sys.stdout.write(record.canonical_json().decode())
        return
    facts: list[tuple[str, object]] = []
    for name, estimate in named_estimates(record.statistics).items():
        ends = shown_interval(estimate)
        told = "" if ends is None else f" [{percent(ends.low)}, {percent(ends.high)}] %"
        facts.append((name, f"{percent(estimate.value)}{told or ' %'}"))
    facts += [("note", note) for note in record.notes]
    facts += [
        ("comparisons", f"{record.comparisons.total:,}"),
        ("data", f"{record.data.name} ({record.data.kind})"),
        ("made", record.run.created[:19]),
        ("digest", record.digest()),
        ("signature", record.signature),
        ("file", str(path)),
        ("verify", f"facebench verify {path}"),
    ]
    show_table(facts_of(facts, f"{record.model.id} on {record.protocol.title}"), "facts")
