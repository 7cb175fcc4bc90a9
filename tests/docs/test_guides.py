"""Two guides for contributors, followed in a copy of the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import CHECKOUT, blocks, shown
from tests.docs.place import shorten

GUIDES = CHECKOUT / "docs" / "contributing"
FEW = (
    ("FOLDS, PAIRS, IMAGES = 10, 300, 7701", "FOLDS, PAIRS, IMAGES = 2, 10, 40"),
    ("_PEOPLE, _SEVERAL = 428, 168", "_PEOPLE, _SEVERAL = 6, 5"),
)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """facebench and its cards in git, with recipes of two mini-batches and a small twin of LFW."""
    folder = tmp_path / "checkout"
    unwanted = shutil.ignore_patterns("__pycache__", "weights", "recorded", "results")
    for name in ("facebench", "models", "protocols", "reports"):
        shutil.copytree(CHECKOUT / name, folder / name, ignore=unwanted)
    (folder / "models/weights").mkdir()
    for path in (CHECKOUT / "models/weights").glob("baseline.*"):
        shutil.copy(path, folder / "models/weights")
    if not (folder / "facebench/models/weights").exists():  # a room of that name
        shutil.copytree(CHECKOUT / "facebench/models/weights", folder / "facebench/models/weights")
    shorten(folder / "models")
    edit(folder / "facebench/faces/twins/lfw.py", *FEW)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    program = tmp_path / "bin" / "facebench"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m facebench "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    for words in ("init -q", "add .", "-c user.name=n -c user.email=e commit -qm all"):
        subprocess.run(["git", *words.split()], check=True)
    return folder


def edit(path: Path, *changes: tuple[str, str]) -> None:
    """Replace what is there once."""
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        assert text.count(old) == 1, (path, old)
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def follow(guide: str) -> None:
    """Run a guide's commands in their order, and see that nothing of them is left."""
    for one in shown(GUIDES / guide):
        subprocess.run(["bash", "-c", one.command], check=True)


def left_over() -> list[str]:
    """Files that git does not know, and those that were changed, but for the guides' own code."""
    status = subprocess.run(
        ["git", "status", "--porcelain"], check=True, capture_output=True, text=True
    ).stdout
    return [line[3:] for line in status.splitlines() if "facebench/" not in line]


@pytest.mark.slow
def test_a_criterion(checkout: Path) -> None:
    (code,) = blocks((GUIDES / "criterion.md").read_text("utf-8"), "python")
    edit(
        checkout / "facebench/lab/connections/criteria.py",
        ("CRITERIA: Mapping[", f"{code}\n\nCRITERIA: Mapping["),
        ('        "brp": brp,\n', '        "brp": brp,\n        "smallest": smallest,\n'),
    )
    follow("criterion.md")
    assert set(left_over()) <= {"training/", "reports/"}


@pytest.mark.slow
def test_a_network(checkout: Path) -> None:
    page = (GUIDES / "network.md").read_text("utf-8")
    (code,), (card,) = blocks(page, "python"), blocks(page, "toml")
    rooms = checkout / "facebench/models/architectures"
    (rooms / "tinynet.py").write_text(code)
    (checkout / "models/tinynet.toml").write_text(card)
    edit(
        rooms / "registry.py",
        ('"deepid2_plus", "deepid3"\n]', '"deepid2_plus", "deepid3", "tinynet"\n]'),
        (
            "_NETS = MappingProxyType(\n    {",
            '_NETS = MappingProxyType(\n    {"tinynet": ("tinynet", "TinyNet"),',
        ),
    )
    follow("network.md")
    assert set(left_over()) <= {"models/tinynet.toml", "training/", "reports/"}
