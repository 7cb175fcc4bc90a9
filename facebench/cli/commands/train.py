"""``facebench train``: learn the weights of a dense ConvNet or a compact network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facebench.base.errors import UserError
from facebench.base.options import ASIDE
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
from facebench.cli.output import require_output

if TYPE_CHECKING:
    from facebench.models.cards.card import ModelCard

_WHAT = "What is trained"


@takes((ASIDE, _WHAT, DATA, TRAINING, TRAINING_ON, RESULT, RESULT_AFTER), lab=Lab)
def command(
    card: Annotated[str, typer.Argument(help="A card of ours, or the name of a new ConvNet.")],
    width: Annotated[
        float | None,
        typer.Option(rich_help_panel=_WHAT, help="Of all layers; default: the card's, or 0.5."),
    ] = None,
    recipe: Annotated[str | None, recipe_option("paper; of compact nets compact")] = None,
    seed: Annotated[int, SEED, TRAINING_ON] = 0,
    plot: Annotated[
        Path | None,
        typer.Option(rich_help_panel="Result", help="Losses: .png, .svg or .pdf."),
        RESULT_AFTER,
    ] = None,
    *,
    lab: Lab,
) -> None:
    """Train a dense network; card and weights go to ./models, and the same command continues.

    Example: facebench train mini --width 0.125 --data synthetic --recipe short --steps 500
    """
    with importing():
        from facebench.base.validation import validated
        from facebench.cli.lab import carry_out
        from facebench.lab.connections.plan import ConnectionPlan
        from facebench.lab.learning.plot import FORMATS, plot_log
        from facebench.models.cards.card import read_card

    if plot is not None and plot.suffix not in FORMATS:
        raise UserError(f"--plot {plot}: pictures are {', '.join(FORMATS)}")
    require_output(plot, "--plot")
    name, own_width, compact = _named(card)
    if compact is not None:
        if width is not None:
            raise UserError(f"--width: {card} says its own; write another card for another width")
        from facebench.cli.lab import train

        train(compact, lab, recipe, seed)
    else:
        values = {
            "width": width or own_width or 0.5,
            "recipe": recipe or "paper",
            "seed": seed,
            "licence": lab.licence,
            "protocols": lab.protocol,
            "baseline": {"model": name, "steps": lab.steps},
        }
        carry_out(validated(ConnectionPlan, values, f"train {card}"), lab)
    if plot is not None:
        learned = read_card(Path("models") / f"{name}.toml").training.fingerprint
        plot_log(lab.work / f"{name}-{learned}" / "log.csv", plot)
    typer.echo(f"models/{name}.toml")


def _named(card: str) -> tuple[str, float | None, ModelCard | None]:
    """Name and width of the network: of a card that exists, or a new name without a width; and the
    card where it is of a compact network.
    """
    from facebench.models.cards.card import card_names, find_card, is_compact, read_card

    path = Path(card)
    if path.suffix != ".toml" and card not in card_names():
        return card, None, None
    found = read_card(path) if path.suffix == ".toml" else find_card(card)
    if is_compact(found):
        if found.filters_removed:
            raise UserError(f"{card} has lost filters: train its parent, then `facebench prune` it")
        return found.name, found.width, found
    if found.architecture != "convnet":
        raise UserError(
            f"{card}: {found.architecture} is not trained here, only a convnet or a compact network"
        )
    if found.sparsity:
        raise UserError(f"{card} is sparse: train its parent, then `facebench prune` it")
    return found.name, found.width, None
