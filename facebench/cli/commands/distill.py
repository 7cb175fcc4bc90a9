"""``facebench distill``: a compact student learns what one teacher or several know."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facebench.base.errors import UserError, nearest
from facebench.base.options import ASIDE
from facebench.cli.errors import importing
from facebench.cli.lab import (
    DATA,
    KINDS,
    RESULT,
    RESULT_AFTER,
    SEED,
    TRAINING,
    TRAINING_ON,
    Lab,
    recipe_option,
)
from facebench.cli.options import takes

if TYPE_CHECKING:
    from facebench.models.embedders.options import ModelOptions

_STUDENT, _TAUGHT = "The student", "What is taught"
_OF_TRAINING = (
    *("data", "untrusted", "identities", "images", "hold_out", "steps", "device", "precision"),
    *("threads", "work", "protocol", "protocol_data", "licence", "overwrite", "quiet"),
)


@takes(
    (ASIDE, _STUDENT, _TAUGHT, DATA, TRAINING, TRAINING_ON, RESULT, RESULT_AFTER),
    dict.fromkeys(_OF_TRAINING),
    lab=Lab,
)
def command(
    student: Annotated[
        str,
        typer.Option(rich_help_panel=_STUDENT, help="Name of its card, new or without weights."),
    ],
    teacher: Annotated[
        list[str],
        typer.Option(
            rich_help_panel=_TAUGHT,
            help=f"A model of the zoo, a card or a file; several are one ensemble. {KINDS}",
        ),
    ],
    architecture: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=_STUDENT,
            help="convnet, squeezenet1_1, mobilenet_v2, mobilefacenet …; default: the card's, or "
            "convnet.",
        ),
    ] = None,
    width: Annotated[
        float | None,
        typer.Option(rich_help_panel=_STUDENT, help="Default: the card's, or 0.125 of a convnet."),
    ] = None,
    embedding: Annotated[
        int | None,
        typer.Option(
            rich_help_panel=_STUDENT, help="Dimension, of compact networks; default: 128."
        ),
    ] = None,
    targets: Annotated[
        str, typer.Option(rich_help_panel=_TAUGHT, help="selected or all neurons, or soft-labels.")
    ] = "selected",
    neurons: Annotated[
        int | None,
        typer.Option(
            rich_help_panel=_TAUGHT, help="How many are selected; default: the student's dimension."
        ),
    ] = None,
    nuisance_weight: Annotated[
        float | None,
        typer.Option(
            rich_help_panel=_TAUGHT,
            help="In selecting, of dependence on light, place, mirror; default: 1.",
        ),
    ] = None,
    redundancy_weight: Annotated[
        float | None,
        typer.Option(
            rich_help_panel=_TAUGHT, help="Of correlation among the selected; default: 1."
        ),
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(rich_help_panel=_TAUGHT, help="Of soft labels; default: 4.")
    ] = None,
    teacher_size: Annotated[
        str | None,
        typer.Option(rich_help_panel=_TAUGHT, help="Of a file without a card; default: 112x112."),
    ] = None,
    teacher_normalise: Annotated[
        str | None,
        typer.Option(rich_help_panel=_TAUGHT, help="imagenet (default), half or arcface."),
    ] = None,
    teacher_flip: Annotated[
        str | None, typer.Option(rich_help_panel=_TAUGHT, help="Default: normalised-add.")
    ] = None,
    recipe: Annotated[str | None, recipe_option("short; of compact networks compact")] = None,
    seed: Annotated[int, SEED, TRAINING_ON] = 0,
    *,
    lab: Lab,
) -> None:
    """Train a compact student on a teacher's neurons; again with the same folder continues.

    The --teacher-* options are of teachers without a card. Same seed, recipe and
    steps for --targets selected, all and soft-labels: same first weights and mini-batches.

    Example: facebench distill --teacher ensemble_5 --student small --width 0.125 --data ~/crops
    """
    with importing():
        from facebench.lab.distillation.knowledge import lesson_of
        from facebench.lab.distillation.student import CONVNET, StudentShape
        from facebench.lab.distillation.supervision import TARGETS
        from facebench.lab.laboratory.work_folder import check_name
        from facebench.models.embedders.options import parse_options

    if targets not in TARGETS:
        raise UserError(f"--targets {targets}{nearest(targets, TARGETS)} ({', '.join(TARGETS)})")
    check_name("--student", student)
    shape = StudentShape(**_shape(student, architecture, width, embedding))
    lesson = lesson_of(
        targets,  # type: ignore[arg-type]
        neurons=neurons, nuisance_weight=nuisance_weight, redundancy_weight=redundancy_weight,
        temperature=temperature,
    )  # fmt: skip
    own = {"name": student, "shape": shape, "lesson": lesson, "steps": lab.steps, "seed": seed,
           "licence": lab.licence, "protocols": lab.protocol}  # fmt: skip
    faces = parse_options(
        size=teacher_size, normalise=teacher_normalise, flip=teacher_flip, untrusted=lab.untrusted
    )
    named = recipe or ("short" if shape.architecture == CONVNET else "compact")
    typer.echo(_carry_out(tuple(teacher), faces, named, lab, own))


def _carry_out(
    teachers: tuple[str, ...],
    faces: ModelOptions,
    recipe_name: str,
    lab: Lab,
    own: dict[str, Any],
) -> Path:
    """Distil in the working directory; the student's card."""
    from facebench.cli.lab import laboratory
    from facebench.lab.distillation.distil import Distillation, distil
    from facebench.lab.distillation.teachers import load_teachers
    from facebench.lab.learning.recipes import load_recipe

    if load_recipe(recipe_name).bank is not None:
        raise UserError(f"--recipe {recipe_name}: a student learns from its teacher, not a bank")
    loaded = load_teachers(teachers, faces)
    with laboratory(lab, recipe_name, own["protocols"]) as work:
        return distil(Distillation(**own, teachers=loaded, lab=work)).path


def _shape(
    name: str, architecture: str | None, width: float | None, embedding: int | None
) -> dict[str, Any]:
    """What the student is built from: options before the card of its name, where there is one."""
    from facebench.lab.distillation.student import CONVNET, STUDENTS
    from facebench.models.cards.card import card_names, find_card

    card = find_card(name) if name in card_names() else None
    if card is not None and card.architecture not in STUDENTS:
        raise UserError(f"--student {name}: its card is of {card.architecture}; give another name")
    same = card is not None and architecture in (None, card.architecture)
    kind = architecture or (card.architecture if card else CONVNET)
    own = card if same else None
    default = 0.125 if kind == CONVNET else 1.0
    return {
        "architecture": kind,
        "width": width if width is not None else (own and own.width) or default,
        "embedding": embedding if embedding is not None else own and own.embedding,
    }
