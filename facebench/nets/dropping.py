"""The dropping matrix of a sparse layer, coded as bits or as 16-bit gaps, whichever is smaller."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Code = Literal["bits", "gaps"]
# A gap that does not fit 16 bits: skip this many entries, none of which is kept.
ESCAPE = 0xFFFF


def encode(kept: NDArray[np.bool_]) -> tuple[Code, NDArray[np.uint8] | NDArray[np.uint16]]:
    """A flat dropping matrix (bool N, true: kept) in its smaller code; bits where both are equal.

    ``bits``: uint8 ⌈N/8⌉, first entry in the lowest bit. ``gaps``: uint16, one per kept entry: how
    many dropped ones lie between it and the kept one before; 65535 skips 65535 entries.
    """
    gaps = _to_gaps(np.flatnonzero(kept))
    bits = np.packbits(kept, bitorder="little")
    return ("bits", bits) if bits.nbytes <= gaps.nbytes else ("gaps", gaps)


def decode(code: Code, data: NDArray[np.generic], entries: int) -> NDArray[np.bool_]:
    """The flat dropping matrix (bool, ``entries`` long) back from its code.

    ValueError where the code cannot have come from `encode`: wrong type or length, an index out of
    range, bits set after the end.
    """
    if data.ndim != 1:
        raise ValueError(f"its {code} are not one-dimensional")
    if code == "bits":
        return _from_bits(data, entries)
    return _from_gaps(data, entries)


def _from_bits(data: NDArray[np.generic], entries: int) -> NDArray[np.bool_]:
    if data.dtype != np.uint8 or data.size != (entries + 7) // 8:
        raise ValueError(f"{data.size} bytes of bits for {entries} entries")
    bits = np.unpackbits(data.astype(np.uint8), bitorder="little").astype(np.bool_)
    if bits[entries:].any():
        raise ValueError("bits are set after its last entry")
    return bits[:entries]


def _to_gaps(positions: NDArray[np.int64]) -> NDArray[np.uint16]:
    gaps = np.diff(positions, prepend=-1) - 1
    escapes, rest = np.divmod(gaps, ESCAPE)
    codes = np.full(len(gaps) + int(escapes.sum()), ESCAPE, dtype=np.uint16)
    codes[np.cumsum(escapes + 1) - 1] = rest
    return codes


def _from_gaps(data: NDArray[np.generic], entries: int) -> NDArray[np.bool_]:
    if data.dtype != np.uint16:
        raise ValueError(f"its gaps are {data.dtype}, not uint16")
    codes = data.astype(np.int64)
    escape = codes == ESCAPE
    if escape.size and escape[-1]:
        raise ValueError("its gaps end in a skip")
    positions = (np.cumsum(np.where(escape, ESCAPE, codes + 1)) - 1)[~escape]
    if positions.size and positions[-1] >= entries:
        raise ValueError(f"index {positions[-1]} lies outside its {entries} entries")
    kept = np.zeros(entries, dtype=np.bool_)
    kept[positions] = True
    return kept
