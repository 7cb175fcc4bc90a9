"""Unpacks a tar archive that is not trusted: only plain files and folders, only inside."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path, PurePosixPath

from facebench.errors import UserError
from facebench.opening import ARRAY, plain_file

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
