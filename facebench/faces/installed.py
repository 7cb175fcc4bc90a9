"""What is installed where, for ``facebench data list``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from facebench.errors import UserError
from facebench.faces.folder import LFW_IMAGE_FOLDERS
from facebench.faces.layouts import REGISTERED, is_readable, unpacked
from facebench.faces.locate import DATASETS, SYNTHETIC, installed_at, locate
from facebench.faces.rendered import MARKER
from facebench.opening import SETTINGS, plain_bytes
from facebench.storage import cache_folder, data_folder


@dataclass(frozen=True)
class Installed:
    """One data set: images named by its list, fingerprint as in records, or why there is none."""

    name: str
    where: Path | None
    images: int | None
    fingerprint: str | None
    note: str = ""


def list_installed() -> list[Installed]:
    """Every data set that is known, installed or not; reads the images for their fingerprints."""
    rows: list[Installed] = []
    for name in DATASETS:
        where = installed_at(name)
        editions = _editions(where) if name == "lfw" and where is not None else [where]
        rows += [_row(name, edition) for edition in editions]
    rows += [_registered(name) for name in REGISTERED]
    for marker in sorted((cache_folder() / SYNTHETIC).glob(f"*/{MARKER}")):
        of_lfw = marker.parent.name.startswith(f"{SYNTHETIC}-lfw-")
        rows.append(
            _row("lfw", marker.parent, "synthetic twin of lfw") if of_lfw else _twin(marker)
        )
    return rows


def _twin(marker: Path) -> Installed:
    """A twin of templates or videos, by its marker: its images were complete when that was made."""
    try:
        images = json.loads(plain_bytes(marker, SETTINGS))["images"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        images = None
    rendering = marker.parent.name
    name = rendering.partition("-v")[0]
    return Installed(name, marker.parent, images, rendering, f"{name.replace('-', ' twin of ', 1)}")


def _registered(name: str) -> Installed:
    """Without its fingerprint: the frames of YouTube Faces alone are 25 GB to read."""
    where, look = unpacked(name), f"facebench data check {name}"
    if where is None:
        note = f"needs a registration ({look}); unpack into {data_folder() / name}"
    elif is_readable(name, where):
        note = f"({look})"
    else:
        note = f"not in the layout of {name} ({look})"
    return Installed(name, where, None, None, note)


def _editions(where: Path) -> list[Path | None]:
    """LFW's folder where it has one edition of the images, or the folder of each."""
    found: list[Path | None] = [where / n for n in LFW_IMAGE_FOLDERS if (where / n).is_dir()]
    return found if len(found) > 1 else [where]


def _row(name: str, where: Path | None, note: str = "") -> Installed:
    if where is None:
        how = "facebench data get lfw" if name == "lfw" else f"{name.replace('-', '_')}.bin"
        return Installed(name, None, None, None, f"not installed ({how})")
    try:
        located = locate(name, where)
    except UserError as error:
        return Installed(name, where, None, None, str(error))
    keys = located.pairs.keys()
    return Installed(located.source.name, where, len(keys), located.source.label(keys), note)
