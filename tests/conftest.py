"""What every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
SHARED = CHECKOUT.parent / "shared" / "data"


@pytest.fixture(autouse=True)
def _own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's cache and data."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("FACEBENCH_CACHE", str(home / "cache"))
    monkeypatch.setenv("FACEBENCH_DATA", str(home / "data"))


@pytest.fixture(autouse=True)
def _own_results(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test but those marked ``shipped_results`` finds the records that are kept in git."""
    if request.node.get_closest_marker("shipped_results") is None:
        for module in ("reporting.find", "reporting.report_facts", "costs.record"):
            monkeypatch.setattr(f"facebench.{module}.result_folders", _results_of_the_test)


def _results_of_the_test() -> list[Path]:
    return [] if Path.cwd() == CHECKOUT else [Path.cwd() / "reports" / "results"]


@pytest.fixture
def shared_data() -> Path:
    """Real faces for building and testing; the test is skipped where they are absent."""
    folder = Path(os.environ.get("FACEBENCH_SHARED", SHARED))
    if not folder.is_dir():
        pytest.skip(f"needs the faces in {folder}, which are not on this machine")
    return folder
