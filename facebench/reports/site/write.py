"""A site on disk: complete or not at all, aside first and then moved."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from facebench.base.errors import UserError
from facebench.base.storage import files_as_they_are, temporary_folder
from facebench.base.text import json_text
from facebench.base.version import __version__
from facebench.base.vocabulary import SITE_MARK
from facebench.records.files import table_files
from facebench.reports.site.folios import KeptRecord, Site, read_site
from facebench.reports.site.pages import pages_of


@files_as_they_are()
def write_site(places: Sequence[Path], folder: Path, title: str, *, scores: bool = True) -> Site:
    """Write the site of the records in files and folders.

    scores: copy these beside the records. A site that is in the folder already is replaced as a
    whole; its place is empty for the moment between two renames. UserError: as `read_site`, or a
    folder that holds something else. OSError: a full disk; then the folder is as it was.
    """
    require_own(folder)
    site = read_site(places)
    whole = folder.absolute()
    whole.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(whole.parent) as aside:
        new = aside / "new"
        _fill(new, site, title, scores)
        if whole.exists():
            os.replace(whole, aside / "old")
        os.replace(new, whole)
    return site


def require_own(folder: Path) -> None:
    """UserError where a folder is no place for a site: a file, or a folder of other things."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UserError(f"--out {folder}: is a file; name a folder for the site")
    if folder.resolve() == Path.cwd():
        raise UserError(f"--out {folder}: is the working directory; name a folder in it")
    if any(folder.iterdir()) and not (folder / SITE_MARK).is_file():
        raise UserError(
            f"--out {folder}: holds other files than a site's; name a new or empty folder"
        )


def _fill(folder: Path, site: Site, title: str, scores: bool) -> None:
    for name, text in pages_of(site, title):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    for kept in site.kept:
        _copy(kept, folder, scores)
    mark = {"facebench": __version__, "title": title, "records": [one.copy for one in site.kept]}
    (folder / SITE_MARK).write_bytes(json_text(mark).encode())
    (folder / ".nojekyll").touch()  # of GitHub Pages: every file is served as it is


def _copy(kept: KeptRecord, folder: Path, scores: bool) -> None:
    """The record's bytes as they are, and its scores where they are to be had."""
    path = folder / kept.copy
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(kept.source, path)
    if scores:
        for file, data in table_files(kept.record, path).items():
            file.write_bytes(data)
