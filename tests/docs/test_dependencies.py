"""What is imported is declared in pyproject.toml, and what is declared is used."""

from __future__ import annotations

import re
from importlib.metadata import packages_distributions

import pytest

from tests.docs.pages import CHECKOUT
from tests.helpers.imports import outside
from tests.helpers.lower_bounds import bounds, declared, lowest

DISTRIBUTIONS = packages_distributions()
# Each folder: the extras that it may import from beside the dependencies of everybody.
FOLDERS = {
    "facebench": ("faiss", "huggingface", "onnx", "parquet", "ray"),
    "tests": ("faiss", "huggingface", "onnx", "parquet", "ray", "test"),
    "docs": ("docs",),
    "examples": (),
}
# Our own: packages, what a test writes and imports, and the scripts of the documentation.
OURS = {"facebench", "tests", "hatch_build", "tiny_model"}
OURS |= {path.stem for path in (CHECKOUT / "docs").rglob("*.py")}
NOT_OURS_TO_DECLARE = {
    ("facebench", "pytest"),  # the plugin is imported by pytest alone
    ("docs", "pillow"),  # matplotlib's; it makes a picture smaller
    ("tests", "pillow"),  # matplotlib's; a benchmark reads images with it
}
# Used by other files than Python's: the file, and the word there.
USED_BY_NAME = {
    "faiss-cpu": ("tests/benchmarks/test_search.py", 'importorskip("faiss")'),
    "hatchling": ("pyproject.toml", "hatchling.build"),
    "mkdocs-material": ("mkdocs.yml", "name: material"),
    "mkdocstrings-python": ("mkdocs.yml", "- mkdocstrings"),
    "mypy": ("Makefile", "/mypy"),
    "pytest-benchmark": ("pyproject.toml", "--benchmark-disable"),
    "pytest-xdist": ("Makefile", "-n 2"),
    "ruff": ("Makefile", "/ruff"),
}


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def distributions(imported: set[str]) -> set[str]:
    """Those that install what is imported."""
    return {plain(one) for name in imported - OURS for one in DISTRIBUTIONS.get(name, [name])}


def asked(*extras: str) -> set[str]:
    return {re.split(r"[><=]", one)[0] for extra in ("", *extras) for one in declared()[extra]}


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_import_is_declared(folder: str) -> None:
    used = distributions(outside(CHECKOUT / folder)) - asked(*FOLDERS[folder])
    assert {(folder, name) for name in used} <= NOT_OURS_TO_DECLARE


@pytest.mark.parametrize("extra", ["", "huggingface", "onnx", "parquet", "docs", "test"])
def test_every_declared_one_is_used(extra: str) -> None:
    assert extra in declared() and set(FOLDERS["tests"]) | {"", "docs"} == set(declared())
    roots = (
        ["facebench"]
        if extra in ("", "huggingface", "onnx", "parquet")
        else ["facebench", "tests", "docs"]
    )
    used = set().union(*(distributions(outside(CHECKOUT / root)) for root in roots))
    named = {
        name
        for name, (file, word) in USED_BY_NAME.items()
        if word in (CHECKOUT / file).read_text(encoding="utf-8")
    }
    unused = {re.split(r"[><=]", one)[0] for one in declared()[extra]} - used - named
    assert not unused


def test_each_has_one_lowest_version_and_one_that_is_pinned() -> None:
    pins = (CHECKOUT / "constraints.txt").read_text(encoding="utf-8").split()
    pinned = {plain(line.partition("==")[0]) for line in pins}
    assert set(bounds()) <= pinned
    assert {"torch==2.13.0", "opencv-python-headless==4.13.0.90"} <= set(lowest())
