"""The contact sheet of a folder's faults: the images that were found, with what was found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from facebench.faces.faults import KINDS, NOTED, FaultKind, FolderFaults, ImageFault
from facebench.faces.types import FaceSource, Image, ImageError
from facebench.figures.faces import short_name
from facebench.figures.files import plot_style, save_figure
from facebench.figures.labels import drawn_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHEET = "--sheet"
_COLUMNS, _EACH = 4, 8  # cells of a row; of a kind
_SIDE = 150  # pixels of an image in its cell
_INCHES, _HEADING, _ABOVE = (2.9, 2.25), 0.45, 0.5
_COLOURS = {True: "#0072B2", False: "#D55E00"}  # noted, wrong
_DRAWN: tuple[FaultKind, ...] = tuple(
    kind for kind in KINDS if kind not in ("unreadable", "empty", "one image")
)


def save_contact_sheet(found: FolderFaults, path: Path) -> bool:
    """Write the images of the findings that can be drawn, the first few of every kind; PNG, SVG or
    PDF by the ending. Whether there are any; OSError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    kinds = {kind: _first(found, kind) for kind in _DRAWN}
    kinds = {kind: faults for kind, faults in kinds.items() if faults}
    if not kinds:
        return False
    rows = {kind: -(-len(faults) // _COLUMNS) for kind, faults in kinds.items()}
    heights = [rows[kind] * _INCHES[1] + _HEADING for kind in kinds]
    size = (_COLUMNS * _INCHES[0], sum(heights) + _ABOVE)
    with plot_style():
        figure = Figure(figsize=size, layout="constrained")
        title = f"{drawn_name(found.name)}: {found.images:,} images of {found.people:,} people"
        figure.suptitle(title, x=0.01, ha="left", fontsize=12)
        areas = figure.subfigures(len(kinds), 1, squeeze=False, height_ratios=heights).ravel()
        for area, (kind, faults) in zip(areas, kinds.items(), strict=True):
            count = found.count(kind)
            told = "" if count == len(faults) else f", the first {len(faults)}"
            area.suptitle(
                f"{kind}: {count:,}{told}", x=0.01, ha="left", fontsize=11, fontweight="bold",
                color=_COLOURS[kind in NOTED],
            )  # fmt: skip
            cells = area.subplots(rows[kind], _COLUMNS, squeeze=False).ravel()
            for cell in cells:
                cell.set_axis_off()
            for cell, fault in zip(cells, faults, strict=False):
                _draw(cell, fault, found)
        save_figure(figure, path, dpi=110)
    return True


def _first(found: FolderFaults, kind: FaultKind) -> list[ImageFault]:
    return [fault for fault in found.faults if fault.kind == kind][:_EACH]


def _draw(axes: Axes, fault: ImageFault, found: FolderFaults) -> None:
    images = [_read(found.source, fault.image)]
    other = fault.other
    if fault.kind == "wrong label":
        own = _of_person(found, fault.person, but=fault.image)
        images += [_read(found.source, own)] if own else []
        other = _of_person(found, other)
    if other:
        images.append(_read(found.source, other))
    axes.imshow(np.concatenate([_squared(image) for image in images], axis=1))
    lines = [drawn_name(_cut(fault.image)), drawn_name(_cut(fault.what))]
    if fault.kind == "wrong label":
        lines[1:] = [f"beside its own, and {drawn_name(_cut(fault.other))}",
                     f"margin {fault.value:.3f}"]  # fmt: skip
    elif other:
        lines[1:] = [f"and {short_name(other)}", f"{fault.value:.3f}" if fault.value else "equal"]
    axes.set_title("\n".join(lines), fontsize=7.5)


def _of_person(found: FolderFaults, person: str, but: str = "") -> str:
    """The first image of a person that is not in question itself, empty where there is none."""
    doubtful = {fault.image for fault in found.faults if fault.kind not in NOTED} | {but}
    keys = found.source.keys()
    own = [key for key in keys if key.startswith(f"{person}/") and key != but]
    return next((key for key in own if key not in doubtful), own[0] if own else "")


def _read(source: FaceSource, key: str) -> Image:
    try:
        return source.read(key)
    except ImageError:
        return np.full((_SIDE, _SIDE, 3), 200, np.uint8)


def _squared(image: Image) -> Image:
    """An image within a square of white, whole."""
    height, width = image.shape[:2]
    scale = (_SIDE - 6) / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    small = cv2.resize(image, size, interpolation=how)
    square = np.full((_SIDE, _SIDE, 3), 255, np.uint8)
    top, left = (_SIDE - size[1]) // 2, (_SIDE - size[0]) // 2
    square[top : top + size[1], left : left + size[0]] = small
    return square


def _cut(text: str) -> str:
    return text if len(text) <= 44 else f"{text[:20]}…{text[-23:]}"
