"""Which frames of a video are taken: all, every K-th, the first K, or K at random."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np

from facebench.base.errors import UserError, nearest

_RULE = re.compile(r"(every|first|random)-([1-9]\d{0,5})")
_EXAMPLES = ("all", "every-5", "first-50", "random-20")


def check_frames(rule: str) -> None:
    """UserError where a rule is none of ``all``, ``every-K``, ``first-K``, ``random-K``, K ≥ 1."""
    if rule == "all" or _RULE.fullmatch(rule):
        return
    kinds = ("all", "every-K", "first-K", "random-K")
    raise UserError(
        f"unknown rule for frames {rule!r}{nearest(rule, _EXAMPLES)} (one of {', '.join(kinds)}, "
        "K a number from 1 up)"
    )


def choose_frames(rule: str, frames: Sequence[str], video: str) -> list[str]:
    """The frames that a rule takes of a video's, given in the order of time, and left in it.

    ``every-K``: the first of each K; ``first-K``: the K earliest; ``random-K``: K without
    repetition, drawn for this video's name alone, so the same in every list and run. A video of
    fewer frames gives all it has. UserError: an unknown rule.
    """
    check_frames(rule)
    match = _RULE.fullmatch(rule)
    if match is None:
        return list(frames)
    kind, count = match[1], int(match[2])
    if kind == "every":
        return list(frames[::count])
    if kind == "first" or count >= len(frames):
        return list(frames[:count])
    seed = int.from_bytes(hashlib.sha256(video.encode()).digest()[:8], "little")
    drawn = np.random.default_rng(seed).choice(len(frames), size=count, replace=False)
    return [frames[place] for place in np.sort(drawn).tolist()]
