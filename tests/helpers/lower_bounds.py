"""What `make lower-bounds` installs: the lowest versions that pyproject.toml allows.

Torch alone is that of constraints.txt: older ones are not to be had for every machine. The extra
``docs`` is left out, since the site is only ever built with constraints.txt (`make docs`).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9_.-]+)>=(?P<lowest>[0-9.]+)(,<[0-9.]+)?")
_NOT_TESTED = "torch"


def declared() -> dict[str, list[str]]:
    """Requirements by the extra that asks for them; ``""``: everybody. Own extras stand apart."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]
    own = {name: [one for one in asked if "[" not in one] for name, asked in extras.items()}
    return {"": project["dependencies"], **own}


def bounds() -> dict[str, str]:
    """Every distribution that is asked for, and its lowest version. ValueError: it has none."""
    found = {}
    for requirement in (one for asked in declared().values() for one in asked):
        match = _REQUIREMENT.fullmatch(requirement)
        if match is None:
            raise ValueError(f"{requirement}: write NAME>=LOWEST")
        found[match["name"]] = match["lowest"]
    return found


def lowest() -> Iterator[str]:
    """``numpy==2.0`` and so on."""
    of_docs = {_REQUIREMENT.fullmatch(one)["name"] for one in declared()["docs"]}  # type: ignore[index]
    for name, version in bounds().items():
        if name != _NOT_TESTED and name not in of_docs:
            yield f"{name}=={version}"
    constraints = (CHECKOUT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    yield next(line for line in constraints if line.startswith(f"{_NOT_TESTED}=="))


if __name__ == "__main__":
    print(*lowest(), sep="\n")
