"""``facebench data get``: download, check, unpack and install, complete or not at all."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tarfile
from pathlib import Path, PurePosixPath

import pooch
import requests

from facebench.base.errors import UserError
from facebench.base.locks import only_one
from facebench.base.opening import ARRAY, plain_file
from facebench.base.progress import works
from facebench.base.storage import data_folder
from facebench.faces.install.registry import LFW, LFW_FUNNELED, LfwFiles, RemoteFile
from facebench.faces.lfw.folder import LfwSource
from facebench.faces.lfw.lists import read_pairs, require_images


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
    except (FileExistsError, NotADirectoryError) as error:
        raise UserError(
            f"cannot write in {parent}: it is no folder; name one with --into"
        ) from error
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


_ATTEMPTS = 3
_BLOCK = 1 << 18
_TIMEOUT = (20, 60)  # seconds to connect, and between two pieces


def fetch(file: RemoteFile, folder: Path, *, progress: bool = True) -> Path:
    """Path of the file in ``folder``, which has its hash; downloaded where it is not there yet.

    An interrupted download leaves ``<name>.part``, which the next call continues. UserError where
    the server cannot be reached, or what it gives has another hash.
    """
    logging.getLogger("pooch").setLevel(logging.ERROR)
    pooch.get_logger().setLevel("ERROR")
    try:
        path = pooch.retrieve(
            file.url,
            f"sha256:{file.sha256}",
            fname=file.filename,
            path=folder,
            downloader=_Continuing(folder / f"{file.filename}.part", file.filename, progress),
        )
    except requests.RequestException as error:
        raise UserError(
            f"cannot download {file.filename} from {file.url} ({_short(error)}); check the network "
            "and run the command again, which continues where it stopped"
        ) from error
    except ValueError as error:
        raise UserError(
            f"what {file.url} gives is not {file.filename}: its SHA-256 is not {file.sha256}; "
            "nothing was installed"
        ) from error
    return Path(path)


class _Continuing:
    """A downloader for pooch that keeps its part and asks the server for the rest."""

    def __init__(self, part: Path, name: str, progress: bool) -> None:
        self.part, self.name, self.progress = part, name, progress

    def __call__(self, url: str, output_file: str, pooch_object: object) -> None:
        for attempt in range(_ATTEMPTS):
            try:
                self._rest(url)
                break
            except (
                requests.ConnectionError,
                requests.Timeout,
                requests.exceptions.ChunkedEncodingError,
            ):
                if attempt == _ATTEMPTS - 1 or not self.part.exists():
                    raise
        os.replace(self.part, output_file)

    def _rest(self, url: str) -> None:
        have = self.part.stat().st_size if self.part.exists() else 0
        headers = {"Range": f"bytes={have}-"} if have else {}
        # Without identity a server may compress, and the part's length would mean nothing.
        headers["Accept-Encoding"] = "identity"
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as answer:
            if have and answer.status_code == requests.codes.requested_range_not_satisfiable:
                return  # the part is all there is; its hash decides
            answer.raise_for_status()
            if answer.status_code != requests.codes.partial_content:
                have = 0
            length = answer.headers.get("Content-Length")
            total = have + int(length) if length else None
            with works(self.progress) as told, self.part.open("ab" if have else "wb") as file:
                work = told.begin(self.name, total, "bytes")
                work.to(have)
                for block in answer.iter_content(_BLOCK):
                    file.write(block)
                    work.by(len(block))


def _short(error: requests.RequestException) -> str:
    answer = error.response
    if answer is not None:
        return f"HTTP status {answer.status_code}"
    return "no answer" if isinstance(error, requests.Timeout) else "no connection"


MAX_MEMBERS, MAX_BYTES = 50_000, 2 << 30


def unpack_tar(archive: Path, folder: Path) -> None:
    """Unpack ``archive`` into ``folder``, which must not exist; on any error it does not after.

    UserError for absolute paths, ``..``, links, devices, more than 50,000 members or 2 GiB, and
    for a damaged archive: all members are checked before the first is written.
    """
    try:
        with plain_file(archive, ARRAY) as file, tarfile.open(fileobj=file) as opened:
            members = _checked(archive, opened)
            folder.mkdir(parents=True)
            opened.extractall(folder, members=members, filter="data")
    except (tarfile.TarError, EOFError, OSError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise UserError(f"cannot unpack {archive}: {error}; nothing was installed") from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _checked(archive: Path, opened: tarfile.TarFile) -> list[tarfile.TarInfo]:
    members, total = [], 0
    for member in opened:
        parts = PurePosixPath(member.name).parts
        if member.name.startswith("/") or ".." in parts or "\\" in member.name:
            raise UserError(_refused(archive, member, "lies outside the archive's folder"))
        if not (member.isreg() or member.isdir()):
            raise UserError(_refused(archive, member, "is a link or a device"))
        members.append(member)
        total += member.size
        if len(members) > MAX_MEMBERS or total > MAX_BYTES:
            raise UserError(_refused(archive, member, "makes it too large"))
    return members


def _refused(archive: Path, member: tarfile.TarInfo, why: str) -> str:
    return f"refused to unpack {archive}: {member.name!r} {why}; nothing was installed"
