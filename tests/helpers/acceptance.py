"""Tests that `make acceptance` alone runs: they take long, or hold a ratio of times, which other
work on the machine may spoil.
"""

from __future__ import annotations

import os

import pytest

HELD = bool(os.environ.get("FACEBENCH_ACCEPTANCE"))
"""Whether a benchmark holds the ratio that it prints."""
acceptance = pytest.mark.skipif(not HELD, reason="is run by `make acceptance`")
