"""``facebench metric``: learn a Joint Bayesian for a model's embeddings, and look at one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from facebench.cli.interrupts import importing
from facebench.errors import UserError

if TYPE_CHECKING:
    from facebench.training.metric_fit import FittedMetric

_DATA, _HOW, _RESULT = "Faces with identities", "How", "Result"

app = typer.Typer(
    help="Learn a similarity (Joint Bayesian) for a model's embeddings, and look at one.\n\n"
    "Example: facebench metric fit sparse_074 --data my_people --attach",
    no_args_is_help=True,
)


@app.command()
def fit(
    model: Annotated[str, typer.Argument(help="A name of the zoo, a card.toml or a model file.")],
    data: Annotated[
        list[str] | None,
        typer.Option(
            rich_help_panel=_DATA,
            help="A folder with a folder per identity, a folder with index.csv and zip files, or "
            "`synthetic`; may be repeated.",
        ),
    ] = None,
    identities: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=_DATA,
            help="Only these, one per line: people that the model was not trained on.",
        ),
    ] = None,
    landmarks: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=_DATA, help="Five per image of a folder whose images are not aligned."
        ),
    ] = None,
    synthetic_identities: Annotated[
        int, typer.Option(min=2, rich_help_panel=_DATA, help="How many to render, 12 images each.")
    ] = 300,
    embeddings: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=_DATA,
            help="An .npy file of the model's embeddings instead of --data; needs --names.",
        ),
    ] = None,
    names: Annotated[
        Path | None,
        typer.Option(rich_help_panel=_DATA, help="Names of its rows: identity/image."),
    ] = None,
    components: Annotated[
        int, typer.Option(min=0, rich_help_panel=_HOW, help="Of the PCA; 0: no PCA.")
    ] = 100,
    normalise: Annotated[
        str, typer.Option(rich_help_panel=_HOW, help="Of embeddings: none, unit, centred.")
    ] = "none",
    shrinkage: Annotated[
        float,
        typer.Option(
            min=0, rich_help_panel=_HOW, help="Strength of the priors; less for many identities."
        ),
    ] = 20.0,
    iterations: Annotated[
        int, typer.Option(min=1, rich_help_panel=_HOW, help="Of EM, at most.")
    ] = 100,
    batch: Annotated[int, typer.Option(min=1, rich_help_panel=_HOW, help="Faces per pass.")] = 32,
    workers: Annotated[
        int, typer.Option(min=0, rich_help_panel=_HOW, help="Processes that read images.")
    ] = 1,
    no_store: Annotated[
        bool,
        typer.Option("--no-store", rich_help_panel=_HOW, help="Neither use nor keep embeddings."),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", rich_help_panel=_RESULT, help="No progress.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(rich_help_panel=_RESULT, help="The metric file to write.")
    ] = None,
    attach: Annotated[
        bool,
        typer.Option("--attach", rich_help_panel=_RESULT, help="Name it in the model's card."),
    ] = False,
) -> None:
    """Learn a metric for a model and write it to a file, into the model's card, or both.

    Example: facebench metric fit sparse_074 --data my_people --identities unseen.txt --attach
    """
    if out is None and not attach:
        raise UserError("where is the metric to go? --attach (the model's card) or --out FILE")
    if (embeddings is None) != (names is None):
        raise UserError("--embeddings and --names belong together")
    if embeddings is not None and (data or landmarks):
        raise UserError("--embeddings instead of --data and --landmarks: give one of them")
    with importing():
        from facebench.nets.zoo import card_for, load_model
        from facebench.training import metric_fit
    choices = metric_fit.FitChoices(components or None, normalise, shrinkage, iterations)
    choices.check()
    card = card_for(model)
    if attach:
        metric_fit.require_own_card(card)
    embedder = load_model(model)
    if embeddings is not None and names is not None:
        labelled = metric_fit.read_labelled(embeddings, names, identities)
    else:
        labelled = metric_fit.embed_labelled(
            embedder,
            data or [],
            identities=identities,
            landmarks=landmarks,
            synthetic_identities=synthetic_identities,
            batch=batch,
            workers=workers,
            store=not no_store,
            progress=not quiet,
        )
    fitted = metric_fit.fit_metric(labelled, choices, embedder)
    written = [path for path in (out,) if path is not None]
    for path in written:
        fitted.write(path)
    if attach:
        written.append(fitted.attach(card))
    _tell(fitted, written)


@app.command()
def show(
    file: Annotated[Path, typer.Argument(help="A metric file.")],
) -> None:
    """Show what a metric was learned from, and for which model.

    Example: facebench metric show models/weights/sparse_074.metric.safetensors
    """
    from facebench.similarity.metric import load_metric

    metric = load_metric(file)
    model = metric.model
    facts = metric.facts
    rows = {
        "signature": metric.signature,
        "for the model": facts.model or "not known",
        "its weights": facts.weights_hash[:16] or "not known",
        "its preprocessing": facts.preprocessing or "not known",
        "embeddings of": f"{metric.dimension} numbers",
        "learned from": facts.fitted_on or "not known",
        "identities": f"{facts.identities:,}",
        "images": f"{facts.images:,}",
        "alignment": facts.alignment or "not known",
        "settings": facts.settings or "not known",
        "dimensions": f"{len(model.ratios)}",
        "constant": f"{model.constant:.3f} nats",
        "largest S_mu / S_eps": ", ".join(f"{ratio:.2f}" for ratio in sorted(model.ratios)[:-4:-1]),
    }
    table = Table(show_header=False, box=None, pad_edge=False)
    for key, value in rows.items():
        table.add_row(key, Text(value))
    Console().print(table)


def _tell(fitted: FittedMetric, written: list[Path]) -> None:
    estimator = fitted.estimator
    if (fewer := fitted.fewer()) is not None:
        typer.echo(fewer, err=True)
    gain = (estimator.objective_[-1] - estimator.objective_[0]) / estimator.images_
    typer.echo(
        f"{estimator.images_:,} images of {estimator.identities_:,} identities, "
        f"{estimator.n_features_in_} -> {len(estimator.model_.ratios)} dimensions; "
        f"{estimator.n_iter_} iterations, objective {gain:+.4f} nats per image"
    )
    for path in written:
        typer.echo(f"wrote {path}")
