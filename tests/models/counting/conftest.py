"""A small zoo."""

from __future__ import annotations

from tests.helpers.costs import zoo  # noqa: F401 - a fixture
