"""A choice of the user, declared once: a field of a dataclass with its words for ``--help``.

``Annotated[int, Option(HOW, "Faces per pass.")] = 32`` in a frozen dataclass is what the command
line, Python and a notebook read: name, type, default and help. `facebench.cli.options` makes the
options of a command of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from difflib import get_close_matches
from inspect import Parameter, cleandoc, signature
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from facebench.base.errors import UserError
from facebench.base.vocabulary import FEWEST_DRAWS, MOST_DRAWS

_RAISES = "Raises\n------\n"
Chosen = TypeVar("Chosen")
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, eq=False)
class Group:
    """Options that stand together, where their title does not tell: without one, or with the one
    of another group, in whose panel they come later.
    """

    title: str | None


ASIDE, FACES, HOW, MACHINE = Group(None), Group("Faces"), Group("How"), Group("How")
INPUT = Group("Input of models without a card (of all models where all have one)")


@dataclass(frozen=True)
class Option:
    """What is said of a field.

    group: where ``--help`` shows it, a title or `Group`; help: its words there. flags: on the
    command line, where they are not the field's name; off: the flag says no to it. least: of a
    number; bounds: (least, most), which ``--help`` tells, too. read: (flag, text) → value, of a
    field that the command line takes as text. otherwise: what the command line takes where nothing
    is said, which ``--help`` does not tell. of_models: without effect on embeddings that are there
    already.
    """

    group: Group | str
    help: str
    flags: tuple[str, ...] = ()
    off: bool = False
    least: int | None = None
    bounds: tuple[int | None, int | None] = (None, None)
    read: Callable[[str, str], object] | None = None
    otherwise: Callable[[], object] | None = None
    of_models: bool = False


@dataclass(frozen=True)
class Field:
    """A field of a dataclass that is an option."""

    name: str
    type: Any
    default: Any
    option: Option

    @property
    def flags(self) -> tuple[str, ...]:
        """On the command line."""
        return self.option.flags or (f"--{self.name.replace('_', '-')}",)

    @property
    def parameter(self) -> str:
        """Name of a command's parameter."""
        return self.flags[0].removeprefix("--").replace("-", "_")

    @property
    def many(self) -> bool:
        """Whether the command line takes it several times."""
        return get_origin(self.type) is tuple and self.option.read is None

    def value(self, text: object) -> object:
        """What the command line gave, as the field holds it. UserError: it cannot be read."""
        if text is None and self.option.otherwise:
            return self.option.otherwise()
        if self.many:
            return tuple(text) if isinstance(text, (list, tuple)) else ()
        if self.option.off:
            return not text
        read = self.option.read
        return read(self.flags[0], text) if read and isinstance(text, str) else text


def options_of(kind: type) -> list[Field]:
    """The fields of a dataclass that are options, in their order."""
    assert is_dataclass(kind)
    hints = get_type_hints(kind, include_extras=True)
    found = []
    for field in fields(kind):
        hint = hints[field.name]
        if get_origin(hint) is Annotated:
            own, *said = get_args(hint)
            found += [Field(field.name, own, field.default, o) for o in said if type(o) is Option]
    return found


def words_of(kind: type, name: str) -> str:
    """The help of a field of a dataclass."""
    return next(field.option.help for field in options_of(kind) if field.name == name)


def from_texts(kind: type[Chosen], texts: Mapping[str, object]) -> Chosen:
    """A dataclass of the texts of its fields; None: the default. UserError names the option."""
    known = {field.name: field for field in options_of(kind)}
    given = {name: text for name, text in texts.items() if text is not None}
    return kind(**{name: known[name].value(text) for name, text in given.items()})


def check_bounds(chosen: object) -> None:
    """UserError for a number of a dataclass below or above what its options allow."""
    for field in options_of(type(chosen)):
        value, (low, most) = getattr(chosen, field.name), field.option.bounds
        least = low if field.option.least is None else field.option.least
        if value is not None and least is not None and value < least:
            raise UserError(f"{field.name} is {value}; it must be at least {least}")
        if value is not None and most is not None and value > most:
            raise UserError(f"{field.name} is {value}; it must be at most {most}")


def check_types(chosen: object) -> None:
    """UserError for a field of a dataclass that is not of its type, with a value that is."""
    hints = get_type_hints(type(chosen))
    for field in fields(chosen):  # type: ignore[arg-type]
        value = getattr(chosen, field.name)
        if not _fits(value, hints[field.name]):
            words, example = _WORDS[_first(hints[field.name])]
            right = example if field.default is None else field.default
            raise UserError(f"{field.name} is {value!r}; it must be {words}, such as {right!r}")


def _fits(value: object, hint: Any) -> bool:
    """Whether a value is of a type; a name of a `Literal` is looked at elsewhere."""
    kind = get_origin(hint)
    if kind in (Union, UnionType):
        return any(_fits(value, one) for one in get_args(hint))
    if kind is Literal:
        return isinstance(value, str)
    if kind is tuple:
        inner = [one for one in get_args(hint) if one is not Ellipsis]
        sure = isinstance(value, tuple) and (len(inner) == len(value) or ... in get_args(hint))
        return sure and all(_fits(one, inner[0]) for one in value)  # type: ignore[attr-defined]
    if hint is bool or isinstance(value, bool):
        return hint is bool and isinstance(value, bool)
    return isinstance(value, _ACCEPTED.get(hint, hint))


def _first(hint: Any) -> Any:
    """What stands first in a choice of types, a tuple by itself."""
    kind = get_origin(hint)
    if kind in (Union, UnionType):
        return _first(get_args(hint)[0])
    return str if kind is Literal else kind or hint


_ACCEPTED: dict[Any, Any] = {int: Integral, float: Real, Path: PathLike}
_WORDS: dict[Any, tuple[str, object]] = {
    bool: ("True or False", True),
    int: ("a whole number", 4),
    float: ("a number", 0.5),
    str: ("a text", "name"),
    Path: ("a pathlib.Path", Path("file")),
    tuple: ("a tuple", ()),
}


def check_keywords(
    function: Callable[..., Any], given: Iterable[str], inside: type | None = None
) -> None:
    """TypeError for a keyword that a function does not take, with the nearest one.

    inside: a dataclass that its ``options`` are, the fields of which are meant at times.
    """
    taken = {name: repr(name) for name in signature(function).parameters}
    if inside is not None:
        for field in fields(inside):
            taken.setdefault(field.name, f"options={inside.__name__}({field.name}=...)")
    for name in given:
        if name in signature(function).parameters:
            continue
        close = get_close_matches(name, taken, n=1, cutoff=0.5)
        hint = f"; did you mean {taken[close[0]]}?" if close else ""
        raise TypeError(f"{function.__name__}: there is no keyword {name!r}{hint}")


def require(what: str, given: object, kinds: tuple[type, ...], example: str) -> None:
    """UserError where what was given to a function is of none of its types."""
    if not isinstance(given, kinds) or (isinstance(given, bool) and bool not in kinds):
        said = repr(given)
        raise UserError(
            f"{what} is {said if len(said) < 80 else f'a {type(given).__name__}'}; it must be like "
            f"{example}"
        )


def percent_level(option: str, value: float) -> float:
    """A level that the command line takes in percent, as a share; UserError names the option."""
    if not 50 <= value < 100:
        raise UserError(f"{option} {value:g}: give percent from 50 to below 100, e.g. 95")
    return value / 100


def require_level(function: str, level: object) -> None:
    """UserError where the level of intervals that a function of ours was given is no share."""
    require("level", level, (float, int), "0.95")
    if not isinstance(level, (float, int)) or not 0 < level < 1:
        raise UserError(f"{function}: level is {level}; give a share between 0 and 1, such as 0.95")


def require_draws(draws: int) -> None:
    """UserError for a number of draws that tells no interval, or that nobody waits for."""
    if draws and not FEWEST_DRAWS <= draws <= MOST_DRAWS:
        raise UserError(
            f"--draws {draws}: an interval takes {FEWEST_DRAWS} draws at least, and {MOST_DRAWS:,} "
            "at most; give 0 for none, or e.g. 1000"
        )


def check_name(name: object) -> None:
    """UserError where what a model is to be called is no text, or a blank one."""
    if not isinstance(name, str) or not name.strip():
        raise UserError(f"name is {name!r}; it must be a text, such as 'mine'")


def require_function(what: str, given: object) -> None:
    """UserError where what is to be called cannot be."""
    if given is not None and not callable(given):
        raise UserError(f"{what} is {given!r}; it must be a function, or left out")


def listed(what: str, given: Any, example: str) -> list[Any]:
    """Several as a list: a text or path is one, and not its letters. UserError: no sequence."""
    if isinstance(given, (str, PathLike)):
        return [given]
    if not isinstance(given, Iterable):
        raise UserError(f"{what} is {given!r}; it must be one or several, such as {example}")
    return list(given)


def told(kind: type[Chosen]) -> type[Chosen]:
    """The dataclass whose docstring says what each of its options is, before what it raises."""
    said, mark, rest = cleandoc(kind.__doc__ or "").partition(_RAISES)
    lines = [
        f"{one.name} : {_type_text(one.type)}\n    {one.option.help}" for one in options_of(kind)
    ]
    kind.__doc__ = "\n".join(
        [said.rstrip(), "", "Parameters", "-" * 10, *lines, "", mark + rest]
    ).rstrip()
    return kind


def _type_text(hint: Any) -> str:
    """``str or None``, ``'rgb' or 'bgr'``."""
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(map(_type_text, get_args(hint)))
    if get_origin(hint) is Literal:
        return " or ".join(map(repr, get_args(hint)))
    if hint is type(None):
        return "None"
    return getattr(hint, "__name__", str(hint)) if get_origin(hint) is None else str(hint)


def with_fields(kind: type) -> Callable[[Function], Function]:
    """A function of ``**keywords`` that shows the fields of a dataclass as its keywords."""

    def shown(function: Function) -> Function:
        given = signature(function)
        own = [one for one in given.parameters.values() if one.kind != Parameter.VAR_KEYWORD]
        more = [
            one.replace(kind=Parameter.KEYWORD_ONLY)
            for one in signature(kind).parameters.values()
            if one.name not in given.parameters
        ]
        function.__signature__ = given.replace(parameters=[*own, *more])  # type: ignore[attr-defined]
        return function

    return shown
