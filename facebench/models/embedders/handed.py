"""Models that a program hands over: a torch module, or a function from faces to embeddings."""

from __future__ import annotations

import copy
import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from facebench.base.errors import UserError
from facebench.models.cards.card import ModelCard
from facebench.models.embedders.pinned import module_hash

EmbeddingFunction = Callable[[NDArray[np.uint8]], Any]
_OF_TORCH = ("torch", "builtins")


def handed_card(model: object) -> ModelCard:
    """A card under the name of the class or function; UserError: it is neither a torch module nor
    a function.
    """
    if inspect.isclass(model):
        raise UserError(f"{model.__name__} is a class; pass what it makes, {model.__name__}()")
    if not isinstance(model, nn.Module) and not callable(model):
        raise UserError(
            f"a {type(model).__name__} is no model; pass a name, a file, a torch module or a "
            "function from uint8 faces N×H×W×3 to embeddings N×D"
        )
    own = getattr(model, "__name__", type(model).__name__)
    name = re.sub(r"[^A-Za-z0-9_.-]", "", own).lstrip("_.-")[:64] or "model"
    return ModelCard(name=name, title=own, architecture="python")


def copied(net: nn.Module) -> nn.Module:
    """The module as it is now, ready to be used: evaluating it leaves the user's own as it was, in
    training or not, and on its device.
    """
    computed = (
        value
        for part in net.modules()
        for value in vars(part).values()
        if isinstance(value, Tensor) and not value.is_leaf  # e.g. torch's pruned weights
    )
    try:
        return copy.deepcopy(net, {id(value): value.detach().clone() for value in computed}).eval()
    except Exception as error:
        why = " ".join(str(error).split())[:200]
        raise UserError(f"{type(net).__name__} cannot be copied to be evaluated: {why}") from error


def device_of(model: object) -> str:
    """Where a module's parameters are, e.g. ``cuda:0``; of what has none, ``cpu``."""
    first = next(model.parameters(), None) if isinstance(model, nn.Module) else None
    return "cpu" if first is None else str(first.device)


def handed_hash(net: nn.Module) -> str | None:
    """As `module_hash`; None too where the code that it runs lies in no file (a notebook's, say),
    or in hooks that are not torch's.
    """
    defining = {type(part).__module__ for part in net.modules()}
    own = [name for name in defining if name.partition(".")[0] not in _OF_TORCH]
    files = [Path(getattr(sys.modules.get(name), "__file__", None) or "") for name in own]
    if any(file.suffix != ".py" or not file.is_file() for file in files) or _has_hooks(net):
        return None
    return module_hash(net, type(net).__module__, [file.parent for file in files])


def _has_hooks(net: nn.Module) -> bool:
    """Whether anything but torch's own code, as of its pruning, runs before or after a part."""
    hooks = (
        hook
        for part in net.modules()
        for kind in (part._forward_pre_hooks, part._forward_hooks)
        for hook in kind.values()
    )
    return any(type(hook).__module__.partition(".")[0] != "torch" for hook in hooks)
