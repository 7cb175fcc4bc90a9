"""``facebench prune``: one more sparse layer, or a whole plan of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from facebench.cli.interrupts import importing
from facebench.cli.laboratory import DATA_HELP, RECIPE_HELP, WORK_HELP, Lab, Teacher
from facebench.errors import UserError

_WHAT, _DATA, _HOW, _RESULT = ("What is made sparse", "Data", "How", "Result")


def command(
    what: Annotated[
        str, typer.Argument(metavar="CARD|PLAN.toml", help="A trained model, or a plan.")
    ],
    layer: Annotated[
        str | None, typer.Option(rich_help_panel=_WHAT, help="f, 5b, 5a, 4b … as in the paper.")
    ] = None,
    keep: Annotated[
        str | None, typer.Option(rich_help_panel=_WHAT, help="Share of its weights kept: 1/128")
    ] = None,
    criterion: Annotated[
        str,
        typer.Option(
            rich_help_panel=_WHAT,
            help="correlation, random, highest, magnitude, obd, brp; scratch: the model's own "
            "masks with random weights.",
        ),
    ] = "correlation",
    name: Annotated[
        str | None, typer.Option(rich_help_panel=_WHAT, help="Of the new model.")
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
    recipe: Annotated[
        str | None,
        typer.Option(rich_help_panel=_HOW, help=f"{RECIPE_HELP} Default: the plan's, or paper."),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(min=1, rich_help_panel=_HOW, help="Mini-batches; default: the recipe's."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, rich_help_panel=_HOW, help="Of everything.")
    ] = None,
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
        str, typer.Option(rich_help_panel=_RESULT, help="Of the weights, for the cards.")
    ] = "",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", rich_help_panel=_RESULT, help="Weights that exist.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", rich_help_panel=_RESULT, help="No progress.")
    ] = False,
) -> None:
    """Select connections, retrain, and write card and weights to ./models; again continues.

    Example: facebench prune baseline --layer f --keep 1/256 --data ~/crops:3 --data synthetic:1
    """
    with importing():
        from facebench.cli.laboratory import carry_out
        from facebench.pruning.plan import Plan
        from facebench.validation import read_toml, validated

    path = Path(what)
    written = read_toml(path) if path.suffix == ".toml" else {}
    if "baseline" in written:
        if layer or keep or name or steps:
            raise UserError(f"{what} is a plan: leave out --layer, --keep, --name and --steps")
        values = written
    else:
        values = _one_step(what, layer, keep, criterion, name, steps)
    chosen = {"recipe": recipe, "seed": seed, "licence": licence or None, "protocols": protocol}
    values = {**values, **{key: value for key, value in chosen.items() if value is not None}}
    lab = Lab(
        tuple(data or ()),
        Teacher(teacher, teacher_size, teacher_normalise, teacher_flip),
        work or Path("training"), device, precision, identities, images, protocol_data, overwrite,
        quiet, threads,
    )  # fmt: skip
    for made in carry_out(validated(Plan, values, what), lab):
        typer.echo(f"models/{made}.toml" if made != values["baseline"].get("from") else made)


def _one_step(
    spec: str,
    layer: str | None,
    keep: str | None,
    criterion: str,
    name: str | None,
    steps: int | None,
) -> dict[str, Any]:
    """The plan of one step out of a trained model."""
    from facebench.nets.specs import card_for
    from facebench.pruning.criteria import SCRATCH, check_criterion

    check_criterion(criterion)
    card = card_for(spec)
    if card.architecture != "convnet" or card.width is None:
        raise UserError(f"{spec}: {card.architecture} cannot be pruned here, only a convnet")
    step: dict[str, Any] = {"criterion": criterion, "steps": steps}
    if criterion == SCRATCH:
        if layer or keep:
            raise UserError("--criterion scratch takes the model's masks: no --layer, --keep")
        step |= {"masks_of": card.name, "model": name or f"{card.name}_scratch"}
    elif layer is None or keep is None:
        raise UserError("say what to keep with --layer and --keep, such as --layer 5b --keep 1/128")
    else:
        ending = "" if criterion == "correlation" else f"_{criterion}"
        made = f"{card.name}_{keep.replace('/', '-')}-{layer}{ending}"
        step |= {"model": name or made, "layer": layer, "keep": keep}
    return {
        "width": card.width,
        "recipe": "paper",
        "baseline": {"model": card.name, "from": spec},
        "step": [step],
    }
