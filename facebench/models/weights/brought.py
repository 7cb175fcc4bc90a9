"""The weights of networks that people bring, in the packed format (`facebench.models.weights`).

Layers of any network are stored as those of ours are: zeros of a layer's weight are left out where
that makes the file smaller, and a tensor that has several names is stored once.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from facebench.base.errors import UserError
from facebench.models.counting.state import place_of
from facebench.models.weights.packed import Values, encode, packed_bytes

TIED = "tied"  # in the file's metadata: the name under which the tensor of another name is stored


def brought_bytes(state: Mapping[str, Tensor], dtype: Values = "float16") -> bytes:
    """A state dict of any network as one packed file; the same state gives the same bytes.

    UserError: a value is NaN, infinite or beyond the range of dtype, or a tensor of a kind that
    cannot be stored.
    """
    first: dict[object, str] = {}
    own: dict[str, Tensor] = {}
    tied: dict[str, str] = {}
    for name, value in state.items():
        stored = first.setdefault(_same_numbers(value), name)
        if stored == name:
            own[name] = value
        else:
            tied[name] = stored
    try:
        masks = {
            name.removesuffix(".weight"): mask
            for name, value in own.items()
            if (mask := _mask(name, value, dtype)) is not None
        }
        return packed_bytes(own, masks, dtype, {TIED: tied} if tied else None)
    except UserError:
        raise
    except (ValueError, TypeError, RuntimeError) as error:
        raise UserError(f"cannot be packed: {' '.join(str(error).split())[:200]}") from error


def _same_numbers(value: Tensor) -> object:
    """What tensors have in common that are one in memory and have their numbers in one order."""
    order = value.stride() if value.layout == torch.strided else ()
    return place_of(value), tuple(value.shape), order


def _mask(name: str, value: Tensor, dtype: Values) -> Tensor | None:
    """Which entries of a layer's weight are not zero, if leaving out the others saves bytes."""
    if not name.endswith(".weight") or value.dim() < 2 or not value.is_floating_point():
        return None
    mask = value != 0
    kept, entries = int(torch.count_nonzero(mask)), mask.numel()
    width = {"int8": 1, "float16": 2, "float32": 4}[dtype]
    if (entries - kept) * width <= min(entries // 8, 2 * kept):
        return None
    code: np.ndarray[tuple[int, ...], np.dtype[np.unsignedinteger]] = encode(
        mask.cpu().numpy().ravel()
    )[1]
    return mask if kept * width + code.nbytes < entries * width else None
