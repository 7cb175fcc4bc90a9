"""What the repository and the package say of themselves agrees."""

from __future__ import annotations

import re
import tomllib

import facebench
from hatch_build import with_addresses
from tests.docs.pages import CHECKOUT, README, links

PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def read(name: str) -> str:
    return (CHECKOUT / name).read_text(encoding="utf-8")


def test_the_citation_is_of_this_version() -> None:
    assert re.search(r"(?m)^version: (.+)$", read("CITATION.cff"))[1] == facebench.__version__  # type: ignore[index]


def test_addresses_stand_in_one_place() -> None:
    address = PROJECT["urls"]["Repository"]
    pages = (README, CHECKOUT / "CONTRIBUTING.md", CHECKOUT / "mkdocs.yml")
    assert not [page.name for page in pages if address in page.read_text(encoding="utf-8")]


def test_the_packages_readme_has_addresses_only() -> None:
    text = with_addresses(README.read_text(encoding="utf-8"), "https://example.org/facebench")
    assert not list(links(text))
    assert "(https://example.org/facebench/raw/main/docs/assets/zoo.png)" in text
    assert "(https://example.org/facebench/blob/main/LICENSE)" in text


def test_code_and_weights_have_licences_of_their_own() -> None:
    assert PROJECT["license"] == "Apache-2.0 AND LicenseRef-facebench-weights"
    assert all((CHECKOUT / name).is_file() for name in PROJECT["license-files"])
    assert (CHECKOUT / "facebench" / "py.typed").is_file()


def test_the_workflow_runs_what_ci_runs() -> None:
    assert "- run: .ci/run\n" in read(".github/workflows/ci.yml")
    parts = re.search(r"(?m)^for name in (.+);", read(".ci/run"))
    assert parts and "docs" in parts[1].split()


def test_the_reference_has_every_public_name() -> None:
    named = re.findall(r"(?m)^::: facebench\.(\w+)$", read("docs/api.md"))
    assert sorted([*named, "__version__"]) == sorted(facebench.__all__)
