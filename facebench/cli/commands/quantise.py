"""``facebench quantise``: a model in 8 bits, without training: its weights, or all that it does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from facebench.base.errors import UserError
from facebench.base.options import ASIDE, INPUT, Group, Option
from facebench.cli.errors import importing
from facebench.cli.lab import KINDS
from facebench.cli.options import takes
from facebench.models.embedders.options import ModelOptions

if TYPE_CHECKING:
    from facebench.evaluation.quantise import StaticModel

_STATIC, _ALONE = "Weights and activations (--calibrate)", "Weights alone"
_HOW = Group(_STATIC)


@takes(
    (ASIDE, _STATIC, _ALONE, INPUT, _HOW),
    {
        "size": None,
        "colour": None,
        "mean": None,
        "scale": None,
        "normalise": None,
        "layout": None,
        "output": None,
        "flip": Option(_HOW, "The mirrored face: none, add, normalised-add, concat."),
        "untrusted": None,
    },
    options=ModelOptions,
)
def command(
    model: Annotated[
        str,
        typer.Argument(
            help="A name of the zoo or a card.toml; with --calibrate also an .onnx file or "
            f"package.module:factory. {KINDS}"
        ),
    ],
    to: Annotated[Literal["int8"], typer.Option(help="Kind of the new numbers.")] = "int8",
    calibrate: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=_STATIC,
            help="Faces that show the ranges of activations, of no people of a test: a folder per "
            "person, landmarks.txt in it, or of aligned crops; an index of zip files; `synthetic`.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "--output",
            "-o",
            rich_help_panel=_STATIC,
            help="The file, its card is put beside it; default: MODEL_static_int8.onnx.",
        ),
    ] = None,
    faces: Annotated[
        int | None,
        typer.Option(rich_help_panel=_STATIC, help="How many of them are drawn; default: 512."),
    ] = None,
    method: Annotated[
        Literal["minmax", "entropy", "percentile"] | None,
        typer.Option(
            rich_help_panel=_STATIC, help="How a range follows from them; default: minmax."
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(rich_help_panel=_STATIC, help="Of the draw; default: 0.")
    ] = None,
    reduce_range: Annotated[
        bool,
        typer.Option(
            "--reduce-range",
            rich_help_panel=_STATIC,
            help="Weights in 7 bits, for processors without VNNI.",
        ),
    ] = False,
    weights: Annotated[
        str | None,
        typer.Option(rich_help_panel=_STATIC, help="Weights of a factory, as of `facebench eval`."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(rich_help_panel=_ALONE, help="Of the new model; default: MODEL_int8."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a model that is there.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    *,
    options: ModelOptions,
) -> None:
    """Round a model's weights to int8, per output channel, and write card and weights to ./models.

    Only the weights are rounded, for a smaller file; they are computed with in float32.

    With --calibrate activations are in 8 bits, too: an ONNX file that computes in integers.

    Example: facebench quantise sparse_074 --to int8

    Example: facebench quantise sparse_074 --calibrate synthetic
    """
    if calibrate is None:
        said = {
            "--out": output,
            "--faces": faces,
            "--method": method,
            "--seed": seed,
            "--reduce-range": reduce_range or None,
            "--weights": weights,
        }
        given = [flag for flag, value in said.items() if value is not None]
        if given or options != ModelOptions(untrusted=options.untrusted):
            raise UserError(
                f"{given[0] if given else 'what is said of the input'} has no effect on weights "
                "alone; add --calibrate FACES for activations in 8 bits, too, or leave it out"
            )
        _weights_alone(model, name, overwrite)
        return
    if name is not None:
        raise UserError("--name is of weights alone; with --calibrate name the file with -o")
    with importing():
        from facebench.base.progress import stages
        from facebench.evaluation.quantise import FACES, SEED, quantise_static

    with stages(not quiet) as stage:
        made = quantise_static(
            model,
            calibrate,
            output,
            number=FACES if faces is None else faces,
            method=method or "minmax",
            seed=SEED if seed is None else seed,
            reduce_range=reduce_range,
            weights=weights,
            options=options,
            overwrite=overwrite,
            stage=stage,
        )
    _tell(model, made)


def _weights_alone(model: str, name: str | None, overwrite: bool) -> None:
    with importing():
        from facebench.models.cards.names import card_for
        from facebench.models.cards.quantise import quantise_model

    made = quantise_model(card_for(model), Path("models"), name, overwrite)
    before, after = made.before / 1e6, made.after / 1e6
    typer.echo(f"{made.card.path}: {before:.2f} MB -> {after:.2f} MB ({after / before:.2f})")


def _tell(model: str, made: StaticModel) -> None:
    from facebench.base.text import size_text

    known, cosines = made.card.calibration, made.cosines
    assert known is not None
    before, after = made.before, made.after
    typer.echo(
        f"{made.card.weights_path}: {size_text(before)} in float32 -> {size_text(after)} "
        f"({after / before:.2f}), card {made.card.path}"
    )
    typer.echo(
        f"calibrated on {known.images:,} faces of {known.faces}; of {len(cosines)} of them, the "
        f"embedding has cosine {cosines.mean():.4f} to that of {model} (lowest {cosines.min():.4f})"
    )
    if made.own is not None and made.own < after:
        typer.echo(
            f"larger than the {size_text(made.own)} of {model}'s own weights: the graph has a byte "
            "for each weight, dropped ones too"
        )
