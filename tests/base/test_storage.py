"""Files that appear complete or not at all, and where cards are looked for."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import pytest

import facebench.base.storage as storage
from facebench.base.errors import UserError, nearest
from facebench.base.storage import files_as_they_are, kept

ROOT = Path(__file__).parents[2]


def test_a_file_is_written_whole_with_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file.bin"
    storage.write_atomically(path, b"first")
    storage.write_atomically(path, b"second")
    assert path.read_bytes() == b"second"
    assert [entry.name for entry in path.parent.iterdir()] == ["file.bin"]
    assert storage.sha256_file(path) == hashlib.sha256(b"second").hexdigest()


def test_where_the_cache_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FACEBENCH_CACHE before XDG_CACHE_HOME before ~/.cache; data below the cache, or as named."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("FACEBENCH_CACHE", "FACEBENCH_DATA", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert storage.cache_folder() == tmp_path / "home/.cache/facebench"
    for ignored in ("", "caches"):  # unset, and relative, as the XDG specification says
        monkeypatch.setenv("XDG_CACHE_HOME", ignored)
        assert storage.cache_folder() == tmp_path / "home/.cache/facebench"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert storage.cache_folder() == tmp_path / "caches/facebench"
    assert storage.data_folder() == tmp_path / "caches/facebench/data"
    monkeypatch.setenv("FACEBENCH_CACHE", "~/own")
    assert storage.cache_folder() == tmp_path / "home/own"


def test_what_is_kept_together_is_written_into_no_pipe(tmp_path: Path) -> None:
    """Nobody reads there, so that a writer would wait; nothing else is written either."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="it is a pipe") as caught:
        storage.write_together({tmp_path / "one": b"1", tmp_path / "pipe": b"2"})
    assert caught.value.filename == str(tmp_path / "pipe")
    assert [entry.name for entry in tmp_path.iterdir()] == ["pipe"]


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
    def full(path: Path, *_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    path = tmp_path / "file.bin"
    with monkeypatch.context() as patched, pytest.raises(OSError, match="No space") as caught:
        patched.setattr(os, "open", full)
        storage.write_atomically(path, b"new")
    assert caught.value.filename == str(path)


def test_several_files_appear_only_when_all_of_them_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = tmp_path / "one", tmp_path / "new" / "other"
    storage.write_together({one: b"1", other: b"2"})
    assert (one.read_bytes(), other.read_bytes()) == (b"1", b"2")
    sync, done = os.fsync, []

    def full_at_the_second(handle: int) -> None:
        done.append(handle)
        if len(done) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(handle)

    monkeypatch.setattr(os, "fsync", full_at_the_second)
    with pytest.raises(OSError, match="No space") as caught:
        storage.write_together({one: b"new", other: b"new"})
    assert caught.value.filename == str(other)
    assert (one.read_bytes(), other.read_bytes()) == (b"1", b"2")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["new", "one", "other"]


@pytest.mark.parametrize(("mask", "mode"), [(0o077, 0o600), (0o022, 0o644), (0o002, 0o664)])
def test_a_new_file_has_the_mode_of_the_umask(tmp_path: Path, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        storage.write_atomically(tmp_path / "file", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666])
def test_a_file_that_is_there_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(mode)
    storage.write_atomically(path, b"new")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", mode)


_WRITER = """
import os, sys, time
from pathlib import Path
from facebench.base import storage

def wait(handle):
    print("begun", flush=True)
    time.sleep(600)

os.fsync = wait
storage.write_atomically(Path(sys.argv[1]), b"never complete")
"""


def test_what_a_killed_writer_left_goes_and_what_a_living_one_writes_stays(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(tmp_path / name)], stdout=subprocess.PIPE
        )
        for name in ("killed", "alive")
    ]
    try:
        for writer in writers:
            assert writer.stdout is not None and writer.stdout.readline() == b"begun\n"
        assert len(list(tmp_path.iterdir())) == 2
        writers[0].kill()
        writers[0].wait()
        storage.write_atomically(tmp_path / "another", b"x")
        left = [path for path in tmp_path.iterdir() if path.name != "another"]
        assert len(left) == 1 and left[0].read_bytes() == b"never complete"
        writers[1].kill()
        writers[1].wait()
        storage.sweep(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["another"]
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()
            assert writer.stdout is not None
            writer.stdout.close()


def test_only_our_own_parts_are_swept(tmp_path: Path) -> None:
    for name in (".other.part", "download.part", ".facebench-1.txt"):
        (tmp_path / name).write_bytes(b"x")
    storage.sweep(tmp_path)
    storage.sweep(tmp_path / "absent")
    assert len(list(tmp_path.iterdir())) == 3


def test_a_temporary_folder_goes_and_so_do_those_of_the_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    dead = tmp_path / ".facebench-0.part" / "inner"
    dead.mkdir(parents=True)
    (dead / "file").write_bytes(b"x")
    with storage.temporary_folder() as folder, storage.temporary_folder() as second:
        (folder / "file").write_bytes(b"x")
        assert sorted(tmp_path.iterdir()) == sorted([folder, second])
    assert not list(tmp_path.iterdir())


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


def test_files_of_a_name_are_found_once_and_in_the_order_of_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("reports/zoo.toml", "reports/a.toml", "reports/b/a.toml", "reports/b/c.toml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    shipped = sorted(path.stem for path in (ROOT / "reports").glob("*.toml"))
    found = storage.toml_files("reports")
    assert list(found) == sorted({*shipped, "a", "zoo"})
    assert found["zoo"] == tmp_path / "reports" / "zoo.toml"
    assert found[shipped[0]] == ROOT / "reports" / f"{shipped[0]}.toml"
    below = storage.toml_files("reports", ".", "b")
    assert (below["a"].parent, below["c"].parent) == (found["a"].parent, found["a"].parent / "b")
    assert list(storage.toml_files("reports", "b")) == ["a", "c"]


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
    monkeypatch.setattr(storage, "__file__", str(package / "base" / "storage.py"))
    monkeypatch.chdir(tmp_path)
    for kind in ("models", "protocols", "reports"):
        (folder,) = storage.workspace_folders(kind)
        assert folder == package / "workspace" / kind and any(folder.iterdir())


def test_folders_can_be_moved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FACEBENCH_CACHE", str(tmp_path))
    monkeypatch.delenv("FACEBENCH_DATA")
    assert storage.cache_folder() == tmp_path and storage.data_folder() == tmp_path / "data"


@pytest.mark.parametrize("variable", ["FACEBENCH_CACHE", "FACEBENCH_DATA"])
def test_a_tilde_that_no_shell_replaced_is_the_home(
    variable: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(variable, "~/place")
    folder = storage.cache_folder if variable == "FACEBENCH_CACHE" else storage.data_folder
    assert folder() == tmp_path / "place"
    monkeypatch.setenv(variable, "~no_such_user/place")
    with pytest.raises(UserError, match=f"^{variable}=~no_such_user/place: there is no such home"):
        folder()


def test_without_a_home_the_variable_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FACEBENCH_CACHE")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as for a user without an entry
    with pytest.raises(UserError, match="no home folder is known; set FACEBENCH_CACHE"):
        storage.cache_folder()


def test_nearest_name() -> None:
    assert nearest("sparse_74", ["baseline", "sparse_074"]) == "; did you mean 'sparse_074'?"
    assert nearest("LFW", ["ytf", "lfw"]) == "; did you mean 'lfw'?"
    assert nearest("xyz", ["baseline"]) == ""


def counted():
    calls: list[tuple[object, ...]] = []

    @kept
    def asked(name: str, *, fails: bool = False) -> str:
        calls.append((name, fails))
        if fails:
            raise ValueError(name)
        return name.upper()

    return asked, calls


def test_outside_every_call_is_made() -> None:
    asked, calls = counted()
    assert [asked("a"), asked("a")] == ["A", "A"]
    assert len(calls) == 2


def test_within_the_same_arguments_are_answered_once_and_forgotten_after_it() -> None:
    asked, calls = counted()
    for _ in range(2):
        with files_as_they_are():
            assert [asked("a"), asked("b"), asked("a")] == ["A", "B", "A"]
            with files_as_they_are():  # of a function that is called within: it shares
                assert asked("a") == "A"
            assert asked("b") == "B"
    assert [name for name, _ in calls] == ["a", "b", "a", "b"]


def test_errors_are_not_kept() -> None:
    asked, calls = counted()
    with files_as_they_are():
        for _ in range(2):
            with pytest.raises(ValueError, match="a"):
                asked("a", fails=True)
        assert asked("a") == "A"
    assert len(calls) == 3


def test_two_functions_do_not_share_answers() -> None:
    first, second = counted()[0], kept(str.title)
    with files_as_they_are():
        assert (first("ab"), second("ab")) == ("AB", "Ab")
