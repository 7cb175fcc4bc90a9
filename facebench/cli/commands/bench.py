"""``facebench bench``: what models cost to run, side by side."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from facebench.base.options import ASIDE, Option
from facebench.base.vocabulary import MOST_THREADS
from facebench.cli.errors import importing
from facebench.cli.lab import KINDS
from facebench.cli.options import QuietOption, WeightsOption, takes
from facebench.cli.output import kept_in, require_output, table_text, write
from facebench.models.embedders.options import ModelOptions

if TYPE_CHECKING:
    from facebench.costs.bench import Bench

BenchFormat = Literal["table", "md", "html", "csv", "json"]
_HOW, _RESULT = "How", "Result"


@takes(
    (ASIDE, _HOW, _RESULT),
    {"size": Option(_HOW, "Faces of models without a card."), "untrusted": None},
    options=ModelOptions,
)
def command(
    models: Annotated[
        list[str],
        typer.Argument(metavar="MODEL...", help=f"Names, cards or model files. {KINDS}"),
    ],
    baseline: Annotated[
        str | None, typer.Option(help="What the others are divided by; default: the first.")
    ] = None,
    weights: WeightsOption = None,
    runtime: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=_HOW,
            help="eager, compile, onnxruntime, openvino, comma-separated. Default: each model's "
            "own, eager or, for ONNX files, onnxruntime.",
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_THREADS, rich_help_panel=_HOW, help="Default: one per core."),
    ] = None,
    precision: Annotated[
        Literal["float32", "bfloat16"], typer.Option(rich_help_panel=_HOW)
    ] = "float32",
    batch: Annotated[
        int, typer.Option(min=1, rich_help_panel=_HOW, help="Faces at once, for throughput.")
    ] = 32,
    seconds: Annotated[
        float,
        typer.Option(min=0, rich_help_panel=_HOW, help="Per model and runtime, all rounds."),
    ] = 10.0,
    rounds: Annotated[int, typer.Option(min=1, rich_help_panel=_HOW)] = 5,
    format: Annotated[BenchFormat, typer.Option(rich_help_panel=_RESULT)] = "table",
    output: Annotated[
        Path | None,
        typer.Option("--out", "--output", "-o", rich_help_panel=_RESULT, help="Write it here."),
    ] = None,
    costs: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=_RESULT,
            help="Folder of the cost records. Default: reports/results/costs where there is a "
            "folder reports, else the cache.",
        ),
    ] = None,
    quiet: QuietOption = False,
    *,
    options: ModelOptions,
) -> None:
    """Measure parameters, bytes, multiply-adds, memory, latency and throughput, as ratios.

    Example: facebench bench baseline sparse_074 --runtime eager,onnxruntime
    """
    require_output(output)
    with importing():
        from facebench.base.progress import stages
        from facebench.costs.bench import bench
        from facebench.faces.synthetic.pool import usable_cores
        from facebench.records.costs import default_costs_folder, save_costs
    folder = kept_in(costs, "--costs", default_costs_folder)
    names = [name.strip() for name in runtime.split(",")] if runtime else []
    with stages(not quiet) as stage:
        result = bench(
            models,
            baseline,
            weights=weights,
            stage=stage,
            runtimes=tuple(names) or None,
            threads=threads or usable_cores(),
            precision=precision,
            batch=batch,
            seconds=seconds,
            rounds=rounds,
            size=options.size,
            untrusted=options.untrusted,
        )
    write(render(result, format, file=output is not None), output)
    if folder is None:
        return
    for record in result.records:
        save_costs(record, folder)
    if not quiet:
        print(f"cost records: {folder}", file=sys.stderr)


def render(result: Bench, format: BenchFormat, *, file: bool = False) -> str:
    """Costs in a format, as text."""
    from facebench.costs.table import bench_csv, bench_json, bench_table

    if format == "json":
        return bench_json(result)
    if format == "csv":
        return bench_csv(result)
    return table_text([bench_table(result)], format, "costs", file=file)
