"""Downloads from a server on this machine, with small archives."""

from __future__ import annotations

import hashlib
import http.server
import io
import multiprocessing
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from facebench.base.errors import UserError
from facebench.faces.install.download import fetch, get_lfw
from facebench.faces.install.registry import LfwFiles, RemoteFile
from facebench.faces.locate import installed_at, locate


class Server(http.server.ThreadingHTTPServer):
    """Serves ``files``; drops the connection after ``limit`` bytes; notes what it was asked."""

    files: dict[str, bytes]
    limit: int | None
    ranges: bool
    asked: list[tuple[str, str | None]]

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        name, wanted = self.path[1:], self.headers.get("Range")
        self.server.asked.append((name, wanted))
        data = self.server.files.get(name)
        if data is None:
            self.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if start and self.server.ranges and start >= len(data):
            self.send_error(416)
            return
        if start and self.server.ranges:
            data = data[start:]
            self.send_response(206)
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data if self.server.limit is None else data[: self.server.limit])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    made = Server(("127.0.0.1", 0), Handler)
    made.files, made.limit, made.ranges, made.asked = {}, None, True, []
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def remote(server: Server, name: str, data: bytes) -> RemoteFile:
    server.files[name] = data
    return RemoteFile(name, server.url(name), hashlib.sha256(data).hexdigest())


def tar_of(folder: Path, extra: tarfile.TarInfo | None = None) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as opened:
        opened.add(folder / "lfw", "lfw")
        if extra is not None:
            opened.addfile(extra)
    return out.getvalue()


@pytest.fixture
def edition(server: Server, small_lfw: Path) -> LfwFiles:
    archive = remote(server, "lfw.tgz", tar_of(small_lfw))
    lists = (remote(server, "pairs.txt", (small_lfw / "pairs.txt").read_bytes()),)
    return LfwFiles(archive, lists, "lfw", images=8, people=4, pairs=4)


def get(edition: LfwFiles, into: Path) -> Path:
    return get_lfw(into, files=edition, progress=False)


def test_it_is_installed_and_found(
    edition: LfwFiles, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    into = tmp_path / "data"
    assert get(edition, into) == into / "lfw"
    assert sorted(path.name for path in into.iterdir()) == ["lfw"]
    assert sorted(path.name for path in (into / "lfw").iterdir()) == ["lfw", "pairs.txt"]
    monkeypatch.setenv("FACEBENCH_DATA", str(into))
    assert installed_at("lfw") == into / "lfw"
    located = locate("lfw")
    assert (located.source.kind, located.notice, len(located.pairs)) == ("real", None, 4)
    asked = len(server.asked)
    assert get(edition, into) == into / "lfw"
    assert len(server.asked) == asked


def test_of_several_at_once_one_installs_and_the_others_wait(
    edition: LfwFiles, server: Server, tmp_path: Path
) -> None:
    into = tmp_path / "data"
    context = multiprocessing.get_context("fork")
    several = [context.Process(target=get, args=(edition, into)) for _ in range(3)]
    for one in several:
        one.start()
    for one in several:
        one.join(120)
    assert [one.exitcode for one in several] == [0, 0, 0]
    assert [path.name for path in into.iterdir()] == ["lfw"]
    assert sorted(path.name for path in (into / "lfw").iterdir()) == ["lfw", "pairs.txt"]
    assert sorted(name for name, _ in server.asked) == ["lfw.tgz", "pairs.txt"]  # once


def test_the_data_folder_is_the_default_place(
    edition: LfwFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEBENCH_DATA", str(tmp_path / "default"))
    assert get_lfw(files=edition, progress=False) == tmp_path / "default" / "lfw"


def test_a_second_edition_joins_the_first(edition: LfwFiles, server: Server, tmp_path: Path,
                                          small_lfw: Path) -> None:  # fmt: skip
    get(edition, tmp_path / "data")
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as opened:
        opened.add(small_lfw / "lfw", "lfw_funneled")
    archive = remote(server, "lfw-funneled.tgz", out.getvalue())
    get(replace(edition, archive=archive, image_folder="lfw_funneled"), tmp_path / "data")
    names = sorted(path.name for path in (tmp_path / "data/lfw").iterdir())
    assert names == ["lfw", "lfw_funneled", "pairs.txt"]


def test_a_wrong_hash_installs_nothing(edition: LfwFiles, tmp_path: Path) -> None:
    wrong = replace(edition, archive=replace(edition.archive, sha256="0" * 64))
    with pytest.raises(UserError, match=r"is not lfw\.tgz: its SHA-256.*nothing was installed"):
        get(wrong, tmp_path / "data")
    assert not (tmp_path / "data/lfw").exists()
    left = [path.name for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert left == ["pairs.txt"]  # in the work folder, for the next try


@pytest.mark.parametrize(
    ("name", "kind"),
    [("../x", tarfile.REGTYPE), ("/tmp/facebench-x", tarfile.REGTYPE), ("lfw/l", tarfile.SYMTYPE)],
)
def test_a_malicious_member_installs_nothing(
    edition: LfwFiles, server: Server, small_lfw: Path, tmp_path: Path, name: str, kind: bytes
) -> None:
    extra = tarfile.TarInfo(name)
    extra.type, extra.linkname = kind, "/etc/passwd"
    archive = remote(server, "lfw.tgz", tar_of(small_lfw, extra))
    with pytest.raises(UserError, match="refused to unpack"):
        get(replace(edition, archive=archive), tmp_path / "data")
    assert not (tmp_path / "data/lfw").exists()
    assert not list(tmp_path.rglob("x")) and not Path("/tmp/facebench-x").exists()
    assert not list((tmp_path / "data").rglob("*.jpg"))


def test_wrong_counts_or_pairs_install_nothing(
    edition: LfwFiles, server: Server, small_lfw: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="8 images of 4 people and its list 4 pairs; expected 9"):
        get(replace(edition, images=9), tmp_path / "data")
    lists = (remote(server, "pairs.txt", b"1\t1\nZ\t1\t2\nZ\t1\tPerson_A\t1\n"),)
    with pytest.raises(UserError, match="are not in"):
        get(replace(edition, lists=lists, pairs=2), tmp_path / "data")
    edition = replace(edition, lists=(remote(server, "pairs.txt", b"1\t1\n"),))
    with pytest.raises(UserError, match="holds no folder lfw_funneled"):
        get(replace(edition, image_folder="lfw_funneled"), tmp_path / "data")
    assert not (tmp_path / "data/lfw").exists()


def test_an_interrupted_download_continues(server: Server, tmp_path: Path) -> None:
    data = bytes(range(256)) * 4000
    file = remote(server, "big.bin", data)
    server.limit = 300_000
    with pytest.raises(UserError, match=r"cannot download big\.bin from http.*continues where"):
        fetch(replace(file, url=server.url("big.bin")), tmp_path, progress=False)
    part = tmp_path / "big.bin.part"
    assert 0 < part.stat().st_size < len(data)
    assert [path.name for path in tmp_path.iterdir()] == ["big.bin.part"]
    had, server.limit = part.stat().st_size, None
    assert fetch(file, tmp_path, progress=False).read_bytes() == data
    assert server.asked[-1] == ("big.bin", f"bytes={had}-")
    assert [path.name for path in tmp_path.iterdir()] == ["big.bin"]


def test_a_server_without_ranges_sends_all_again(server: Server, tmp_path: Path) -> None:
    data = b"0123456789" * 1000
    file = remote(server, "a.bin", data)
    server.ranges = False
    (tmp_path / "a.bin.part").write_bytes(b"something else")
    assert fetch(file, tmp_path, progress=False).read_bytes() == data


def test_a_part_that_is_whole_or_wrong(server: Server, tmp_path: Path) -> None:
    file = remote(server, "a.bin", b"0123456789")
    (tmp_path / "a.bin.part").write_bytes(b"0123456789")
    assert fetch(file, tmp_path, progress=False).read_bytes() == b"0123456789"
    (tmp_path / "a.bin").unlink()
    (tmp_path / "a.bin.part").write_bytes(b"XX")
    with pytest.raises(UserError, match="SHA-256"):
        fetch(file, tmp_path, progress=False)
    assert list(tmp_path.iterdir()) == []
    assert fetch(file, tmp_path, progress=False).read_bytes() == b"0123456789"


def test_ctrl_c_leaves_nothing_that_looks_complete(
    edition: LfwFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from facebench.faces.install import download

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(download, "verify_lfw", interrupt)
    with pytest.raises(KeyboardInterrupt):
        get(edition, tmp_path / "data")
    assert not (tmp_path / "data/lfw").exists()
    monkeypatch.undo()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert (get(edition, tmp_path / "data") / "lfw").is_dir()


def test_no_network_and_no_such_file_are_one_line(server: Server, tmp_path: Path) -> None:
    closed = Server(("127.0.0.1", 0), Handler)
    address = closed.url("lfw.tgz")
    closed.server_close()
    for url, why in ((address, "no connection"), (server.url("absent"), "HTTP status 404")):
        with pytest.raises(UserError, match=why) as caught:
            fetch(RemoteFile("lfw.tgz", url, "0" * 64), tmp_path / "d", progress=False)
        assert "\n" not in str(caught.value)


def test_a_place_that_cannot_be_written(edition: LfwFiles, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for place in ("file", "file/below"):
        with pytest.raises(UserError, match=r"cannot write in .*: it is no folder; name one with"):
            get(edition, tmp_path / place)
