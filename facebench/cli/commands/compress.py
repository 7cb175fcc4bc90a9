"""``facebench compress``: the smallest network that passes a rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

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
from facebench.cli.output import show_table

if TYPE_CHECKING:
    from facebench.lab.compress.compress import Compressed
    from facebench.lab.compress.curve import CandidatePoint
    from facebench.models.cards.card import ModelCard
    from facebench.tables.table import Table

_WHAT, _OWN = "What is asked for", "A network of your own"
_NOT_HERE = ("protocol",)
_SAID: dict[str, Option | None] = {
    field.name: None for field in options_of(Lab) if field.name not in _NOT_HERE
}
_SAID["data"] = Option(
    DATA,
    "Faces to train on between moves: a folder per identity, a folder of index.csv and zips, or "
    "`synthetic`; may be repeated. Without any nothing is trained.",
)
_SAID["steps"] = Option(TRAINING, "Mini-batches after each step of a move; default: 50.")
_SAID["protocol_data"] = Option(RESULT, "Faces of the rule's protocol; default: what is installed.")
_SAID["licence"] = Option(RESULT, "Of the weights, for the card.")
_CODES = {"pass": 0, "fail": 1, "undecided": 3}


@takes((ASIDE, _WHAT, _OWN, DATA, TRAINING, TRAINING_ON, RESULT, RESULT_AFTER), _SAID, lab=Lab)
def command(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A trained model of ours, or of yours: package.module:factory, or its card.",
        ),
    ],
    until: Annotated[
        str,
        typer.Option(
            rich_help_panel=_WHAT,
            help="A rule of a gate: 'lfw.accuracy drop <= 0.5pt at 95%'.",
        ),
    ],
    weights: Annotated[
        str | None,
        typer.Option(rich_help_panel=_OWN, help="A file of weights for the factory's network."),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(rich_help_panel=_OWN, help="Height x width of its faces, e.g. 112x112."),
    ] = None,
    normalise: Annotated[
        str | None, typer.Option(rich_help_panel=_OWN, help="imagenet, half or arcface.")
    ] = None,
    colour: Annotated[
        str | None, typer.Option(rich_help_panel=_OWN, help="rgb (default) or bgr.")
    ] = None,
    flip: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=_OWN, help="The mirrored face: none, add, normalised-add, concat."
        ),
    ] = None,
    output_name: Annotated[
        str | None, typer.Option(rich_help_panel=_OWN, help="Which output is the embedding.")
    ] = None,
    objective: Annotated[
        Literal["bytes", "multiply-adds", "latency"],
        typer.Option(rich_help_panel=_WHAT, help="What is made small."),
    ] = "bytes",
    moves: Annotated[
        list[str] | None,
        typer.Option(
            rich_help_panel=_WHAT,
            help="What may be done, any of: filters,connections,int8 (the default).",
        ),
    ] = None,
    criterion: Annotated[
        str,
        typer.Option(
            rich_help_panel=_WHAT,
            help="Of connections: magnitude; of ConvNets with --data also correlation, highest, "
            "random, obd.",
        ),
    ] = "magnitude",
    candidates: Annotated[
        int, typer.Option(min=1, rich_help_panel=_WHAT, help="Look at no more than so many.")
    ] = 24,
    name: Annotated[
        str | None,
        typer.Option(rich_help_panel=_WHAT, help="Of the new model; default: MODEL_small."),
    ] = None,
    recipe: Annotated[str | None, recipe_option("compact")] = None,
    seed: Annotated[int, SEED, TRAINING_ON] = 0,
    *,
    lab: Lab,
) -> None:
    """Make a network as small as a rule allows. Exit code 0: pass, 1: fail, 3: undecided.

    Candidates are chosen on one half of the protocol's people; the verdict is given once, on the
    other half. The same command continues, and gives no second verdict.

    Example: facebench compress sparse_074 --until "lfw.accuracy drop <= 2pt" --protocol-data ~/lfw

    Example: facebench compress nets:mine --weights ckpt.pt --until "lfw.accuracy drop <= 2pt"
    """
    with importing():
        from facebench.cli.lab import make_smaller
        from facebench.lab.compress.plan import FINE_TUNE, MOVES, CompressPlan, parse_moves

    card = _start(model, weights, lab, size=size, normalise=normalise, colour=colour, flip=flip,
                  output=output_name)  # fmt: skip
    plan = CompressPlan(
        start=model, until=until, model=name or f"{card.name}_small", objective=objective,
        moves=parse_moves(tuple(moves)) if moves else MOVES, criterion=criterion,
        fine_tune=FINE_TUNE if lab.steps is None else lab.steps, candidates=candidates,
        seed=seed, licence=lab.licence,
    )  # fmt: skip
    _require_faces(lab, recipe)
    found = make_smaller(plan, card, lab, recipe)
    _show(found)
    raise typer.Exit(_CODES[found.outcome])


def _start(model: str, weights: str | None, lab: Lab, /, **prepared: str | None) -> ModelCard:
    """The card that a run starts from; of a network of the user's, that of its packed weights."""
    with importing():
        from facebench.models.cards.names import card_for
        from facebench.models.cards.sweep import NamedModel, swept
        from facebench.models.embedders.options import parse_options

    several = swept([NamedModel(None, model)], weights)
    if len(several) > 1:
        raise UserError(f"--weights {weights}: are {len(several)} files; compress them one by one")
    card = card_for(several[0].spec)
    options = parse_options(**prepared, untrusted=lab.untrusted)
    if card.architecture != "python":
        given = ("size", "normalise", "colour", "flip", "output")
        options.refuse(card.name, "its card says what its input is", *given)
        return card
    from facebench.lab.compress.brought import start_of

    return start_of(several[0].spec, options, lab.work)


def _require_faces(lab: Lab, recipe: str | None) -> None:
    """UserError for options of a training where there is nothing to train on."""
    if lab.data:
        return
    given = {
        "--teacher": lab.teacher, "--recipe": recipe, "--steps": lab.steps,
        "--apart-from": lab.apart_from, "--bank": lab.bank, "--hold-out": lab.hold_out,
    }  # fmt: skip
    for option, value in given.items():
        if value is not None:
            raise UserError(f"{option}: is of a training, which needs faces: give --data")


def _show(found: Compressed) -> None:
    """Candidates, both verdicts, and what was written."""
    from facebench.gate.formats import MARKS

    show_table(_table(found), "ruled")
    for line in found.told:
        print(f"note      {line}")
    print(f"people    {found.halves}")
    decision, chosen, count = found.decision, found.chosen, found.candidates
    many = f"{count} candidate{'s' * (count != 1)} looked at"
    if chosen is None or decision is None:
        print(f"verdict   none is given: nothing smaller was chosen; {many}")
    else:
        level = found.plan.choosing.level
        at = "" if level is None else f" at {100 * level:.3g}%"
        print(f"chosen    {chosen.candidate}: {chosen.measured}{at}; {many}")
        verdict = decision.verdict
        if verdict.notice:
            print(f"NOTICE    {verdict.notice}")
        why = f" ({verdict.why})" if verdict.why else ""
        print(f"verdict   {MARKS[verdict.outcome]}  {verdict.rule.text}: {verdict.measured}{why},")
        print("          once, on the people whom no choice has seen")
        for line in filter(None, (decision.needed, decision.again)):
            print(f"          {line}")
    for path in found.files:
        print(f"wrote     {path}")


def _table(found: Compressed) -> Table:
    from facebench.base.text import percent
    from facebench.tables.table import Column, list_of

    def row(point: CandidatePoint) -> tuple[str, ...]:
        return (
            point.candidate + (" ←" if point.chosen else ""),
            f"{100 * point.share:.1f}",
            *("–" if v is None else f"{v:,}" for v in (point.bytes, point.kept,
                                                       point.multiply_adds)),
            percent(point.value),
            point.measured,
            point.outcome + (" ·" if point.front else ""),
        )  # fmt: skip

    heads = (
        "candidate", Column(f"{found.plan.objective} %"), Column("bytes"), Column("kept"),
        Column("multiply-adds"), Column(f"{found.plan.rule.statistic} %"), "against the start",
        "passes (· front)",
    )  # fmt: skip
    return list_of(heads, map(row, found.points))
