"""From what a user calls a model to its card; a file or factory that comes without gets one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from facebench.base.errors import UserError, nearest
from facebench.models.cards.card import FACTORY, ModelCard, card_names, find_card, read_card

_WEIGHTED = re.compile(rf"({FACTORY.pattern})@(.+)")  # a factory, and a file of weights for it
_CODE = re.compile(r"(.+)\.py(?::(\w+))?")
# Kinds of model that are programs, in words; the others are data: numbers that facebench's own
# networks take, and ONNX graphs, which have no operation that reaches a file or another process.
PROGRAMS = {
    "torchscript": "TorchScript",
    "export": "torch.export",
    "python": "Python code",
}
_FILES = {".onnx": "onnx", ".pt": "torchscript", ".pts": "torchscript", ".pt2": "export"}


def card_for(spec: str) -> ModelCard:
    """The card of a model, or one made up for a file or factory that comes without."""
    path = Path(spec)
    suffix = path.suffix.lower()
    if suffix == ".npy":
        raise UserError(
            f"{spec}: holds embeddings, not a model: give it with --embeddings and the names of "
            "its rows with --names"
        )
    if (weighted := _WEIGHTED.fullmatch(spec)) is not None:
        return _weighted_card(*weighted.groups())
    if suffix == ".toml":
        return read_card(path)
    if FACTORY.fullmatch(spec):
        card = ModelCard(name=_plain(spec), title=spec, architecture="python", weights=spec)
        return _as_typed(card, spec)
    if suffix in _FILES:
        return _file_card(path, _FILES[suffix])
    if (code := _CODE.fullmatch(spec)) is not None:
        raise UserError(
            f"{spec}: a Python file is named by its module and the function that makes the "
            f"network, such as {Path(code[1]).name}:{code[2] or 'make_net'}, in the folder where "
            "the module can be imported"
        )
    if suffix == ".safetensors" or path.is_file() or "/" in spec:
        known = ", ".join((".toml", *_FILES))
        raise UserError(
            f"{spec}: not a kind of model file ({known}); packed weights are named by their card, "
            "others go into package.module:factory with --weights FILE"
        )
    return find_card(spec)


def names_apart(models: Sequence[object], names: Sequence[str]) -> list[str]:
    """The names of models that are compared; files of one name get as much of their paths as tells
    them apart: ``run1/model`` and ``run2/model``.

    models: as given, some of them files of models, cards or embeddings by their paths. Where
    nothing tells two apart, their name stays.
    """
    found = list(names)
    for name in {name for name in names if names.count(name) > 1}:
        rows = [row for row, other in enumerate(names) if other == name]
        paths = {row: path for row in rows if (path := _path_of(models[row])) is not None}
        if len(paths) < len(rows):  # one is a card by its name, perhaps the other's
            continue
        for deep in range(1, max(len(path.parts) for path in paths.values())):
            for whole in (False, True):  # without the ending where folders are enough
                told = {
                    row: "/".join([*path.parts[-deep:-1], path.name if whole else name])
                    for row, path in paths.items()
                }
                others = {found[row] for row in range(len(found)) if row not in told}
                if len(set(told.values())) == len(paths) and not others & set(told.values()):
                    break
            else:
                continue
            for row, apart in told.items():
                found[row] = apart
            break
    return found


def _path_of(model: object) -> Path | None:
    """Where the file of a model or card lies, None: it is no file."""
    if not isinstance(model, (str, PathLike)):
        return None
    path = Path(model)
    return path.resolve() if path.suffix.lower() in (".toml", ".npy", *_FILES) else None


def require_data(card: ModelCard) -> None:
    """UserError where a model is a program: what runs it does whatever the program says."""
    if card.architecture in PROGRAMS:
        raise UserError(
            f"model {card.name}: is a program ({PROGRAMS[card.architecture]}), which can do "
            "anything that you can; --untrusted takes data alone: weights with a card, or ONNX"
        )


def is_bare(spec: str) -> bool:
    """Whether a model is a file or code without a card: only options say what its input is."""
    path = Path(spec)
    if _WEIGHTED.fullmatch(spec):
        return True
    is_file = path.suffix.lower() in _FILES and not path.with_suffix(".toml").is_file()
    return is_file or (path.suffix != ".toml" and FACTORY.fullmatch(spec) is not None)


def _weighted_card(factory: str, file: str) -> ModelCard:
    path = Path(file)
    if not path.is_file():
        raise UserError(f"{path}: there is no such file of weights for {factory}")
    card = ModelCard(
        name=_plain(path.stem),
        title=f"{factory} with {path.name}",
        architecture="python",
        factory=factory,
        weights=path.name,
    )
    card._path = path.with_suffix(".toml")
    return _as_typed(card, path.stem)


def _file_card(path: Path, architecture: str) -> ModelCard:
    if not path.is_file():
        hint = nearest(path.stem, card_names())
        raise UserError(f"{path}: no such model file{hint}")
    beside = path.with_suffix(".toml")
    if beside.is_file():
        card = read_card(beside, path)
        if (named := card.weights_path) and named.resolve() == path.resolve():
            return card
        raise UserError(
            f"{beside}: lies beside {path.name} but its 'weights' names {card.weights!r}; correct "
            "it or rename the card"
        )
    card = ModelCard.model_validate(
        {
            "name": _plain(path.stem),
            "title": path.name,
            "architecture": architecture,
            "weights": path.name,
        }
    )
    card._path = beside
    return _as_typed(card, path.stem)


def _as_typed(card: ModelCard, name: str) -> ModelCard:
    """A card that was made up, under the name that the user typed: it is of no file of cards."""
    named = card.model_copy(update={"name": name})
    named._path = card.path
    return named


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "_", text).lstrip("_.-")[:64] or "model"
