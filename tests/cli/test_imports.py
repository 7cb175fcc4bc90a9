"""What commands import: those that need no network do not wait for torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from facebench.records.files import read_record
from tests.evaluation.test_candidate import publish_half4b

CHECKOUT = Path(__file__).parents[2]
# What no answer of these commands needs, by the command.
WITHOUT = {
    "models": ("torch", "scipy", "matplotlib", "sklearn", "pooch", "cv2"),
    "models show sparse_074": ("torch", "scipy", "matplotlib"),
    "models show resnet50_quarter_taylor_60_int8": ("torch", "scipy", "matplotlib"),
    "models show ensemble_5 --format json": ("torch", "scipy", "matplotlib"),
    "protocols list": ("torch", "scipy", "matplotlib", "cv2", "numpy"),
    "report list": ("torch", "scipy", "matplotlib", "cv2"),
    "compare baseline sparse_074 -p lfw": ("torch", "matplotlib", "cv2", "sklearn", "pooch"),
    "schema": ("torch", "scipy", "matplotlib", "cv2"),
    "--help": ("torch", "scipy", "matplotlib", "cv2", "numpy", "pydantic"),
}
_PROGRAM = """
import json, sys
from facebench.cli.app import main
try:
    main({arguments})
except SystemExit as end:
    assert not end.code, end.code
print()
print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})))
"""


def imported(arguments: str, folder: Path = CHECKOUT) -> set[str]:
    """Packages that a process has imported that ran a command in a folder."""
    program = _PROGRAM.format(arguments=arguments.split())
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=True
    )
    return set(json.loads(found.stdout.splitlines()[-1]))


@pytest.mark.shipped_results
@pytest.mark.parametrize("command", WITHOUT)
def test_a_command_imports_nothing_that_it_does_not_need(command: str) -> None:
    assert not imported(command) & set(WITHOUT[command])


def test_an_evaluation_whose_embeddings_are_stored_needs_no_torch(
    tmp_path: Path, faces: Path
) -> None:
    publish_half4b(tmp_path)
    command = f"eval -m half4b -p lfw --data {faces} --align centre --draws 0 --out"
    first = imported(f"{command} {tmp_path / 'first'}", tmp_path)
    second = imported(f"{command} {tmp_path / 'second'}", tmp_path)
    assert "torch" in first and not {"torch", "matplotlib"} & second
    (one,), (other,) = (
        [read_record(path) for path in (tmp_path / name).rglob("*.json")]
        for name in ("first", "second")
    )
    assert one == other and (one.run.threads > 0, other.run.threads) == (True, 0)


def test_a_run_of_pytest_that_does_not_use_the_plugin_imports_next_to_nothing(
    tmp_path: Path,
) -> None:
    """Every project in whose environment facebench is starts with the plugin."""
    (tmp_path / "test_nothing.py").write_text(
        "import sys\n"
        "def test_modules():\n"
        "    ours = {name for name in sys.modules if name.startswith('facebench')}\n"
        "    assert ours <= {'facebench', 'facebench.base', 'facebench.base.threads',\n"
        "                    'facebench.base.version', 'facebench.pytest_plugin'}, ours\n"
        "    assert not {'numpy', 'torch', 'pydantic', 'typer'} & set(sys.modules)\n"
    )
    arguments = ["-m", "pytest", "-q", "-p", "facebench.pytest_plugin", "-p", "no:cacheprovider"]
    found = subprocess.run(
        [sys.executable, *arguments, str(tmp_path)], cwd=tmp_path, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stdout
