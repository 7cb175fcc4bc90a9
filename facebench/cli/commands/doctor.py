"""``facebench doctor``: what is wrong with a network's input or output."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facebench.base.options import ASIDE, FACES, HOW, INPUT, MACHINE
from facebench.cli.errors import importing
from facebench.cli.lab import KINDS
from facebench.cli.options import QuietOption, takes
from facebench.cli.output import require_output, show_table, write
from facebench.models.embedders.options import ModelOptions
from facebench.protocols.settings import Settings

if TYPE_CHECKING:
    from facebench.models.doctor.diagnose import Diagnosis
    from facebench.tables.table import Table

_RESULT = "Result"
_MISTAKE, _CANNOT_TELL = 1, 3


@takes(
    (ASIDE, FACES, INPUT, HOW, MACHINE, _RESULT),
    {
        "pairs": None,
        "landmarks": None,
        "align": None,
        "detector": None,
        "size": None,
        "colour": None,
        "mean": None,
        "scale": None,
        "normalise": None,
        "layout": None,
        "output": None,
        "flip": None,
        "threads": None,
        "device": None,
        "untrusted": None,
    },
    options=ModelOptions,
    settings=Settings,
)
def command(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A name of the zoo, a card.toml, an .onnx, .pt or .pt2 file, or "
            f"package.module:factory. {KINDS}",
        ),
    ],
    data: Annotated[
        str,
        typer.Option(
            rich_help_panel=FACES.title,
            help="A folder of faces with their list of pairs, as of `eval -p lfw`, the list "
            "itself, a .bin file, or `synthetic`.",
        ),
    ],
    preset: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=INPUT.title,
            help="A public family, which says what is not said here: arcface, adaface, facenet, "
            "sface, edgeface, halmstad.",
        ),
    ] = None,
    budget: Annotated[
        float,
        typer.Option(min=1, rich_help_panel=HOW.title, help="Seconds, by the clock on the wall."),
    ] = 480.0,
    card: Annotated[
        Path | None,
        typer.Option(rich_help_panel=_RESULT, help="Write the card here, too."),
    ] = None,
    quiet: QuietOption = False,
    *,
    options: ModelOptions,
    settings: Settings,
) -> None:
    """Find mistakes in how faces are prepared for a network, and in what it gives.

    Example: facebench doctor sparse_074 --data ~/lfw
    """
    require_output(card, "--card")
    with importing():
        from facebench.base.progress import stages
        from facebench.base.threads import torch_threads
        from facebench.models.doctor.diagnose import card_of, diagnose
        from facebench.similarity import Cosine
    with stages(not quiet) as stage, torch_threads(settings.threads):
        found = diagnose(
            model,
            data,
            Cosine().pairs,
            options=options,
            family=preset,
            align=settings.align,
            pairs=settings.pairs,
            landmarks=settings.landmarks,
            detector=settings.detector,
            budget=budget,
            step=stage("trying preparations", 60),
        )
    text = card_of(model, found)
    _show(found, text)
    if card is not None:
        write(text, card)
    if found.mistakes:
        raise typer.Exit(_MISTAKE)
    if found.cannot_tell or found.cut:
        raise typer.Exit(_CANNOT_TELL)


def _show(found: Diagnosis, card: str) -> None:
    for line in found.guessed:
        print(f"guessed  {line}")
    for line in found.facts:
        print(f"seen     {line}")
    for mistake in found.mistakes:
        print(f"WRONG    {mistake}")
    if found.cannot_tell:
        print(f"UNKNOWN  cannot tell: {found.cannot_tell}")
    elif not found.mistakes and not found.cut:
        print("ok       nothing wrong was found")
    if found.cut:
        print(f"CUT      cut by the budget: {found.cut}; --budget gives more")
    if found.shown:
        print()
        show_table(_table(found), "ruled")
    if found.best != found.given:
        print(f"\nevaluate it with --align {found.best.alignment}, and this card:\n")
        print(card, end="")


def _table(found: Diagnosis) -> Table:
    from facebench.models.doctor.trial import AXES
    from facebench.tables.table import Column, list_of

    given = found.shown[0]
    rows = []
    for one in found.shown:
        name = "given" if one is given else "best" if one.trial == found.best else "highest"
        axes = [
            axis
            for axis in AXES
            if name == "given" or one.trial.value(axis) != given.trial.value(axis)
        ]
        words = ", ".join(
            one.trial.words(axis) for axis in axes if one.trial.value(axis) is not None
        )
        told = ""
        if one.difference is not None:
            ends = one.difference.interval
            told = f"{one.difference.estimate:+.2f} [{ends.low:+.2f}, {ends.high:+.2f}]"
            told += "" if one.told else ", not told apart"
        accuracy = "–" if one.accuracy is None else f"{one.accuracy:.2%}"
        rows.append((name, words, accuracy, f"{one.auc:.4f}", f"{one.separation:.2f}", told))
    heads = ("", "preparation", Column("accuracy"), Column("AUC"), Column("d′"), "difference of d′")
    return list_of(heads, rows)
