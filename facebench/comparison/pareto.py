"""The front of what is small and good."""

from __future__ import annotations

from collections.abc import Sequence


def pareto_front(objectives: Sequence[float], values: Sequence[float]) -> list[bool]:
    """Which points no other point beats: as small and better, or smaller and as good."""
    pairs = list(zip(objectives, values, strict=True))
    return [
        not any(
            other <= own and better >= value and (other, better) != (own, value)
            for other, better in pairs
        )
        for own, value in pairs
    ]
