"""The options that ``facebench train`` and ``facebench prune`` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facebench.cli.lab import DATA_HELP, WORK_HELP

KINDS = (
    "Weights with a card and ONNX files are data; .pt, .pt2 and package.module:factory are "
    "programs: run only what you trust."
)
UntrustedOption = Annotated[
    bool,
    typer.Option(
        "--untrusted",
        help="Take models that are data alone; refuse programs, without reading them.",
    ),
]


DATA_PANEL, HOW_PANEL, RESULT_PANEL = "Data", "How", "Result"

DataOption = Annotated[
    list[str] | None, typer.Option("--data", rich_help_panel=DATA_PANEL, help=DATA_HELP)
]
TeacherOption = Annotated[
    Path | None,
    typer.Option(
        rich_help_panel=DATA_PANEL, help=f"A network whose embedding is imitated. {KINDS}"
    ),
]
TeacherSizeOption = Annotated[
    str, typer.Option(rich_help_panel=DATA_PANEL, help="Height x width of its faces.")
]
TeacherNormaliseOption = Annotated[
    str, typer.Option(rich_help_panel=DATA_PANEL, help="imagenet, half or arcface.")
]
TeacherFlipOption = Annotated[
    str, typer.Option(rich_help_panel=DATA_PANEL, help="What is done with the mirrored face.")
]
IdentitiesOption = Annotated[
    int, typer.Option(rich_help_panel=DATA_PANEL, help="Of the synthetic set.")
]
ImagesOption = Annotated[
    int, typer.Option(rich_help_panel=DATA_PANEL, help="Of each synthetic identity.")
]
HoldOutOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        rich_help_panel=DATA_PANEL,
        help="Identities of every source to train on nothing of; named in "
        "models/weights/NAME.unseen.txt, e.g. for `facebench metric fit`. Default: the plan's, or "
        "at most 30.",
    ),
]
BankOption = Annotated[
    Path | None,
    typer.Option(
        rich_help_panel=DATA_PANEL,
        help="Folder of the bank that the recipe learns from; written where it is not there yet. "
        "Default: WORK/bank.",
    ),
]
ApartOption = Annotated[
    Path | None,
    typer.Option(
        "--apart-from",
        rich_help_panel=DATA_PANEL,
        help="A folder per identity, e.g. LFW's: people who look like any of it to the teacher "
        "(cosine above 0.4) are left out.",
    ),
]
ApartSourceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--apart-source",
        rich_help_panel=DATA_PANEL,
        help="Source of an index, of whose people alone these are; may be repeated.",
    ),
]
StepsOption = Annotated[
    int | None,
    typer.Option(min=1, rich_help_panel=HOW_PANEL, help="Mini-batches; default: the recipe's."),
]
DeviceOption = Annotated[str, typer.Option(rich_help_panel=HOW_PANEL, help="cpu or cuda.")]
PrecisionOption = Annotated[
    str | None,
    typer.Option(rich_help_panel=HOW_PANEL, help="float32, bfloat16, or auto: the faster of both."),
]
ThreadsOption = Annotated[int | None, typer.Option(min=1, rich_help_panel=HOW_PANEL)]
WorkOption = Annotated[Path | None, typer.Option(rich_help_panel=RESULT_PANEL, help=WORK_HELP)]
ProtocolOption = Annotated[
    list[str] | None,
    typer.Option("--protocol", "-p", rich_help_panel=RESULT_PANEL, help="Evaluate on it at last."),
]
ProtocolDataOption = Annotated[
    str | None, typer.Option(rich_help_panel=RESULT_PANEL, help="--data of the evaluation.")
]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", rich_help_panel=RESULT_PANEL, help="Weights that exist.")
]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", rich_help_panel=RESULT_PANEL, help="No progress.")
]
