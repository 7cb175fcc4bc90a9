"""The zoo: from what a user calls a model to an embedder."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from os import PathLike
from pathlib import Path
from types import NoneType
from typing import Any

from torch import nn

from facebench.base.errors import UserError, by_command_line
from facebench.base.options import check_name, require
from facebench.base.storage import sha256_file, working_folder
from facebench.models.architectures.base import CompactNet
from facebench.models.architectures.convnet import ConvNet
from facebench.models.architectures.state import reshape_to
from facebench.models.cards.card import (
    FACTORY,
    ModelCard,
    PreprocessingFields,
    find_card,
    is_compact,
    list_models,
)
from facebench.models.cards.members import trained_members
from facebench.models.cards.names import card_for, require_data
from facebench.models.cards.sweep import takes_weights
from facebench.models.cards.trained import compact_network_of, network_of
from facebench.models.embedders.base import UNPINNED, Embedder, Preprocessing, require_complete
from facebench.models.embedders.ensemble import EnsembleEmbedder, RegionEmbedder
from facebench.models.embedders.handed import (
    EmbeddingFunction,
    copied,
    device_of,
    handed_card,
    handed_hash,
)
from facebench.models.embedders.onnx import (
    OnnxEmbedder,
    OnnxFile,
    OwnNormalisation,
    check_precision,
)
from facebench.models.embedders.options import ModelOptions
from facebench.models.embedders.pinned import module_hash
from facebench.models.embedders.programs import load_exported, load_torchscript
from facebench.models.embedders.python import RAW, CallableEmbedder, make
from facebench.models.embedders.torch import TorchEmbedder
from facebench.models.sparsity.execution import accelerate, runtime_of
from facebench.models.sparsity.masks import freeze
from facebench.models.weights.checkpoint import load_state, state_in

AnyModel = str | PathLike[str] | Embedder | nn.Module | EmbeddingFunction
_CODES_OWN = ("colour", "mean", "scale", "normalise", "layout", "output", "device", "precision")

__all__ = ["card_for", "find_card", "list_models", "load_model", "load_network"]


def load_model(
    model: AnyModel,
    options: ModelOptions | None = None,
    *,
    name: str | None = None,
    weights: str | PathLike[str] | None = None,
) -> Embedder:
    """The model that a user names or hands over, ready to embed faces.

    Parameters
    ----------
    model : str, path, torch.nn.Module, callable or Embedder
        A name of the zoo; a card (``.toml``); a file (``.onnx``, TorchScript ``.pt`` or ``.pts``,
        torch.export ``.pt2``; a card beside it with the same stem counts);
        ``package.module:factory``; a torch module, float32 N×3×H×W → N×D, of which a copy is
        evaluated; or a function, uint8 N×H×W×3 RGB → N×D, that prepares the faces itself.
    options : ModelOptions, optional
        Override the card. Modules and functions have none: their ``size`` must be said here, or by
        an attribute ``input_size`` of the module.
    name : str, optional
        What records and tables call it, in place of its own name.
    weights : str or path, optional
        A file of weights for a torch module or a factory: a state dict as ``torch.save`` writes it,
        alone or within a checkpoint, or safetensors. No pickles are read.

    Returns
    -------
    Embedder
        Its ``embed`` maps uint8 faces N×H×W×3 RGB to float32 N×D, mirrored faces included where
        the flip rule says so.

    Raises
    ------
    UserError
        One line for whatever is wrong with it. TorchScript, torch.export and Python are programs,
        which can do whatever the user can; with ``options.untrusted`` they are refused unread.

    Notes
    -----
    Modules are looked for in the working directory, too, where ``package.module:factory`` names
    one. Embeddings of functions, and of modules whose code lies in no file, are not kept, since no
    hash covers what they depend on.

    Examples
    --------
    >>> import facebench
    >>> import numpy as np
    >>> def grey(faces):
    ...     return faces.mean(axis=3, dtype=np.float32).reshape(len(faces), -1)
    >>> embedder = facebench.load_model(grey, facebench.ModelOptions(size=(8, 8)), name="pixels")
    >>> embedder.id, embedder.embed(np.zeros((2, 8, 8, 3), np.uint8)).shape
    ('pixels', (2, 64))
    """
    require("options", options, (ModelOptions, NoneType), "facebench.ModelOptions(size=(112, 96))")
    require("weights", weights, (str, PathLike, NoneType), "'net.pth'")
    embedder = _loaded(model, options, None if weights is None else Path(weights))
    if name is not None:
        check_name(name)
        embedder = copy(embedder)
        embedder.id = name
    return embedder


def _loaded(model: AnyModel, options: ModelOptions | None, weights: Path | None = None) -> Embedder:
    if weights is not None and not takes_weights(model):
        raise UserError(
            f"weights={str(weights)!r} are of package.module:factory or a torch module, which this "
            "model is not; leave them out"
        )
    if isinstance(model, Embedder):
        require_complete(model, "the model")
        return model
    if isinstance(model, (str, PathLike)):
        spec = str(model) if weights is None else f"{model}@{weights}"
        return _named(spec, options or ModelOptions())
    card = handed_card(model)
    options = options or ModelOptions(device=device_of(model))
    if options.untrusted:
        require_data(card)
    if not isinstance(model, nn.Module):
        return _made(model, card, options, None)
    net = copied(model)
    remarks: tuple[str, ...] = ()
    if weights is not None:
        remarks = load_state(net, state_in(weights), str(weights))
    embedder = _made(net, card, options, handed_hash(net))
    embedder.remarks += remarks
    if isinstance(embedder, TorchEmbedder):
        embedder.path = weights
    return embedder


def _named(spec: str, options: ModelOptions) -> Embedder:
    card = card_for(spec)
    if card.architecture == "ensemble":
        return _ensemble(card, options)
    return _single(card, options)


def _single(card: ModelCard, options: ModelOptions) -> Embedder:
    if options.untrusted:
        require_data(card)
    if card.architecture == "convnet" or is_compact(card):
        return _own_embedder(card, options)
    loaders = {"onnx": _onnx, "torchscript": _program, "export": _program, "python": _python}
    return _with_guesses(loaders[card.architecture](card, options), card, options)


def load_network(spec: str) -> ConvNet | CompactNet:
    """The network of ours that a card or zoo name stands for, with weights and masks."""
    return _network(card_for(spec))


def _network(card: ModelCard) -> ConvNet | CompactNet:
    return compact_network_of(card) if is_compact(card) else network_of(card)


def _ensemble(card: ModelCard, options: ModelOptions) -> Embedder:
    fixed = ("size", "colour", "mean", "scale", "normalise", "layout", "output")
    options.refuse(card.name, "its members and regions say it", *fixed)
    members = []
    for member, own in zip(card.members, trained_members(card), strict=True):
        embedder = _single(own, options)
        if not isinstance(embedder, RegionEmbedder):
            embedder = RegionEmbedder(embedder, card.regions[member.region])
        members.append(embedder)
    return EnsembleEmbedder(card.name, members)


def _preprocessing(
    card: ModelCard, options: ModelOptions, size: tuple[int, int] | None
) -> Preprocessing:
    """Options before card before what the model itself says of its size."""
    fields: PreprocessingFields = card.preprocessing
    size = options.size or fields.size or size
    if size is None:
        how = "--size 112x96 (height x width) or a card with preprocessing.size"
        if not by_command_line():
            how = "options=ModelOptions(size=(112, 96)), height and width"
        raise UserError(f"model {card.name}: the size of its input is not known; give {how}")
    colour = options.colour or fields.colour
    mean, scale = options.normalisation(colour)
    return Preprocessing(
        size=size,
        colour=colour,
        mean=mean or fields.mean,
        scale=scale or fields.scale,
        flip=options.flip or fields.flip,
    )


def _own_embedder(card: ModelCard, options: ModelOptions) -> Embedder:
    kind = card.architecture
    options.refuse(card.name, f"a {kind} has one layout and one output", "layout", "output")
    preprocessing = _preprocessing(card, options, None)
    if preprocessing.size != card.preprocessing.size:
        height, width = card.preprocessing.size or (0, 0)
        raise UserError(f"model {card.name}: takes {height}x{width} faces; leave out --size")
    net = _network(card)
    freeze(net)
    if options.device == "cpu" and options.precision == "float32":
        accelerate(net, batch=options.batch)
    embedder = TorchEmbedder(
        card.name,
        net,
        card.sha256 or "",
        preprocessing,
        device=options.device,
        precision=options.precision,
        channels_last=True,
        dimension=net.dimension if isinstance(net, CompactNet) else net.features,
    )
    embedder.runtime = runtime_of(net)
    return RegionEmbedder(embedder, card.region) if card.region else embedder


def _onnx(card: ModelCard, options: ModelOptions) -> Embedder:
    path = _checked_file(card)
    check_precision(path, options.precision)
    file = OnnxFile(
        path,
        device=options.device,
        layout=options.layout or card.layout,
        output=options.output or card.output,
        size=options.size or card.preprocessing.size,
    )
    preprocessing, own = _preprocessing(card, options, file.size), file.normalisation
    if file.pixels:
        preprocessing, own = _of_pixels(card, options, preprocessing), None
    if own is not None and not _says_normalisation(card, options):
        same = (float(own.unit),) * 3
        preprocessing = replace(preprocessing, mean=(0.0, 0.0, 0.0), scale=same)
    embedder = OnnxEmbedder(card.name, file, preprocessing, options.device)
    if own is not None and _is_twice(own, preprocessing):
        embedder.remarks = (
            f"model {card.name}: its graph normalises pixels itself ({own.words}), and the mean "
            f"and scale that were given are applied before it; with --mean 0 --scale {own.unit} "
            "that is done once",
        )
    elif own is not None and not _says_normalisation(card, options):
        embedder.guessed = "mean scale"
        embedder.remarks = (
            f"model {card.name}: its graph normalises pixels itself ({own.words}), so mean 0 and "
            f"scale {own.unit} are guessed for its input; --mean and --scale say otherwise",
        )
    if len(file.names) > 1 and (options.output or card.output) is None:
        embedder.guessed = f"{embedder.guessed} output".lstrip()
        embedder.remarks += (
            f"model {card.name}: the first of its outputs, {file.output!r}, is guessed to be the "
            f"embedding; --output-name names another ({', '.join(file.names)})",
        )
    return embedder


def _of_pixels(
    card: ModelCard, options: ModelOptions, preprocessing: Preprocessing
) -> Preprocessing:
    """For an input of bytes; UserError where a mean or scale other than 0 and 1 is said."""
    none = replace(preprocessing, mean=(0.0, 0.0, 0.0), scale=(1.0, 1.0, 1.0))
    if _says_normalisation(card, options) and preprocessing != none:
        raise UserError(
            f"model {card.name}: its input is of bytes (uint8), which it normalises itself; leave "
            "mean and scale out"
        )
    return none


def _says_normalisation(card: ModelCard, options: ModelOptions) -> bool:
    """Whether the user or the card says mean or scale."""
    written = card.preprocessing.model_fields_set & {"mean", "scale"}
    return bool(written or options.given("mean", "scale", "normalise"))


def _is_twice(own: OwnNormalisation, preprocessing: Preprocessing) -> bool:
    as_they_are = preprocessing.mean == (0.0, 0.0, 0.0)
    return not (as_they_are and set(preprocessing.scale) == {float(own.unit)})


def _with_guesses(embedder: Embedder, card: ModelCard, options: ModelOptions) -> Embedder:
    """A file without a card, which says nothing of its input: what the user did not say either."""
    if card.path.is_file() or card.architecture == "python":
        return embedder
    prepared, guessed = embedder.preprocessing, []
    if not options.given("colour"):
        guessed.append(f"colour {prepared.colour}")
    known = isinstance(embedder, OnnxEmbedder) and embedder.pixels
    if not (known or _says_normalisation(card, options) or "mean" in embedder.guessed):
        guessed += [f"mean {prepared.mean[0]:g}", f"scale {prepared.scale[0]:g}"]
    if guessed:
        embedder.remarks += (
            f"model {card.name}: nothing says how its input is prepared; guessed: "
            f"{', '.join(guessed)}; a card says it, or --colour, --mean, --scale, --normalise",
        )
        names = " ".join(guess.split()[0] for guess in guessed)
        embedder.guessed = f"{embedder.guessed} {names}".lstrip()
    return embedder


def _program(card: ModelCard, options: ModelOptions) -> Embedder:
    _refuse_layout(card, options)
    path = _checked_file(card)
    load = load_exported if card.architecture == "export" else load_torchscript
    program = load(path, options.device)
    preprocessing = _preprocessing(card, options, program.size)
    if program.size and preprocessing.size != program.size:
        height, width = program.size
        raise UserError(f"{path}: takes {height}x{width} faces; correct the size")
    return _brought(card, options, program.run, program.sha256, preprocessing, program.batch)


def made_by(card: ModelCard) -> tuple[Any, tuple[str, ...]]:
    """What the code of a python card makes, with the card's weights in it, and what is to be said.

    UserError: as of `make`; the weights are not there, changed, or those of another network.
    """
    spec = card.factory or card.weights or ""
    if not FACTORY.fullmatch(spec):
        raise UserError(
            f"{card.path}: 'weights' of a python model is package.module:factory, or a file of "
            "weights beside 'factory'"
        )
    made = make(spec, card.path.parent)
    if card.factory is None:
        return made, ()
    path = _checked_file(card)
    if not isinstance(made, nn.Module):
        raise UserError(f"{spec}: made a {type(made).__name__}, which takes no weights from {path}")
    net = copied(made)  # another file of weights may go into it, too
    state = state_in(path, card.sha256)
    if card.filters_removed:
        try:
            reshape_to(net, state)
        except ValueError as error:
            raise UserError(
                f"{path}: not the weights of {spec} with fewer filters: {error}"
            ) from None
    return net, load_state(net, state, str(path))


def _python(card: ModelCard, options: ModelOptions) -> Embedder:
    made, remarks = made_by(card)
    digest = None
    if isinstance(made, nn.Module):
        folders = (working_folder(), card.path.parent)
        factory = (card.factory or card.weights or "").partition(":")[0]
        digest = module_hash(made.eval(), factory, folders)
    embedder = _made(made, card, options, digest)
    embedder.remarks += remarks
    return embedder


def _made(made: Any, card: ModelCard, options: ModelOptions, digest: str | None) -> Embedder:
    """A torch module, an embedder or a function that a user's code made; digest: of a module."""
    if isinstance(made, nn.Module):
        _refuse_layout(card, options)
        size = getattr(made, "input_size", None)
        preprocessing = _preprocessing(card, options, size if _is_size(size) else None)
        embedder = _brought(card, options, made, digest or UNPINNED, preprocessing)
        embedder.storable = digest is not None
        return embedder
    kind = "an Embedder" if isinstance(made, Embedder) else "a function"
    fixed = {"size", "flip"} if isinstance(made, Embedder) else set()
    _refuse_choices(card, options, kind, {*_CODES_OWN, *fixed})
    if isinstance(made, Embedder):
        return made
    raw = _preprocessing(card, options, None)
    raw = Preprocessing(size=raw.size, mean=RAW[0], scale=RAW[1], flip=raw.flip)
    return CallableEmbedder(card.name, made, raw)


def _refuse_layout(card: ModelCard, options: ModelOptions) -> None:
    options.refuse(card.name, "it is for ONNX files, torch models take N×3×H×W", "layout")
    if card.layout:
        raise UserError(f"{card.path}: field 'layout' is for ONNX files; leave it out")


def _refuse_choices(card: ModelCard, options: ModelOptions, kind: str, fixed: set[str]) -> None:
    """UserError for what the card or an option says and code that runs itself does not heed."""
    options.refuse(card.name, f"{kind} of your own prepares faces and runs itself", *fixed)
    written = card.preprocessing.model_fields_set | ({"output", "layout"} & card.model_fields_set)
    for field in sorted(written & fixed):
        raise UserError(f"{card.path}: field {field!r} has no effect on {kind}; leave it out")


def _brought(
    card: ModelCard,
    options: ModelOptions,
    run: Any,
    digest: str,
    preprocessing: Preprocessing,
    batch: int | None = None,
) -> TorchEmbedder:
    return TorchEmbedder(
        card.name,
        run,
        digest,
        preprocessing,
        device=options.device,
        precision=options.precision,
        batch=batch,
        output=options.output or card.output,
    )


def _checked_file(card: ModelCard) -> Path:
    path = card.weights_path
    if path is None:
        raise UserError(f"{card.path}: a card of architecture {card.architecture} names 'weights'")
    if not path.is_file():
        raise UserError(f"{card.path}: its weights {path} are not there")
    if card.sha256 is not None and (found := sha256_file(path)) != card.sha256:
        raise UserError(
            f"{path}: its SHA-256 is {found[:12]}…, the card says {card.sha256[:12]}…; the file "
            "was changed or does not belong to the card"
        )
    return path


def _is_size(size: Any) -> bool:
    return isinstance(size, tuple) and len(size) == 2 and all(type(n) is int for n in size)
