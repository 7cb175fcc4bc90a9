"""``facebench prune``: one more sparse layer, or a whole plan of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from facebench.cli.interrupts import importing
from facebench.cli.laboratory import RECIPE_HELP, Lab, Teacher
from facebench.cli.laboratory_options import (
    HOW_PANEL,
    RESULT_PANEL,
    DataOption,
    DeviceOption,
    IdentitiesOption,
    ImagesOption,
    OverwriteOption,
    PrecisionOption,
    ProtocolDataOption,
    ProtocolOption,
    QuietOption,
    StepsOption,
    TeacherFlipOption,
    TeacherNormaliseOption,
    TeacherOption,
    TeacherSizeOption,
    ThreadsOption,
    WorkOption,
)
from facebench.errors import UserError

_WHAT = "What is made sparse"


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
    data: DataOption = None,
    teacher: TeacherOption = None,
    teacher_size: TeacherSizeOption = "112x112",
    teacher_normalise: TeacherNormaliseOption = "imagenet",
    teacher_flip: TeacherFlipOption = "normalised-add",
    identities: IdentitiesOption = 1200,
    images: ImagesOption = 14,
    recipe: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=HOW_PANEL, help=f"{RECIPE_HELP} Default: the plan's, or paper."
        ),
    ] = None,
    steps: StepsOption = None,
    seed: Annotated[
        int | None, typer.Option(min=0, rich_help_panel=HOW_PANEL, help="Of everything.")
    ] = None,
    device: DeviceOption = "cpu",
    precision: PrecisionOption = None,
    threads: ThreadsOption = None,
    work: WorkOption = None,
    protocol: ProtocolOption = None,
    protocol_data: ProtocolDataOption = None,
    licence: Annotated[
        str, typer.Option(rich_help_panel=RESULT_PANEL, help="Of the weights, for the cards.")
    ] = "",
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,
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
