"""The criteria by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from facebench.errors import UserError, nearest
from facebench.pruning.brp import brp
from facebench.pruning.correlation import correlation
from facebench.pruning.highest import highest
from facebench.pruning.magnitude import magnitude
from facebench.pruning.obd import obd
from facebench.pruning.random import random
from facebench.pruning.task import Criterion

CRITERIA: Mapping[str, Criterion] = MappingProxyType(
    {
        "correlation": correlation,
        "random": random,
        "highest": highest,
        "magnitude": magnitude,
        "obd": obd,
        "brp": brp,
    }
)
# Not a criterion of its own: it takes the masks of a network that exists.
SCRATCH = "scratch"
NAMES = (*CRITERIA, SCRATCH)


def check_criterion(name: str) -> None:
    """UserError for a criterion that is not known, with the nearest one."""
    if name not in NAMES:
        raise UserError(f"unknown criterion {name!r}{nearest(name, NAMES)} ({', '.join(NAMES)})")
