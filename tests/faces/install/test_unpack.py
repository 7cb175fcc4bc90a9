from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from facebench.base.errors import UserError
from facebench.faces.install import download as unpack
from facebench.faces.install.download import unpack_tar


def archive_of(folder: Path, *members: tarfile.TarInfo, mode: str = "w:gz") -> Path:
    path = folder / "a.tgz"
    with tarfile.open(path, mode) as opened:  # type: ignore[call-overload]
        for member in members:
            opened.addfile(member, io.BytesIO(b"x" * member.size))
    return path


def member(
    name: str, kind: bytes = tarfile.REGTYPE, size: int = 3, link: str = ""
) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size if kind == tarfile.REGTYPE else 0, link
    return info


def test_files_and_folders_are_unpacked(tmp_path: Path) -> None:
    folder = member("lfw", tarfile.DIRTYPE)
    folder.mode = 0o755
    path = archive_of(tmp_path, folder, member("lfw/A/A_0001.jpg"))
    unpack_tar(path, tmp_path / "out")
    assert (tmp_path / "out/lfw/A/A_0001.jpg").read_bytes() == b"xxx"


@pytest.mark.parametrize(
    "bad",
    [
        member("../evil"),
        member("lfw/../../evil"),
        member("/tmp/facebench-evil"),
        member("..\\evil"),
        member("lfw/link", tarfile.SYMTYPE, link="/etc/passwd"),
        member("lfw/link", tarfile.SYMTYPE, link="A_0001.jpg"),
        member("lfw/hard", tarfile.LNKTYPE, link="lfw/A_0001.jpg"),
        member("lfw/pipe", tarfile.FIFOTYPE),
        member("lfw/device", tarfile.CHRTYPE),
        member("lfw/disk", tarfile.BLKTYPE),
    ],
    ids=lambda bad: bad.name,
)
def test_one_bad_member_and_nothing_is_written(tmp_path: Path, bad: tarfile.TarInfo) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    path = archive_of(inner, member("lfw/A_0001.jpg"), bad)
    with pytest.raises(UserError, match="refused to unpack"):
        unpack_tar(path, inner / "out")
    assert sorted(file.name for file in tmp_path.rglob("*")) == ["a.tgz", "inner"]
    assert not Path("/tmp/facebench-evil").exists()


def test_archives_that_are_too_large_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = archive_of(tmp_path, member("a", size=60), member("b", size=60))
    monkeypatch.setattr(unpack, "MAX_BYTES", 100)
    with pytest.raises(UserError, match="'b' makes it too large"):
        unpack_tar(path, tmp_path / "out")
    monkeypatch.setattr(unpack, "MAX_MEMBERS", 0)
    with pytest.raises(UserError, match="'a' makes it too large"):
        unpack_tar(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_damaged_archives_leave_nothing(tmp_path: Path) -> None:
    path = archive_of(tmp_path, *(member(f"lfw/{i}", size=5000) for i in range(20)))
    whole = path.read_bytes()
    for data in (whole[: len(whole) // 2], b"no archive", b""):
        path.write_bytes(data)
        with pytest.raises(UserError, match="cannot unpack"):
            unpack_tar(path, tmp_path / "out")
        assert not (tmp_path / "out").exists()
