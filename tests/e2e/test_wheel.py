"""The wheel: small enough to publish, and all that it takes to evaluate a network of the zoo."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
MOST_BYTES = 80_000_000
LIGHT = "student_ensemble_long_int8"  # `make eval` is of a larger one


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    words = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder]
    subprocess.run([sys.executable, "-m", "pip", *words, CHECKOUT], check=True)
    (made,) = folder.glob("facebench-*.whl")
    return made


@pytest.mark.slow
def test_it_is_small_enough_to_publish(wheel: Path) -> None:
    assert wheel.stat().st_size <= MOST_BYTES


@pytest.mark.slow
def test_installed_alone_it_evaluates_a_network_from_an_empty_folder(
    wheel: Path, tmp_path: Path
) -> None:
    """Libraries are this environment's, since tests load nothing; facebench is the wheel's."""
    python = fresh_environment(tmp_path / "environment", wheel)
    empty = tmp_path / "empty"
    empty.mkdir()
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "FACEBENCH_DATA")}
    environment |= {"FACEBENCH_CACHE": str(tmp_path / "cache"), "HOME": str(tmp_path)}
    where = [python, "-c", "import facebench; print(facebench.__file__)"]
    found = subprocess.run(
        where, cwd=empty, env=environment, check=True, text=True, capture_output=True
    )
    assert found.stdout.startswith(str(tmp_path))
    command = [python, "-m", "facebench", "eval", "--model", LIGHT, "--protocol", "lfw"]
    subprocess.run(
        [*command, "--quiet", "--out", "kept"], cwd=empty, env=environment, check=True, timeout=1200
    )
    (record,) = (
        json.loads(path.read_bytes()) for path in (empty / "kept").rglob(f"{LIGHT}-*.json")
    )
    assert record["data"]["kind"] == "synthetic"
    # It has learned from photographs alone; 0.5 is chance.
    assert record["statistics"]["accuracy"]["value"] > 0.6


def fresh_environment(folder: Path, wheel: Path) -> Path:
    """The Python of an environment in which the wheel alone is installed, beside our libraries."""
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    found = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        text=True,
        capture_output=True,
    )
    packages = Path(found.stdout.strip())
    # A path in a .pth file is searched, but the .pth files in it are not run: the checkout, which
    # is installed there in editable form, stays away.
    libraries = dict.fromkeys(p for p in sys.path if p.endswith("site-packages"))
    (packages / "libraries.pth").write_text("\n".join([*libraries, sysconfig.get_path("purelib")]))
    words = ["install", "--quiet", "--no-deps", "--no-index", "--target", packages, wheel]
    subprocess.run([sys.executable, "-m", "pip", *words], check=True)
    return python
