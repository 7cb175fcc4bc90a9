"""Files that appear complete or not at all, and where cards are looked for."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tomllib
from pathlib import Path

import pytest

import facebench.storage as storage
from facebench.errors import nearest

ROOT = Path(__file__).parents[1]


def test_a_file_is_written_whole_with_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file.bin"
    storage.write_atomically(path, b"first")
    storage.write_atomically(path, b"second")
    assert path.read_bytes() == b"second"
    assert [entry.name for entry in path.parent.iterdir()] == ["file.bin"]
    assert storage.sha256_file(path) == hashlib.sha256(b"second").hexdigest()


def test_a_device_is_written_to_and_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        storage.write_atomically(pipe, b"through")
        assert os.read(reading, 100) == b"through" and pipe.is_fifo()
    finally:
        os.close(reading)
    assert [entry.name for entry in tmp_path.iterdir()] == ["pipe"]


def test_links_stay_and_what_they_lead_to_is_written(tmp_path: Path) -> None:
    target, link = tmp_path / "target.txt", tmp_path / "link"
    target.write_text("old")
    link.symlink_to("target.txt")
    storage.write_atomically(link, b"new")
    assert link.is_symlink() and target.read_bytes() == b"new"
    with (tmp_path / "out.txt").open("wb") as redirected:
        stream = tmp_path / "stream"
        stream.symlink_to(f"/proc/self/fd/{redirected.fileno()}")
        storage.write_atomically(stream, b"through")
    assert stream.is_symlink() and (tmp_path / "out.txt").read_bytes() == b"through"


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(OSError, match="No space") as caught:
        storage.write_atomically(path, b"new")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))
    assert str(caught.value) == f"[Errno {errno.ENOSPC}] No space left on device: '{path}'"
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.bin"]


def test_a_full_disk_names_the_file_and_not_the_one_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(prefix: str, suffix: str, dir: Path) -> tuple[int, str]:
        raise OSError(errno.ENOSPC, "No space left on device", f"{dir}/{prefix}abc{suffix}")

    monkeypatch.setattr("tempfile.mkstemp", full)
    path = tmp_path / "file.bin"
    with pytest.raises(OSError, match="No space") as caught:
        storage.write_atomically(path, b"new")
    assert caught.value.filename == str(path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_device_is_named_where_the_system_does_not() -> None:
    with pytest.raises(OSError, match="No space") as caught:
        storage.write_atomically(Path("/dev/full"), b"new")
    assert caught.value.filename == "/dev/full"


def test_cards_of_the_working_directory_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models").mkdir()
    monkeypatch.chdir(tmp_path)
    assert storage.workspace_folders("models") == [tmp_path / "models", ROOT / "models"]
    assert storage.workspace_folders("protocols") == [ROOT / "protocols"]


def test_the_checkout_is_listed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert storage.workspace_folders("reports") == [ROOT / "reports"]


def test_an_installed_wheel_carries_its_cards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wheel puts the three folders where an installed package looks for them."""
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    mapping = wheel["targets"]["wheel"]["force-include"]
    package = tmp_path / "site-packages" / "facebench"
    for source, target in mapping.items():
        ignored = shutil.ignore_patterns("weights", "results")
        shutil.copytree(ROOT / source, package.parent / target, ignore=ignored)
    monkeypatch.setattr(storage, "__file__", str(package / "storage.py"))
    monkeypatch.chdir(tmp_path)
    for kind in ("models", "protocols", "reports"):
        (folder,) = storage.workspace_folders(kind)
        assert folder == package / "workspace" / kind and any(folder.iterdir())


def test_folders_can_be_moved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FACEBENCH_CACHE", str(tmp_path))
    monkeypatch.delenv("FACEBENCH_DATA")
    assert storage.cache_folder() == tmp_path and storage.data_folder() == tmp_path / "data"


def test_nearest_name() -> None:
    assert nearest("sparse_74", ["baseline", "sparse_074"]) == "; did you mean 'sparse_074'?"
    assert nearest("xyz", ["baseline"]) == ""
