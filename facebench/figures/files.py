"""Figures as files: PNG, SVG or PDF by the ending, the same bytes for the same figure."""

from __future__ import annotations

import io
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facebench.base.errors import UserError
from facebench.base.storage import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLOT_FORMATS = ("png", "svg", "pdf")
_UNDATED: dict[str, dict[str, Any]] = {
    "png": {},
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
}


def plot_format(path: Path, option: str = "--plot") -> str:
    """The format that a file's ending asks for; UserError of an option where it is none of them."""
    ending = path.suffix.lower().lstrip(".")
    if ending not in PLOT_FORMATS:
        raise UserError(f"{option} {path}: the ending must be one of .{', .'.join(PLOT_FORMATS)}")
    return ending


def plot_style() -> AbstractContextManager[None]:
    """What a figure must be made and saved within."""
    from matplotlib import rc_context

    return rc_context({"svg.hashsalt": "facebench", "svg.fonttype": "none", "font.size": 10})


def save_figure(figure: Figure, path: Path, dpi: int = 160) -> None:
    """Write a figure complete or not at all; OSError where the file cannot be written."""
    kind, data = plot_format(path), io.BytesIO()
    figure.savefig(data, format=kind, dpi=dpi, metadata=_UNDATED[kind])
    write_atomically(path, data.getvalue())
