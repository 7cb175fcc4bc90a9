"""``facebench train``: learn the weights of a dense network of the zoo's kind."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facebench.cli.interrupts import importing
from facebench.cli.laboratory import DATA_HELP, RECIPE_HELP, WORK_HELP, Lab, Teacher
from facebench.errors import UserError

_WHAT, _DATA, _HOW, _RESULT = ("What is trained", "Data", "How", "Result")


def command(
    card: Annotated[str, typer.Argument(help="A card of a ConvNet, or the name of a new one.")],
    width: Annotated[
        float | None,
        typer.Option(rich_help_panel=_WHAT, help="Of all layers; default: the card's, or 0.5."),
    ] = None,
    data: Annotated[
        list[str] | None, typer.Option("--data", rich_help_panel=_DATA, help=DATA_HELP)
    ] = None,
    teacher: Annotated[
        Path | None,
        typer.Option(rich_help_panel=_DATA, help="An ONNX network whose embedding is imitated."),
    ] = None,
    teacher_size: Annotated[
        str, typer.Option(rich_help_panel=_DATA, help="Height x width of its faces.")
    ] = "112x112",
    teacher_normalise: Annotated[
        str, typer.Option(rich_help_panel=_DATA, help="imagenet, half or arcface.")
    ] = "imagenet",
    teacher_flip: Annotated[
        str, typer.Option(rich_help_panel=_DATA, help="What is done with the mirrored face.")
    ] = "normalised-add",
    identities: Annotated[
        int, typer.Option(rich_help_panel=_DATA, help="Of the synthetic set.")
    ] = 1200,
    images: Annotated[
        int, typer.Option(rich_help_panel=_DATA, help="Of each synthetic identity.")
    ] = 14,
    recipe: Annotated[str, typer.Option(rich_help_panel=_HOW, help=RECIPE_HELP)] = "paper",
    steps: Annotated[
        int | None,
        typer.Option(min=1, rich_help_panel=_HOW, help="Mini-batches; default: the recipe's."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, rich_help_panel=_HOW, help="Of everything.")] = 0,
    device: Annotated[str, typer.Option(rich_help_panel=_HOW, help="cpu or cuda.")] = "cpu",
    precision: Annotated[
        str | None, typer.Option(rich_help_panel=_HOW, help="float32 or bfloat16.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, rich_help_panel=_HOW)] = None,
    work: Annotated[Path | None, typer.Option(rich_help_panel=_RESULT, help=WORK_HELP)] = None,
    protocol: Annotated[
        list[str] | None,
        typer.Option("--protocol", "-p", rich_help_panel=_RESULT, help="Evaluate on it at last."),
    ] = None,
    protocol_data: Annotated[
        str | None, typer.Option(rich_help_panel=_RESULT, help="--data of the evaluation.")
    ] = None,
    licence: Annotated[
        str, typer.Option(rich_help_panel=_RESULT, help="Of the weights, for the card.")
    ] = "",
    plot: Annotated[
        Path | None, typer.Option(rich_help_panel=_RESULT, help="Losses: .png, .svg or .pdf.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", rich_help_panel=_RESULT, help="Weights that exist.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", rich_help_panel=_RESULT, help="No progress.")
    ] = False,
) -> None:
    """Train a dense network; card and weights go to ./models, and the same command continues.

    Example: facebench train mini --width 0.125 --data synthetic --recipe short --steps 500
    """
    with importing():
        from facebench.cli.laboratory import carry_out
        from facebench.pruning.plan import Plan
        from facebench.training.plots import FORMATS, plot_log
        from facebench.validation import validated

    if plot is not None and plot.suffix not in FORMATS:
        raise UserError(f"--plot {plot}: pictures are {', '.join(FORMATS)}")
    name, own_width = _named(card)
    folder = work or Path("training")
    values = {
        "width": width or own_width or 0.5,
        "recipe": recipe,
        "seed": seed,
        "licence": licence,
        "protocols": tuple(protocol or ()),
        "baseline": {"model": name, "steps": steps},
    }
    lab = Lab(
        tuple(data or ()),
        Teacher(teacher, teacher_size, teacher_normalise, teacher_flip),
        folder, device, precision, identities, images, protocol_data, overwrite, quiet, threads,
    )  # fmt: skip
    carry_out(validated(Plan, values, f"train {card}"), lab)
    if plot is not None:
        plot_log(folder / name / "log.csv", plot)
    typer.echo(f"models/{name}.toml")


def _named(card: str) -> tuple[str, float | None]:
    """Name and width of the network: of a card that exists, or a new name without a width."""
    from facebench.nets.cards import card_names, find_card, read_card

    path = Path(card)
    if path.suffix != ".toml" and card not in card_names():
        return card, None
    found = read_card(path) if path.suffix == ".toml" else find_card(card)
    if found.architecture != "convnet":
        raise UserError(f"{card}: {found.architecture} is not trained here, only a convnet")
    if found.sparsity:
        raise UserError(f"{card} is sparse: train its parent, then `facebench prune` it")
    return found.name, found.width
