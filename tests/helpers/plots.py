"""What a figure in a file says: matplotlib draws letters as shapes, and keeps words beside them."""

from __future__ import annotations

import html
import re
from pathlib import Path


def texts_of(path: Path) -> str:
    """The texts of an SVG file, each ``>so<``, a line each."""
    found = re.findall(r"<!--\s(.*?)\s-->", path.read_text("utf-8"), re.DOTALL)
    return "\n".join(f">{html.unescape(text).replace('- -', '--')}<" for text in found)
