"""``facebench data get``: download, check, unpack and install, complete or not at all."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from facebench.errors import UserError
from facebench.faces.fetch import fetch
from facebench.faces.folder import LfwSource
from facebench.faces.lists import read_pairs, require_images
from facebench.faces.registry import LFW, LFW_FUNNELED, LfwFiles
from facebench.faces.unpack import unpack_tar
from facebench.locks import only_one
from facebench.storage import data_folder


def get_lfw(
    into: Path | None = None,
    *,
    funneled: bool = False,
    files: LfwFiles | None = None,
    progress: bool = True,
) -> Path:
    """Install LFW as ``<into>/lfw`` (default: the data folder) and return that folder.

    Both editions, original and funneled, may lie there together. An interrupted download
    continues at the next call; what is unpacked appears complete or not at all, and of several
    processes the others wait for the first. UserError where the network, a hash, the archive, the
    counts or the disk are not as they should be.
    """
    edition = files or (LFW_FUNNELED if funneled else LFW)
    parent = into or data_folder()
    target, work = parent / "lfw", parent / f".{edition.image_folder}-download"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with only_one(parent, _tell):
            if (target / edition.image_folder).is_dir():
                verify_lfw(target / edition.image_folder, target / "pairs.txt", edition)
                return target
            work.mkdir(exist_ok=True)
            _install(edition, work, target, progress)
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise UserError(f"cannot write in {parent}: {error.strerror or error}") from error
    return target


def _tell(line: str) -> None:
    print(f"facebench: {line}", file=sys.stderr)


def verify_lfw(images: Path, pairs: Path, edition: LfwFiles) -> None:
    """UserError unless images, people and pairs have the edition's counts and fit together."""
    source, listed = LfwSource(images), read_pairs(pairs)
    keys = source.keys()
    found = (len(keys), len({key.split("/")[0] for key in keys}), len(listed))
    expected = (edition.images, edition.people, edition.pairs)
    if found != expected:
        raise UserError(
            f"{images} holds {found[0]} images of {found[1]} people and its list {found[2]} pairs; "
            f"expected {expected[0]}, {expected[1]} and {expected[2]}; remove the folder and run "
            "`facebench data get lfw` again"
        )
    require_images(listed, source)


def _install(edition: LfwFiles, work: Path, target: Path, progress: bool) -> None:
    lists = [fetch(file, work, progress=progress) for file in edition.lists]
    archive = fetch(edition.archive, work, progress=progress)
    unpacked = work / "unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)  # of a run that was killed here
    unpack_tar(archive, unpacked)
    images = unpacked / edition.image_folder
    if not images.is_dir():
        shutil.rmtree(unpacked)
        raise UserError(f"{archive.name} holds no folder {edition.image_folder}; not installed")
    try:
        verify_lfw(images, work / "pairs.txt", edition)
    except UserError:
        shutil.rmtree(unpacked)
        raise
    target.mkdir(parents=True, exist_ok=True)
    for path in lists:
        os.replace(path, target / path.name)
    # Last, in one step: where the images are, everything is.
    os.replace(images, target / edition.image_folder)
