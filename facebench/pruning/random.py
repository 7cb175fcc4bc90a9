"""Connections without regard to their correlation: the paper's variant r."""

from __future__ import annotations

from facebench.pruning.correlation import correlation
from facebench.pruning.task import Mask, Task


def random(task: Task) -> Mask:
    """Connections drawn alike from both halves of every ranking by correlation: λ = 0.5.

    The rankings then only keep positive and negative connections in proportion.

    Source: Sun, Wang, Tang 2015, Section 5.2 (letter r in Table 5).
    """
    return correlation(task, lam=0.5)
