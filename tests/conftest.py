"""What every test may use."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(CHECKOUT))  # tests import each other, whatever pytest was started by

from tests.helpers.sums_of_products import ORDERS, summed  # noqa: E402

SHARED = CHECKOUT.parent / "shared" / "data"


@pytest.fixture(autouse=True, scope="session")
def _interruptible() -> Iterator[None]:
    """Under nohup signals are ignored, and by whatever a test starts, too; tests send them."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    ignored = [number for number in usual if signal.getsignal(number) == signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, usual[number])
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


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
        for module in ("records.find", "records.files", "reports.facts", "records.costs"):
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


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--sums", choices=tuple(ORDERS), help="take sums of products in another order in all tests"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test marked ``any_order`` as it is and with sums of products in three other orders."""
    if metafunc.definition.get_closest_marker("any_order") is None:
        return
    orders = [metafunc.config.getoption("--sums"), *ORDERS]
    metafunc.fixturenames.append("order_of_sums")
    metafunc.parametrize("order_of_sums", orders, ids=lambda order: order or "own")


@pytest.fixture(autouse=True)
def _sums(request: pytest.FixtureRequest) -> Iterator[None]:
    """Sums of products in the order of the test or of the whole run, if one is asked for."""
    asked = request.config.getoption("--sums")
    if "order_of_sums" in request.fixturenames:
        asked = request.getfixturevalue("order_of_sums")
    if asked is None:
        yield
        return
    with summed(asked):
        yield
