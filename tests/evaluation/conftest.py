"""Records that tests make, and a small folder of faces."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.records import make_record  # noqa: F401 - a fixture
from tests.helpers.small_lfw import small_lfw
from tests.models.conftest import small_zoo, tiny  # noqa: F401 - fixtures


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """See `small_lfw`."""
    return small_lfw(tmp_path)
