"""``facebench metric``: make a similarity for a model's embeddings, and look at one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from facebench.base.errors import UserError
from facebench.cli.errors import importing
from facebench.cli.lab import KINDS
from facebench.cli.options import QuietOption, UntrustedOption
from facebench.cli.output import require_output, require_writable, show_table
from facebench.tables.table import facts_of

if TYPE_CHECKING:
    from facebench.lab.metrics.joint_bayesian import FittedMetric
    from facebench.lab.metrics.projection import FittedProjection
    from facebench.models.cards.card import ModelCard
    from facebench.similarity.metric_file import MetricFile

_DATA, _HOW, _RESULT = "Faces with identities", "How", "Result"
_Out = Annotated[
    Path | None, typer.Option(rich_help_panel=_RESULT, help="The metric file to write.")
]
_Attach = Annotated[
    bool, typer.Option("--attach", rich_help_panel=_RESULT, help="Name it in the model's card.")
]

app = typer.Typer(
    help="Make a similarity (Joint Bayesian, or a projection) for a model's embeddings, and look "
    "at one.\n\n"
    "Example: facebench metric fit sparse_074 --data my_people --out my_people.safetensors",
    no_args_is_help=True,
)


@app.command()
def fit(
    model: Annotated[
        str, typer.Argument(help=f"A name of the zoo, a card.toml or a model file. {KINDS}")
    ],
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
    on_missing: Annotated[
        Literal["error", "count"],
        typer.Option(
            rich_help_panel=_DATA,
            help="Unreadable images and those without landmarks: an error, or left out (count).",
        ),
    ] = "error",
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
    untrusted: UntrustedOption = False,
    batch: Annotated[int, typer.Option(min=1, rich_help_panel=_HOW, help="Faces per pass.")] = 32,
    workers: Annotated[
        int, typer.Option(min=0, rich_help_panel=_HOW, help="Processes that read images.")
    ] = 1,
    no_store: Annotated[
        bool,
        typer.Option("--no-store", rich_help_panel=_HOW, help="Neither use nor keep embeddings."),
    ] = False,
    quiet: QuietOption = False,
    out: _Out = None,
    attach: _Attach = False,
) -> None:
    """Learn a Joint Bayesian for a model and write it to a file, into the model's card, or both.

    Example: facebench metric fit net --data my_people --identities unseen.txt --attach
    """
    _require_place(out, attach)
    if (embeddings is None) != (names is None):
        raise UserError("--embeddings and --names belong together")
    if embeddings is not None and (data or landmarks):
        raise UserError("--embeddings instead of --data and --landmarks: give one of them")
    with importing():
        from facebench.lab.metrics import joint_bayesian as metric_fit
        from facebench.models.embedders.options import ModelOptions
        from facebench.models.zoo import load_model
    choices = metric_fit.FitChoices(components or None, normalise, shrinkage, iterations)
    choices.check()
    card = _card(model, attach)
    embedder = load_model(model, ModelOptions(untrusted=untrusted))
    if embeddings is not None and names is not None:
        labelled = metric_fit.read_labelled(embeddings, names, identities)
    else:
        labelled = metric_fit.embed_labelled(
            embedder,
            data or [],
            identities=identities,
            landmarks=landmarks,
            synthetic_identities=synthetic_identities,
            on_missing=on_missing,
            batch=batch,
            workers=workers,
            store=not no_store,
            progress=not quiet,
            card=card,
        )
    fitted = metric_fit.fit_metric(labelled, choices, embedder)
    for line in labelled.unknown:
        typer.echo(line, err=True)
    written = _write(fitted, card, out, attach)
    _tell(fitted, written)


@app.command()
def projection(
    model: Annotated[str, typer.Argument(help="A ConvNet with weights: its name or card.toml.")],
    checkpoint: Annotated[
        Path,
        typer.Option(
            rich_help_panel=_DATA,
            help="The final.pt of its training (`facebench train` or `prune`), with a teacher.",
        ),
    ],
    out: _Out = None,
    attach: _Attach = False,
) -> None:
    """Take the regression head of a model's training over as a metric: cosine after a linear map.

    Example: facebench metric projection net --checkpoint final.pt --attach
    """
    _require_place(out, attach)
    with importing():
        from facebench.lab.metrics import projection as projection_fit
        from facebench.models.zoo import load_model
    card = _card(model, attach)
    fitted = projection_fit.fit_projection(card, load_model(model), checkpoint)
    written = _write(fitted, card, out, attach)
    taken = fitted.model
    typer.echo(
        f"{taken.dimension} -> {len(taken.bias)} numbers by {taken.values:,} weights, for "
        f"{fitted.facts.preprocessing}"
    )
    for path in written:
        typer.echo(f"wrote {path}")


@app.command()
def show(
    file: Annotated[Path, typer.Argument(help="A metric file.")],
) -> None:
    """Show what a metric was learned from, for which model, and how large it is.

    Example: facebench metric show my_people.safetensors
    """
    from facebench.similarity.metric_file import read_metric

    show_table(facts_of(describe(read_metric(file)).items()), "facts")


def describe(found: MetricFile) -> dict[str, str]:
    """What ``show`` says of a metric file, in words by row."""
    from facebench.similarity.joint_bayesian.model import JointBayesianModel
    from facebench.similarity.learned import similarity_of

    model, facts = found.model, found.facts
    rows = {
        "similarity": similarity_of(found).name,
        "signature": similarity_of(found).signature,
        "for the model": facts.model,
        "the model's weights": facts.weights_hash[:16],
        "its preprocessing": facts.preprocessing,
        "embeddings of": f"{model.dimension} numbers",
        "learned from": facts.fitted_on,
        "identities": f"{facts.identities:,}" if facts.identities else "",
        "images": f"{facts.images:,}" if facts.images else "",
        "alignment": facts.alignment,
        "settings": facts.settings,
        "weights": f"{model.values:,} numbers",
        "size": f"{found.size:,} bytes",
    }
    rows = {key: value or "not known" for key, value in rows.items()}
    if isinstance(model, JointBayesianModel):
        largest = sorted(model.ratios)[:-4:-1]
        rows["dimensions"] = f"{len(model.ratios)}"
        rows["constant"] = f"{model.constant:.3f} nats"
        rows["largest S_mu / S_eps"] = ", ".join(f"{ratio:.2f}" for ratio in largest)
    else:
        rows["dimensions"] = f"{len(model.bias)}"
    return rows


def _require_place(out: Path | None, attach: bool) -> None:
    if out is None and not attach:
        raise UserError("where is the metric to go? --attach (the model's card) or --out FILE")
    if out is not None:
        require_output(out, "--out", in_new_folder=True)


def _card(model: str, attach: bool) -> ModelCard:
    """The model's card; UserError where it is to name the metric and cannot be written."""
    from facebench.lab.metrics.joint_bayesian import require_own_card
    from facebench.models.zoo import card_for

    card = card_for(model)
    if attach:
        require_own_card(card)
        require_writable("--attach", card.path, card.path.parent)
    return card


def _write(
    fitted: FittedMetric | FittedProjection, card: ModelCard, out: Path | None, attach: bool
) -> list[Path]:
    """Write the metric wherever it is asked for; the files."""
    written = [] if out is None else [out]
    for path in written:
        fitted.write(path)
    return [*written, fitted.attach(card)] if attach else written


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
