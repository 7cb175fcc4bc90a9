"""The options of commands: of dataclasses that declare them, and those that commands share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from inspect import Parameter, Signature, signature
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer

from facebench.base.errors import UserError
from facebench.base.options import FACES, Field, Group, Option, options_of, words_of
from facebench.models.embedders.options import ModelOptions

if TYPE_CHECKING:
    from facebench.protocols.settings import Settings

Command = Callable[..., None]
NamedSimilarity = Literal["cosine", "joint-bayesian", "projection"]


def takes(
    groups: Sequence[Group | str],
    said: Mapping[str, Option | None] | None = None,
    /,
    **kinds: type,
) -> Callable[[Command], Command]:
    """A command whose keywords are dataclasses, and whose options are their fields besides its own.

    groups: in the order of ``--help``, each with the command's own options before the fields. said:
    the fields, where not all are taken, and of each the group and words that it has here, if not
    its own. kinds: the dataclass of each keyword, made of what was given before the command runs;
    UserError: it refuses that.
    """
    found = [
        (keyword, _in_other_words(field, said))
        for keyword, kind in kinds.items()
        for field in options_of(kind)
        if said is None or field.name in said
    ]

    def made(command: Command) -> Command:
        own = signature(command, eval_str=True).parameters
        parameters = [one for one in own.values() if one.name not in kinds]
        placed = [(_group_of(one, groups), one) for one in parameters]
        placed += [(groups.index(field.option.group), _parameter(field)) for _, field in found]
        ordered = [one for _, one in sorted(placed, key=lambda one: one[0])]

        def run(**given: Any) -> None:
            chosen: dict[str, dict[str, object]] = {keyword: {} for keyword in kinds}
            for keyword, field in found:
                chosen[keyword][field.name] = field.value(given.pop(field.parameter))
            command(**given, **{word: kinds[word](**chosen[word]) for word in kinds})

        run.__doc__ = command.__doc__
        run.__annotations__ = {one.name: one.annotation for one in ordered}
        run.__signature__ = Signature(  # type: ignore[attr-defined]
            [one.replace(kind=Parameter.KEYWORD_ONLY) for one in ordered]
        )
        return run

    return made


def without_effect_on_embeddings(context: typer.Context, *kinds: type) -> list[str]:
    """Flags of the options that were given and are of models alone, in the order of ``--help``."""
    fields = [field for kind in kinds for field in options_of(kind)]
    of_models = {field.parameter for field in fields if field.option.of_models}
    names = [one.name for one in context.command.params if one.name in of_models]
    sources = [(name, context.get_parameter_source(name)) for name in names if name]
    given = [name for name, source in sources if source and source.name != "DEFAULT"]
    return [f"--{name.replace('_', '-')}" for name in given]


def _in_other_words(field: Field, said: Mapping[str, Option | None] | None) -> Field:
    own, other = field.option, said[field.name] if said else None
    if other is None:
        return field
    return replace(field, option=replace(own, group=other.group, help=other.help))


def _group_of(parameter: Parameter, groups: Sequence[Group | str]) -> int:
    """The group of one of the command's own options, else the first with the title of its panel."""
    details = getattr(parameter.annotation, "__metadata__", ())
    for one in details:
        if isinstance(one, Group):
            return groups.index(one)
    panel = next((getattr(one, "rich_help_panel", None) for one in details), None)
    return list(map(_title, groups)).index(panel)


def _title(group: Group | str) -> str | None:
    return group if isinstance(group, str) else group.title


def _parameter(field: Field) -> Parameter:
    """An option as Typer wants it."""
    option, kinds = field.option, get_args(field.type)
    optional = NoneType in kinds or option.otherwise is not None or field.many
    plain: Any = field.type
    if option.off:
        plain = bool
    elif option.read is not None:
        plain = str
    elif field.many:
        plain = list[str]
    elif Path in kinds:
        plain = Path
    elif NoneType in kinds:
        (plain,) = (kind for kind in kinds if kind is not NoneType)
    least, most = option.bounds
    flags = field.flags if option.flags or field.type is bool else ()
    details = typer.Option(
        *flags, rich_help_panel=_title(option.group), help=option.help, min=least, max=most
    )
    default = None if optional else False if option.off else field.default
    return Parameter(
        field.parameter,
        Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[plain | None if optional else plain, details],
    )


UntrustedOption = Annotated[
    bool, typer.Option("--untrusted", help=words_of(ModelOptions, "untrusted"))
]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", rich_help_panel="Result", help="No progress.")
]


WeightsOption = Annotated[
    list[str] | None,
    typer.Option(help="Weights for the one package.module:factory among the models, as of `eval`."),
]
DataOption = Annotated[
    str | None,
    typer.Option(rich_help_panel=FACES.title, help="A folder or file, as of `eval`."),
]
ClusterOption = Annotated[
    str | None,
    typer.Option(
        rich_help_panel="How",
        help="Embed on a Ray cluster: auto, local:4 or ray://host:10001 (facebench[ray]).",
    ),
]


def embeddings_option(panel: str | None = None) -> Any:
    """``--embeddings`` of commands that take them instead of a model."""
    return typer.Option(
        rich_help_panel=panel,
        help="Embeddings instead of a model: an .npy file, with --names; or a folder of shards "
        "(.npy with names in Parquet) or a Parquet file, which have their own.",
    )


def names_option(panel: str | None = None) -> Any:
    """``--names`` beside `embeddings_option`."""
    return typer.Option(rich_help_panel=panel, help="Names of the rows of --embeddings.")


def shard_option(does: str) -> Any:
    """``--shard`` of commands that many processes share; does: what with a share."""
    return typer.Option(
        help=f"i/n: {does} the i-th of n shares, 1/4 to 4/4. Default: what RANK and WORLD_SIZE "
        "(torchrun) or SLURM_ARRAY_TASK_ID and SLURM_ARRAY_TASK_COUNT say, or all."
    )


def require_one_runtime(settings: Settings, said: str) -> None:
    """UserError where processes that share a store would each choose a runtime; said: by what they
    share it.
    """
    if settings.runtime == "auto":
        raise UserError(
            f"--runtime auto measures on each machine, and {said} shares one store among several: "
            "name the runtime, e.g. --runtime onnxruntime"
        )


def similarity_option(panel: str) -> Any:
    """``--similarity`` of commands that take records or models by name."""
    return typer.Option(rich_help_panel=panel, help="Of models named by name.")


def named_protocol_option(panel: str) -> Any:
    """``--protocol`` of the same."""
    return typer.Option("--protocol", "-p", rich_help_panel=panel, help="Of models named by name.")


def faces_option(panel: str, named: str) -> Any:
    """``--data`` of commands that show faces of records; named: what they tell by them."""
    return typer.Option(rich_help_panel=panel, help=f"The faces' folder: names {named}.")


def list_option(panel: str) -> Any:
    """``--pairs`` beside `faces_option`."""
    return typer.Option(rich_help_panel=panel, help="Their list, if another.")


def records_option(panel: str) -> Any:
    """``--records`` of the same."""
    return typer.Option(rich_help_panel=panel, help="Folders to find models' records in, first.")


def plot_width_option(panel: str | None = None) -> Any:
    """``--plot-width`` of commands that draw into files."""
    return typer.Option(rich_help_panel=panel, help="Inches, or column (3.25) or page (6.75).")
