"""``facebench compare``: models against a base, paired on the same comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from facebench.base.errors import UserError
from facebench.base.options import percent_level
from facebench.base.text import places
from facebench.cli.errors import importing
from facebench.cli.options import (
    NamedSimilarity,
    faces_option,
    list_option,
    named_protocol_option,
    plot_width_option,
    records_option,
    similarity_option,
)
from facebench.cli.output import (
    ColumnsOption,
    DigitsOption,
    OutputOption,
    RowsOption,
    choice_of,
    draw_into,
    require_outputs,
    table_text,
    write,
)

if TYPE_CHECKING:
    from facebench.comparison.compare import Comparison
    from facebench.comparison.methods import MethodComparison
    from facebench.tables.table import Choice

CompareFormat = Literal["table", "md", "html", "json", "csv", "latex"]
_WHAT, _HOW, _RESULT = "What is compared", "How", "Result"


def command(
    base: Annotated[
        str, typer.Argument(help="A record's file, or a model that was evaluated: the reference.")
    ],
    candidates: Annotated[list[str], typer.Argument(help="Files or models, of the same data.")],
    protocol: Annotated[str | None, named_protocol_option(_WHAT)] = None,
    similarity: Annotated[NamedSimilarity | None, similarity_option(_WHAT)] = None,
    records: Annotated[list[Path] | None, records_option(_WHAT)] = None,
    by: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=_HOW,
            help="method: methods of several seeds, by names like NAME_s1; or another pattern, "
            "{method}_run{seed}.",
        ),
    ] = None,
    level: Annotated[
        float, typer.Option(rich_help_panel=_HOW, help="Of the intervals, in percent.")
    ] = 95.0,
    show_flips: Annotated[
        int | None,
        typer.Option(rich_help_panel=_RESULT, help="How many pairs that changed to draw."),
    ] = None,
    flips_out: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=_RESULT, help="Where: .png, .svg or .pdf; default: flips.png."
        ),
    ] = None,
    data: Annotated[str | None, faces_option(_RESULT, "what changed")] = None,
    pairs: Annotated[Path | None, list_option(_RESULT)] = None,
    plot: Annotated[
        Path | None,
        typer.Option(rich_help_panel=_RESULT, help="Draw the differences: .png, .svg, .pdf."),
    ] = None,
    plot_width: Annotated[str | None, plot_width_option(_RESULT)] = None,
    format: Annotated[CompareFormat, typer.Option(rich_help_panel=_RESULT)] = "table",
    output: OutputOption = None,
    columns: ColumnsOption = None,
    rows: RowsOption = None,
    digits: DigitsOption = None,
) -> None:
    """Compare models on the same comparisons: effect, interval, p-value, and what changed.

    Example: facebench compare baseline sparse_076 sparse_074 --protocol lfw
    """
    drawn = (flips_out or Path("flips.png")) if show_flips is not None else None
    if flips_out is not None and drawn is None:
        raise UserError("--flips-out is of --show-flips; add how many pairs to draw")
    if pairs is not None and drawn is None and data is None:
        raise UserError("--pairs is the list of --data; name the faces' folder, too")
    require_outputs({"--flips-out": drawn, "--plot": plot, "--output": output})
    with importing():
        from facebench.comparison.compare import compare
        from facebench.figures.files import plot_format
        from facebench.figures.files import plot_width as inches_of
        from facebench.records.find import named_in
    share = percent_level("--level", level)
    choice = choice_of(format, columns, rows, digits)
    inches = inches_of(plot_width)
    if plot is not None:
        plot_format(plot)
    elif plot_width is not None:
        raise UserError("--plot-width is of a plot; add --plot FILE")
    if by is not None:
        if plot is not None:
            raise UserError("--plot draws models, not methods; leave out --by")
        if show_flips is not None or data is not None:
            raise UserError(
                "--by compares methods, of which no single pair changes; leave out "
                f"{'--show-flips' if show_flips is not None else '--data'}"
            )
        from facebench.comparison.methods import compare_methods

        methods = compare_methods(
            [base, *candidates],
            by,
            protocol=protocol,
            similarity=similarity,
            found_in=records or [],
            level=share,
        )
        with places(digits):
            text = _of_methods(methods, format, file=output is not None, choice=choice)
        write(text, output)
        return
    if show_flips is not None and drawn is not None:
        from facebench.figures.flips import require_flips

        require_flips(drawn, show_flips)
        if len(candidates) > 1:
            raise UserError("--show-flips draws one candidate; name one at a time")
    first, *others = named_in(records or [], [base, *candidates], protocol, similarity)
    if show_flips is not None or data is not None:
        from facebench.figures.faces import require_faces

        require_faces(first, data)
    compared = list(compare(first, others, level=share))
    failed = None
    if show_flips is not None or data is not None:
        from facebench.figures.faces import pair_faces

        faces = pair_faces(first, data, pairs)
        keys = tuple(zip(faces.left, faces.right, strict=True))
        compared = [replace(comparison, keys=keys) for comparison in compared]
        if show_flips is not None and drawn is not None:
            from facebench.figures.flips import flips_of, save_flips

            one, number = compared[0], show_flips
            failed = draw_into(
                drawn,
                lambda path: save_flips(one, flips_of(one, faces, number), faces, path),
                "--flips-out",
                "flips",
            )
    with places(digits):
        text = render(compared, format, file=output is not None, choice=choice)
    write(text, output)
    if plot is not None:
        from facebench.figures.forest import save_comparison_plot

        undrawn = draw_into(plot, lambda path: save_comparison_plot(compared, path, inches))
        failed = undrawn or failed
    if failed is not None:
        raise UserError(failed)


def render(
    compared: list[Comparison],
    format: CompareFormat,
    *,
    file: bool = False,
    choice: Choice | None = None,
) -> str:
    """Comparisons in a format, as text; choice: of columns and rows."""
    from facebench.tables.paired.comparison import (
        comparison_tables,
        comparisons_csv,
        comparisons_json,
    )

    if format == "json":
        return comparisons_json(compared)
    if format == "csv":
        return comparisons_csv(compared)
    return table_text(comparison_tables(compared), format, "comparison", file=file, choice=choice)


def _of_methods(
    compared: Sequence[MethodComparison], format: CompareFormat, *, file: bool, choice: Choice
) -> str:
    from facebench.tables.paired.methods import method_table, methods_csv, methods_json

    if format == "json":
        return methods_json(compared)
    if format == "csv":
        return methods_csv(compared)
    return table_text(
        list(map(method_table, compared)), format, "methods", file=file, choice=choice
    )
