"""Several tests at once: p-values corrected for their number."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's adjusted p-values, in the given order; None: a test that was not made, and stays None.

    The chance that any of them is below a level although nothing differs is at most that level.
    Source: Holm 1979, A simple sequentially rejective multiple test procedure, Section 3.
    """
    made = sorted((p, at) for at, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, at) in enumerate(made):
        highest = max(highest, min(1.0, (len(made) - rank) * p))
        adjusted[at] = highest
    return adjusted
