"""Links that leave the site lead to the repository; what pages load is in the site itself."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError

CHECKOUT = Path(__file__).resolve().parents[2]
LOADED = re.compile(
    r"<(?:script|img|iframe|source)[^>]*\ssrc=.?https?:|rel=.?stylesheet[^>]*https?:"
)
LINK = re.compile(r"(\]\()((?:\.\./)+[^)#\s]+)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Take the addresses of site and repository from ``pyproject.toml``.

    The theme's own ``repo_url`` stays unset: pages would ask GitHub for its stars.
    """
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    config.extra["repository"] = project["urls"]["Repository"]
    config.site_url = project["urls"]["Documentation"]
    return config


def on_page_markdown(markdown: str, *, page: Any, config: MkDocsConfig, files: Any) -> str:
    """Lead links that leave ``docs`` to the file in the repository."""
    folder = PurePosixPath("docs") / PurePosixPath(page.file.src_uri).parent

    def led(found: re.Match[str]) -> str:
        path = normpath(str(folder / found[2]))
        if path.startswith(("docs/", "..")):
            return found[0]
        return f"{found[1]}{config.extra['repository']}/blob/main/{path}"

    return LINK.sub(led, markdown)


def on_post_page(output: str, *, page: Any, config: MkDocsConfig) -> str:
    """Refuse a page that would load something from elsewhere; links may lead anywhere."""
    if found := LOADED.search(output):
        raise PluginError(f"{page.file.src_uri} loads from elsewhere: {found[0]}")
    return output
