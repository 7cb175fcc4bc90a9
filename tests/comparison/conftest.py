"""Records that tests make."""

from __future__ import annotations

from tests.helpers.records import make_record  # noqa: F401 - a fixture
