"""Makes the README of the package: links that lead into the repository get its address."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

LINK = re.compile(r"(?P<image>!?)(?P<text>\[[^\]]*\])\((?P<path>(?![a-z]+:|#)[^)]+)\)")


def with_addresses(text: str, repository: str) -> str:
    """Markdown whose relative links lead to files of ``repository``, pictures to their bytes."""

    def led(found: re.Match[str]) -> str:
        kind = "raw" if found["image"] else "blob"
        return f"{found['image']}{found['text']}({repository}/{kind}/main/{found['path']})"

    return LINK.sub(led, text)


class ReadmeHook(MetadataHookInterface):
    """Sets ``readme`` from README.md and the address in ``[project.urls]``."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the readme to the project's metadata."""
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        readme = with_addresses(text, metadata["urls"]["Repository"])
        metadata["readme"] = {"content-type": "text/markdown", "text": readme}
