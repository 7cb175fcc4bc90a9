"""Which of several runs fell, when each is tested: p-values corrected for their number."""

from __future__ import annotations

from facebench.reporting.paired_statistics import SIGNIFICANCE


def fell_significantly(verdict: str, adjusted: float | None) -> bool:
    """Whether a run is worse than the first one, and chance explains that badly, at 5% over all."""
    return verdict == "worse" and adjusted is not None and adjusted < SIGNIFICANCE
