"""``facebench pack``: a network as a small file with its card, or a record with its scores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from facebench.base.errors import UserError
from facebench.base.options import ASIDE, INPUT, Group, Option
from facebench.cli.errors import importing
from facebench.cli.lab import KINDS
from facebench.cli.options import takes
from facebench.cli.output import require_output
from facebench.models.embedders.options import ModelOptions

_NETWORK, _RECORD = "Of a network", "Of a record"
_HOW = Group(_NETWORK)


@takes(
    (ASIDE, _NETWORK, INPUT, _RECORD, _HOW),
    {
        "size": None,
        "colour": None,
        "mean": None,
        "scale": None,
        "normalise": None,
        "output": None,
        "flip": Option(_HOW, "The mirrored face: none, add, normalised-add, concat."),
        "untrusted": None,
    },
    options=ModelOptions,
)
def command(
    what: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|RECORD",
            help="A network, package.module:factory or its card, for a file .safetensors; a "
            f"record's file, or an evaluated model, for a file .json. {KINDS}",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="The file to write: NAME.safetensors, and NAME.toml beside it, of a network; "
            "NAME.json of a record.",
        ),
    ],
    weights: Annotated[
        str | None,
        typer.Option(rich_help_panel=_NETWORK, help="Its weights, as of `facebench eval`."),
    ] = None,
    values: Annotated[
        Literal["float16", "int8", "float32"],
        typer.Option(
            rich_help_panel=_NETWORK, help="Of the weights in the file; int8: one scale per output."
        ),
    ] = "float16",
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", rich_help_panel=_NETWORK, help="Replace files there."),
    ] = False,
    protocol: Annotated[
        str | None,
        typer.Option("--protocol", "-p", rich_help_panel=_RECORD, help="Of a model by name."),
    ] = None,
    similarity: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=_RECORD, help="Of a model by name: cosine, joint-bayesian ..."
        ),
    ] = None,
    records: Annotated[
        list[Path] | None,
        typer.Option(rich_help_panel=_RECORD, help="A folder of records, looked at first."),
    ] = None,
    *,
    options: ModelOptions,
) -> None:
    """Write a network of your own as a small file with a card, or a record with its scores as one.

    Zeros of pruned layers take a bit or less each in a packed network; the card names the code that
    takes the weights. A record is packed to attach it or to take it elsewhere.

    Example: facebench pack nets:mine --weights ckpt.pt --size 112 -o mine.safetensors

    Example: facebench pack sparse_074 -p lfw -o sparse_074.json
    """
    if output.suffix == ".safetensors":
        if protocol or similarity or records:
            raise UserError(
                f"--output {output}: --protocol, --similarity and --records are of a record, whose "
                "file ends in .json; leave them out"
            )
        _pack_network(what, output, weights, values, overwrite, options)
        return
    if output.suffix != ".json":
        raise UserError(
            f"--output {output}: a record's file ends in .json, a network's in .safetensors"
        )
    if weights is not None:
        raise UserError(f"--output {output}: --weights are of a network, in a file .safetensors")
    require_output(output)
    with importing():
        from facebench.base.storage import write_atomically
        from facebench.records.files import whole_json
        from facebench.records.find import named_in

    (found,) = named_in(records or [], [what], protocol, similarity)
    write_atomically(output, whole_json(found))


def _pack_network(
    model: str,
    output: Path,
    weights: str | None,
    values: Literal["float16", "int8", "float32"],
    overwrite: bool,
    options: ModelOptions,
) -> None:
    with importing():
        from facebench.models.cards.brought import pack_model
        from facebench.models.cards.sweep import NamedModel, swept

    if not output.parent.is_dir():
        raise UserError(f"--output {output}: there is no folder {output.parent}")
    several = swept([NamedModel(None, model)], weights)
    if len(several) > 1:
        raise UserError(f"--weights {weights}: are {len(several)} files; pack them one by one")
    made = pack_model(several[0].spec, output, values, options, overwrite)
    before = "" if made.before is None else f"{made.before:,} -> "
    typer.echo(f"{made.card.path}: {before}{made.after:,} bytes of weights ({values})")
