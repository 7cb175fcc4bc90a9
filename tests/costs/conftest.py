"""A small zoo, and cost records."""

from __future__ import annotations

from tests.helpers.costs import (  # noqa: F401 - fixtures
    _one_thread,
    make_costs,
    make_run,
    zoo,
)
