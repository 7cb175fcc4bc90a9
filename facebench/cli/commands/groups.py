"""``facebench groups``: error rates of groups of people, and who pays for a smaller model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from facebench.base.errors import UserError
from facebench.base.options import percent_level
from facebench.cli.errors import importing
from facebench.cli.options import (
    NamedSimilarity,
    faces_option,
    list_option,
    named_protocol_option,
    records_option,
    similarity_option,
)
from facebench.cli.output import OutputOption, draw_into, require_outputs, table_text, write

if TYPE_CHECKING:
    from facebench.comparison.groups.damage import GroupDamage
    from facebench.records.record import Record
    from facebench.tables.table import Table

GroupsFormat = Literal["table", "md", "html", "json", "csv"]
_OF, _HOW, _RESULT = "Of what", "How", "Result"


def command(
    models: Annotated[
        list[str],
        typer.Argument(
            help="Records' files, or models that were evaluated with --groups: one, or a base and "
            "candidates."
        ),
    ],
    by: Annotated[
        str | None,
        typer.Option(rich_help_panel=_OF, help="The column of groups, where there are several."),
    ] = None,
    far: Annotated[
        float | None,
        typer.Option(
            rich_help_panel=_OF,
            help="The FMR of the threshold, one of the protocol's; default: the smallest that "
            "groups can tell from none.",
        ),
    ] = None,
    protocol: Annotated[str | None, named_protocol_option(_OF)] = None,
    similarity: Annotated[NamedSimilarity | None, similarity_option(_OF)] = None,
    records: Annotated[list[Path] | None, records_option(_OF)] = None,
    level: Annotated[
        float, typer.Option(rich_help_panel=_HOW, help="Of intervals of changes, in percent.")
    ] = 95.0,
    draws: Annotated[
        int, typer.Option(rich_help_panel=_HOW, help="Of the test of unequal damage.")
    ] = 1000,
    data: Annotated[str | None, faces_option(_RESULT, "what changed")] = None,
    pairs: Annotated[Path | None, list_option(_RESULT)] = None,
    plot: Annotated[
        Path | None, typer.Option(rich_help_panel=_RESULT, help="Draw it: .png, .svg or .pdf.")
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=_RESULT, help="Draw the faces that changed: .png, .svg, .pdf."
        ),
    ] = None,
    format: Annotated[GroupsFormat, typer.Option(rich_help_panel=_RESULT)] = "table",
    output: OutputOption = None,
) -> None:
    """Error rates of groups at one threshold; of two models who pays, and whether it is unequal.

    Example: facebench groups baseline sparse_012 -p lfw --by skin
    """
    require_outputs({"--plot": plot, "--sheet": sheet, "--output": output})
    share = percent_level("--level", level)
    if data is None and pairs is not None:
        raise UserError("--pairs is the list of --data; name the faces' folder, too")
    if data is not None and len(models) == 1:
        raise UserError("--data names what changed between two models; name a second one")
    if sheet is not None and len(models) != 2:
        raise UserError("--sheet draws what changed between two models; name a base and one other")
    with importing():
        from facebench.figures.files import plot_format
        from facebench.records.find import named_in
    if plot is not None:
        plot_format(plot)
    if sheet is not None:
        plot_format(sheet, "--sheet")
    named = named_in(records or [], models, protocol, similarity, [by.lower()] if by else [])
    if len(named) == 1:
        text, failed = _of_one(named[0], by, far, format, plot, file=output is not None)
    else:
        from facebench.comparison.groups.damage import compare_groups

        found = list(compare_groups(named[0], named[1:], by, far=far, level=share, draws=draws))
        unsaved = None
        if data is not None or sheet is not None:
            found, unsaved = _with_faces(found, data, pairs, sheet)
        text, failed = _of_damage(found, format, plot, file=output is not None)
        failed = failed or unsaved
    write(text, output)
    if failed is not None:
        raise UserError(failed)


def _of_one(
    record: Record,
    by: str | None,
    far: float | None,
    format: GroupsFormat,
    plot: Path | None,
    *,
    file: bool,
) -> tuple[str, str | None]:
    """The tables of one record, and what of the plot could not be written."""
    from facebench.comparison.groups.damage import chosen_target
    from facebench.figures.groups.rates import save_group_plot
    from facebench.records.groups.made import require_column
    from facebench.tables.groups.rates import groups_csv, groups_json, tables_of

    section = require_column(record, by)
    target = chosen_target(section, far)
    failed = draw_into(plot, lambda path: save_group_plot([record], [section], target, path))
    if format == "json" or format == "csv":
        text = (groups_json if format == "json" else groups_csv)(record, section)
        return text, failed
    return _text(tables_of(record, section, target), format, file=file), failed


def _of_damage(
    found: Sequence[GroupDamage], format: GroupsFormat, plot: Path | None, *, file: bool
) -> tuple[str, str | None]:
    from facebench.figures.groups.damage import save_damage_plot
    from facebench.tables.groups.damage import damage_csv, damage_json, damage_table

    failed = draw_into(plot, lambda path: save_damage_plot(found, path))
    if format == "json" or format == "csv":
        return (damage_json if format == "json" else damage_csv)(found), failed
    return _text(list(map(damage_table, found)), format, file=file), failed


def _text(tables: Sequence[Table], format: Literal["table", "md", "html"], *, file: bool) -> str:
    return table_text(tables, format, "groups", file=file)


def _with_faces(
    found: Sequence[GroupDamage], data: str | None, pairs: Path | None, sheet: Path | None
) -> tuple[list[GroupDamage], str | None]:
    """What changed with its faces, drawn where asked for, and what could not be written."""
    from facebench.comparison.groups.damage import with_faces
    from facebench.figures.faces import pair_faces
    from facebench.figures.groups.flips import save_flipped_by_group

    named_by = "--data" if sheet is None else "--sheet"
    faces = pair_faces(found[0].base, data, pairs, sheet=named_by, cut=sheet is not None)
    keys = list(zip(faces.left, faces.right, strict=True))
    failed = draw_into(
        sheet, lambda path: save_flipped_by_group(found[0], faces, path), "--sheet", "sheet"
    )
    return [with_faces(one, keys) for one in found], failed
