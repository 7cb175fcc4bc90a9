"""The most correlated connections only: the paper's variant h."""

from __future__ import annotations

from facebench.pruning.correlation import correlation
from facebench.pruning.task import Mask, Task


def highest(task: Task) -> Mask:
    """Connections drawn from the upper half of every ranking by correlation: λ = 1.

    Source: Sun, Wang, Tang 2015, Section 5.2 (letter h in Table 5).
    """
    return correlation(task, lam=1.0)
