"""``facebench prune``: one more sparse layer, a plan of them, or filters of all layers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from facebench.base.errors import UserError
from facebench.base.options import ASIDE, Option, options_of
from facebench.cli.errors import importing
from facebench.cli.lab import (
    DATA,
    RESULT,
    RESULT_AFTER,
    SEED,
    TRAINING,
    TRAINING_ON,
    Lab,
    recipe_option,
)
from facebench.cli.options import takes

_WHAT, _FILTERS = "What is made sparse", "Filters"
_SAID: dict[str, Option | None] = {field.name: None for field in options_of(Lab)}
_SAID["licence"] = Option(RESULT, "Of the weights, for the cards.")


@takes((ASIDE, _WHAT, _FILTERS, DATA, TRAINING, TRAINING_ON, RESULT, RESULT_AFTER), _SAID, lab=Lab)
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
        str | None,
        typer.Option(
            rich_help_panel=_WHAT,
            help="correlation (the default), random, highest, magnitude, obd, brp; scratch: the "
            "model's own masks with random weights. Of filters: taylor (the default), l1, random.",
        ),
    ] = None,
    structured: Annotated[
        bool,
        typer.Option(
            "--structured", rich_help_panel=_FILTERS, help="Remove whole filters of a compact net."
        ),
    ] = False,
    step: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=_FILTERS,
            help="Share of the original number of filters that goes at once; default: 1%.",
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(rich_help_panel=_FILTERS, help="Share removed in all: 60%.")
    ] = None,
    points: Annotated[
        list[str] | None,
        typer.Option(
            rich_help_panel=_FILTERS,
            help="Shares at which a card is written: 5%,10%,20%. Default: after every step.",
        ),
    ] = None,
    point_steps: Annotated[
        int,
        typer.Option(min=0, rich_help_panel=_FILTERS, help="More mini-batches before each point."),
    ] = 0,
    freeze_below: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=_WHAT,
            help="Layers below this one stay as they are; what they put out is stored once, so "
            "retraining takes a fraction of the time.",
        ),
    ] = None,
    views: Annotated[
        int | None,
        typer.Option(
            min=1, rich_help_panel=_WHAT, help="Augmentations of a face that are stored; default 4."
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(rich_help_panel=_WHAT, help="Of the new model.")
    ] = None,
    recipe: Annotated[str | None, recipe_option("the plan's, or paper; compact")] = None,
    seed: Annotated[int | None, SEED, TRAINING_ON] = None,
    *,
    lab: Lab,
) -> None:
    """Select connections, retrain, and write card and weights to ./models; again continues.

    Example: facebench prune baseline --layer f --keep 1/256 --data ~/crops:3 --data synthetic:1

    Example: facebench prune squeezenet1_1 --structured --points 10%,30%,60% --data ~/crops
    """
    with importing():
        from facebench.base.validation import read_toml, validated
        from facebench.cli.lab import carry_out
        from facebench.lab.connections.plan import ConnectionPlan

    if structured:
        if layer or keep or freeze_below or views:
            raise UserError(
                "--structured removes filters of all layers: no --layer, --keep, --freeze-below"
            )
        for made in _filters(
            what, lab, recipe, criterion=criterion, model=name, step=step, until=until,
            points=points, fine_tune=lab.steps, point_fine_tune=point_steps, seed=seed,
            protocols=lab.protocol, licence=lab.licence,
        ):  # fmt: skip
            typer.echo(f"models/{made}.toml")
        return
    if any(option is not None for option in (step, until, points)) or point_steps:
        raise UserError("--step, --until, --points and --point-steps belong to --structured")
    path = Path(what)
    written = read_toml(path) if path.suffix == ".toml" else {}
    if "baseline" in written:
        if layer or keep or name or lab.steps or freeze_below or views:
            raise UserError(
                f"{what} is a plan: leave out --layer, --keep, --name, --steps, --freeze-below and "
                "--views"
            )
        values = written
    else:
        values = _one_step(what, layer, keep, criterion or "correlation", name, lab.steps)
        values |= _frozen(freeze_below, views)
    chosen = {
        "recipe": recipe,
        "seed": seed,
        "licence": lab.licence or None,
        "protocols": lab.protocol or None,
    }
    values = {**values, **{key: value for key, value in chosen.items() if value is not None}}
    for made in carry_out(validated(ConnectionPlan, values, what), lab):
        typer.echo(f"models/{made}.toml" if made != values["baseline"].get("from") else made)


def _filters(
    spec: str,
    lab: Lab,
    recipe: str | None,
    *,
    criterion: str | None,
    model: str | None,
    step: str | None,
    until: str | None,
    points: list[str] | None,
    **given: Any,
) -> list[str]:
    """Carry out the removal of filters from a card; names of the models that were written."""
    from facebench.cli.lab import remove_filters
    from facebench.lab.filters.importance import check_criterion
    from facebench.lab.filters.plan import FilterPlan, parse_points, parse_share
    from facebench.lab.filters.schedule import check_start
    from facebench.models.cards.names import card_for

    card = card_for(spec)
    shares = {"step": step, "until": until}
    values: dict[str, Any] = {
        key: parse_share(text, f"--{key}") for key, text in shares.items() if text is not None
    }
    chosen = criterion or "taylor"
    check_criterion(chosen)
    plan = FilterPlan(
        start=spec, model=model or f"{card.name}_{chosen}", criterion=chosen,
        points=parse_points(points or []), **values,
        **{key: value for key, value in given.items() if value is not None},
    )  # fmt: skip
    check_start(card, spec)
    return remove_filters(plan, card, lab, recipe)


def _frozen(below: str | None, views: int | None) -> dict[str, Any]:
    """The plan's table of frozen layers."""
    if below is None:
        if views is not None:
            raise UserError("--views belongs to --freeze-below")
        return {}
    return {"frozen": {"below": below} | ({} if views is None else {"views": views})}


def _one_step(
    spec: str,
    layer: str | None,
    keep: str | None,
    criterion: str,
    name: str | None,
    steps: int | None,
) -> dict[str, Any]:
    """The plan of one step out of a trained model."""
    from facebench.lab.connections.criteria import SCRATCH, check_criterion
    from facebench.lab.connections.plan import check_share
    from facebench.models.cards.card import is_compact
    from facebench.models.cards.names import card_for

    check_criterion(criterion)
    card = card_for(spec)
    if is_compact(card):
        raise UserError(f"{spec}: of a {card.architecture} filters are removed: add --structured")
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
        check_share("--keep", keep)
        ending = "" if criterion == "correlation" else f"_{criterion}"
        made = f"{card.name}_{keep.replace('/', '-')}-{layer}{ending}"
        step |= {"model": name or made, "layer": layer, "keep": keep}
    return {
        "width": card.width,
        "recipe": "paper",
        "baseline": {"model": card.name, "from": spec},
        "step": [step],
    }
