"""``facebench eval``: models on protocols, one table per protocol and data set."""

from __future__ import annotations

import os
from pathlib import Path
from time import perf_counter
from typing import Annotated, Literal

import typer

from facebench.base.errors import UserError
from facebench.base.vocabulary import MOST_DRAWS
from facebench.cli.errors import importing
from facebench.cli.options import KINDS, UntrustedOption
from facebench.cli.results import Format, Outputs

Strings = list[str] | None
Files = list[Path] | None
_WHAT, _FACES, _INPUT, _HOW, _RESULT = (
    "What is evaluated",
    "Faces",
    "Input of models without a card (of all models where all have one)",
    "How",
    "Result",
)
# Options that change the numbers of a model; batch, workers and the like only change its speed.
_OF_MODELS = (
    *("landmarks", "landmarks_order", "align", "detector", "size", "colour", "mean", "scale"),
    *("normalise", "layout", "output_name", "flip", "precision", "device"),
)


def command(
    context: typer.Context,
    model: Annotated[
        Strings,
        typer.Option(
            "--model",
            "-m",
            rich_help_panel=_WHAT,
            help="A name of the zoo, a card.toml, an .onnx, .pt or .pt2 file, or "
            f"package.module:factory; may be repeated, the first is the reference. {KINDS}",
        ),
    ] = None,
    untrusted: UntrustedOption = False,
    protocol: Annotated[
        Strings,
        typer.Option(
            "--protocol",
            "-p",
            rich_help_panel=_WHAT,
            help="See `facebench protocols`; may be repeated.",
        ),
    ] = None,
    embeddings: Annotated[
        Files,
        typer.Option(
            rich_help_panel=_WHAT,
            help="An .npy file of embeddings instead of a model; needs --names.",
        ),
    ] = None,
    names: Annotated[
        Files, typer.Option(rich_help_panel=_WHAT, help="Names of the rows of --embeddings.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=_FACES,
            help="A folder, a .bin file, or `synthetic`. Without it what is installed, and for "
            "lfw (and its searches), ytf and ijba otherwise their synthetic twins.",
        ),
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(rich_help_panel=_FACES, help="Another list of pairs, or splits.txt."),
    ] = None,
    landmarks: Annotated[
        Path | None,
        typer.Option(rich_help_panel=_FACES, help="Five landmarks per image, to align by."),
    ] = None,
    landmarks_order: Annotated[
        str,
        typer.Option(
            rich_help_panel=_FACES,
            help="Of the ten numbers of a row of landmarks: xyxy (x y of each point) or xxyy.",
        ),
    ] = "xyxy",
    align: Annotated[
        str,
        typer.Option(
            rich_help_panel=_FACES,
            help="auto, landmarks, yunet, centre, template or none. auto: landmarks or face boxes "
            "where the data have them.",
        ),
    ] = "auto",
    detector: Annotated[
        Path | None,
        typer.Option("--detector", "--yunet", rich_help_panel=_FACES, help="A YuNet ONNX file."),
    ] = None,
    on_missing: Annotated[
        Literal["error", "count"],
        typer.Option(
            rich_help_panel=_FACES,
            help="Absent or unreadable images: an error, or counted as failures to acquire.",
        ),
    ] = "error",
    size: Annotated[
        str | None, typer.Option(rich_help_panel=_INPUT, help="Height x width: 112x96.")
    ] = None,
    colour: Annotated[str | None, typer.Option(rich_help_panel=_INPUT, help="rgb or bgr.")] = None,
    mean: Annotated[
        str | None,
        typer.Option(rich_help_panel=_INPUT, help="Subtracted from pixels of 0 to 255: 127.5"),
    ] = None,
    scale: Annotated[
        str | None, typer.Option(rich_help_panel=_INPUT, help="Then divided by: 128")
    ] = None,
    normalise: Annotated[
        str | None,
        typer.Option(rich_help_panel=_INPUT, help="Both by name: imagenet, half or arcface."),
    ] = None,
    layout: Annotated[
        str | None, typer.Option(rich_help_panel=_INPUT, help="Of ONNX models: nchw or nhwc.")
    ] = None,
    output_name: Annotated[
        str | None, typer.Option(rich_help_panel=_INPUT, help="Which output is the embedding.")
    ] = None,
    flip: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=_HOW,
            help="The mirrored face: none, add, normalised-add, concat. Default: the card's. Of "
            "models without a card, where there are any.",
        ),
    ] = None,
    similarity: Annotated[
        str, typer.Option(rich_help_panel=_HOW, help="cosine, joint-bayesian or projection.")
    ] = "cosine",
    metric: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=_HOW,
            help="A file of `facebench metric fit` or `projection`; default: the model card's.",
        ),
    ] = None,
    pooling: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=_HOW,
            help="Of videos and templates: mean-score, mean-embedding, media-mean (each also with "
            "+norm or +detector), max-score, median-score. Default: the protocol's.",
        ),
    ] = None,
    frames: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=_HOW, help="Of videos: all, every-5, first-50, random-25 and so on."
        ),
    ] = None,
    rule: Annotated[
        str, typer.Option(rich_help_panel=_HOW, help="Of thresholds: exact, facenet-grid.")
    ] = "exact",
    draws: Annotated[
        int,
        typer.Option(
            max=MOST_DRAWS,
            rich_help_panel=_HOW,
            help="Of the bootstrap that all pairs and the bands of curves take; 0: neither has "
            "intervals.",
        ),
    ] = 1000,
    seed: Annotated[int, typer.Option(rich_help_panel=_HOW, help="Of that bootstrap.")] = 0,
    precision: Annotated[
        str, typer.Option(rich_help_panel=_HOW, help="float32 or bfloat16.")
    ] = "float32",
    device: Annotated[str, typer.Option(rich_help_panel=_HOW, help="cpu, cuda, cuda:1.")] = "cpu",
    threads: Annotated[
        int | None, typer.Option(min=1, rich_help_panel=_HOW, help="Of the network.")
    ] = None,
    batch: Annotated[int, typer.Option(rich_help_panel=_HOW, help="Faces per pass.")] = 32,
    workers: Annotated[
        int | None, typer.Option(rich_help_panel=_HOW, help="Processes that read images.")
    ] = None,
    no_store: Annotated[
        bool,
        typer.Option("--no-store", rich_help_panel=_HOW, help="Neither use nor keep embeddings."),
    ] = False,
    format: Annotated[
        Format, typer.Option(rich_help_panel=_RESULT, help="Of the result on standard output.")
    ] = "table",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", rich_help_panel=_RESULT, help="Write the result here."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(rich_help_panel=_RESULT, help="Folder of the records; default: the cache."),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(rich_help_panel=_RESULT, help="Curves (ROC, DIR, CMC): .png, .svg or .pdf."),
    ] = None,
    profile: Annotated[
        bool, typer.Option("--profile", rich_help_panel=_RESULT, help="Say where the time went.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", rich_help_panel=_RESULT, help="No progress.")
    ] = False,
) -> None:
    """Evaluate models on protocols.

    Example: facebench eval -m sparse_074 -m baseline -p lfw --data ~/lfw --plot roc.png
    """  # fmt: skip
    started = perf_counter()
    outputs = Outputs(format, output, out, plot=plot, profile=profile, quiet=quiet).checked()
    brought = _brought(embeddings or [], names or [])
    if not (model or brought):
        raise UserError("name a model with --model (`facebench models` lists them)")
    if not protocol:
        raise UserError("name a protocol with --protocol (`facebench protocols` lists them)")

    if not model:
        _require_effect_on_embeddings(context)
    with importing():
        import torch

        from facebench.base.threads import keep_freed_memory
        from facebench.evaluation.evaluate import evaluate_many
        from facebench.models.embedders.options import parse_options

    keep_freed_memory()
    if threads is not None:
        torch.set_num_threads(threads)
    options = parse_options(
        size=size,
        colour=colour,
        mean=mean,
        scale=scale,
        normalise=normalise,
        flip=flip,
        device=device,
        precision=precision,
        layout=layout,
        output=output_name,
        untrusted=untrusted,
    )
    records = evaluate_many(
        model or [],
        protocol,
        data,
        embeddings=brought,
        options=options,
        pairs=pairs,
        landmarks=landmarks,
        landmarks_order=landmarks_order,
        align=align,
        detector=detector,
        on_missing=on_missing,
        similarity=similarity,
        metric=metric,
        pooling=pooling,
        frames=frames,
        rule=rule,
        draws=draws,
        seed=seed,
        batch=batch,
        workers=_workers() if workers is None else workers,
        store=not no_store,
        progress=not quiet,
        on_record=outputs.save,
    )
    outputs.write(records, perf_counter() - started)


def _brought(embeddings: list[Path], names: list[Path]) -> list[tuple[Path, Path]]:
    if len(embeddings) != len(names):
        raise UserError(
            f"{len(embeddings)} --embeddings and {len(names)} --names; give the names of the rows "
            "of every file"
        )
    return list(zip(embeddings, names, strict=True))


def _require_effect_on_embeddings(context: typer.Context) -> None:
    sources = {name: context.get_parameter_source(name) for name in _OF_MODELS}
    given = [name for name, source in sources.items() if source and source.name != "DEFAULT"]
    if given:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise UserError(
            f"{options} can have no effect on embeddings that exist already; leave it out, or name "
            "a --model"
        )


def _workers() -> int:
    """One core is left to the network's own process; more than four readers never wait for it."""
    return (
        min(4, max(1, len(os.sched_getaffinity(0)) - 1)) if hasattr(os, "sched_getaffinity") else 1
    )
