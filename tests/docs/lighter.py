"""Which commands of the pages are not run whole, and what is done instead: lighter.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict

LIST = Path(__file__).with_suffix(".toml")


class Lighter(BaseModel):
    """One command, why it is not run as it stands, and how it is made lighter.

    adds: options that are put behind it; recipes: the recipes and plans that facebench ships have
    a few mini-batches, the plans three steps; data: LFW, YouTube Faces and IJB-A are installed in
    small, where otherwise nothing is; parsed: only its options are read; before: what the text
    takes for done.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: str
    reason: str
    adds: str = ""
    recipes: bool = False
    data: bool = False
    parsed: bool = False
    before: tuple[str, ...] = ()


_READ = tomllib.loads(LIST.read_text(encoding="utf-8"))
COMMANDS = [Lighter.model_validate(entry) for entry in _READ["command"]]
PAGES_APART = {entry["page"]: entry["reason"] for entry in _READ["page"]}
"""Pages whose commands are only read here, and why."""
