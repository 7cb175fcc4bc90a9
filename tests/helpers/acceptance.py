"""Tests that `make acceptance` alone runs: they take long, or hold a ratio of times, which other
work on the machine may spoil.
"""

from __future__ import annotations

import os

import pytest

acceptance = pytest.mark.skipif(
    not os.environ.get("FACEBENCH_ACCEPTANCE"), reason="is run by `make acceptance`"
)
