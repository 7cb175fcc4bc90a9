"""What a report lacks: the commands that make it, and what no command can make yet."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from facebench.reports.cells import FilledCard, Missing
from facebench.similarity.templates import PLAIN
from facebench.tables.markdown import plain

_How = tuple[str, str | None, str, str | None]  # similarity, pooling, template, data


@dataclass(frozen=True)
class Order:
    """Models to be evaluated on protocols, with settings that they share. data: ``synthetic``, a
    folder, or None: what is installed.
    """

    models: tuple[str, ...]
    protocols: tuple[str, ...]
    similarity: str
    pooling: str | None
    template: str
    data: str | None

    @property
    def command(self) -> str:
        """The `facebench eval` that makes the records."""
        words = ["facebench", "eval"]
        for model in self.models:
            words += ["--model", model]
        for protocol in self.protocols:
            words += ["--protocol", protocol]
        if self.similarity != "cosine":
            words += ["--similarity", self.similarity]
        if self.pooling is not None:
            words += ["--pooling", self.pooling]
        if self.template != PLAIN:
            words += ["--template", self.template]
        if self.data is not None:
            words += ["--data", self.data]
        return shlex.join(words)


def orders_of(filled: Iterable[FilledCard], data: str | None = None) -> list[Order]:
    """The evaluations that would fill the cells of models that can be evaluated now, grouped.

    data: for tables of real faces or of none yet; those of synthetic faces say it themselves.
    """
    protocols: dict[tuple[str, _How], list[str]] = {}
    for card in filled:
        where = "synthetic" if card.kind == "synthetic" else data
        for gap in _ready(card.missing):
            row = gap.row
            kind: str = gap.column.similarity or row.similarity
            how = (kind, row.pooling, row.template, where)
            named = protocols.setdefault((row.model or "", how), [])
            if gap.column.protocol and gap.column.protocol not in named:
                named.append(gap.column.protocol)
    # Models with the same protocols and settings are one command.
    models: dict[tuple[tuple[str, ...], _How], list[str]] = {}
    for (model, how), named in protocols.items():
        models.setdefault((tuple(named), how), []).append(model)
    return [Order(tuple(names), named, *how) for (named, how), names in models.items()]


def on_photographs(filled: FilledCard, data: str | None) -> str:
    """What the commands of a table of photographs need beside the models, or nothing."""
    if filled.kind != "real" or data is not None or not _ready(filled.missing):
        return ""
    return (
        "on photographs that are installed (`facebench data list`), or with --data FOLDER; without "
        "both, the commands take synthetic faces, which make a table of their own"
    )


def not_yet(filled: Iterable[FilledCard]) -> list[str]:
    """What no evaluation can fill: models that are not trained, diagnostics that are not there."""
    lines: dict[str, list[str]] = {}
    for card in filled:
        for gap in card.missing:
            if not gap.ready:
                lines.setdefault(gap.why, [])
                if gap.row.label not in lines[gap.why]:
                    lines[gap.why].append(gap.row.label)
    return [f"{', '.join(labels)}: {why}" for why, labels in lines.items()]


def missing_markdown(filled: Sequence[FilledCard], data: str | None, where: str = "") -> list[str]:
    """Lines of Markdown: the commands, where they need photographs, and what none makes."""
    orders, others = orders_of(filled, data), not_yet(filled)
    lines = []
    if orders:
        lines += ["", "Missing, and made by:", "", "```sh", *(o.command for o in orders), "```"]
        lines += ["", plain(where)] if where else []
    if others:
        lines += ["", "Missing for now:", "", *(f"- {plain(line)}" for line in others)]
    return lines


def _ready(missing: Sequence[Missing]) -> list[Missing]:
    return [gap for gap in missing if gap.ready]
