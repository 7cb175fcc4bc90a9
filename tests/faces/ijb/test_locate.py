"""Where the lists of IJB-A, IJB-B and IJB-C are found, and rendered faces kept apart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from facebench.base.errors import UserError
from facebench.base.storage import data_folder
from facebench.faces.ijb import locate as ijb_locate
from facebench.faces.ijb.locate import locate_lists, require_kind
from tests.helpers.ijb_folders import write_ijba, write_ijbc

RENDERING = "synthetic-ijba-v1-s0"


def test_a_folder_and_what_is_installed(tmp_path: Path) -> None:
    folder = write_ijba(tmp_path / "here")
    located = locate_lists("ijba", folder)
    assert (located.folder, located.images) == (folder, folder / "images")
    assert (located.kind, located.notice) == ("real", None)
    installed = write_ijba(data_folder() / "ijba")
    assert locate_lists("ijba").folder == installed
    (installed / "images").rename(tmp_path / "elsewhere")
    assert locate_lists("ijba").images == installed  # img/ and frame/ beside the lists


def test_ijbc(tmp_path: Path) -> None:
    folder = write_ijbc(tmp_path / "release" / "IJBC")
    for given in (folder, folder.parent):
        assert locate_lists("ijbc", given).images == folder / "loose_crop"
    with pytest.raises(UserError, match=r"holds no lists of ijbb \(meta/ and loose_crop/\)"):
        locate_lists("ijbb", folder)


def test_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no folder /absent"):
        locate_lists("ijba", "/absent")
    with pytest.raises(UserError, match=r"holds no lists of ijba \(IJB-A_11_sets/ or IJB-A_1N"):
        locate_lists("ijba", tmp_path)
    with pytest.raises(UserError, match="IJB-C needs a signed agreement"):
        locate_lists("ijbc")
    with pytest.raises(UserError, match="a twin of ijba only; IJB-B needs"):
        locate_lists("ijbb", "synthetic")
    with pytest.raises(UserError, match="name their folder with data="):
        locate_lists("ijba", images=False)


def test_the_twin_where_nothing_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    written = []

    def write(folder: Path, seed: int, progress: object) -> None:
        written.append(folder.name)
        write_ijba(folder, images=False)
        (folder / "COMPLETE.json").write_text(json.dumps({"fingerprint": RENDERING}))

    monkeypatch.setattr(ijb_locate.twin, "write_template_twin", write)
    located = locate_lists("ijba")
    assert located.notice.startswith("SYNTHETIC FACES: no IJB-A images are installed in")
    assert (located.kind, located.rendering) == ("synthetic", RENDERING)
    assert locate_lists("ijba", "synthetic").folder == located.folder
    assert written == [RENDERING]  # rendered once
    assert locate_lists("ijba", located.folder).notice.startswith("SYNTHETIC FACES in")


def test_rendered_faces_and_photographs_are_never_mixed(tmp_path: Path) -> None:
    folder = write_ijba(tmp_path / "here", images=False)
    real, rendered = ["img/1.jpg"], ["img/synth_001_0.jpg", "frame/synth_001_6_01.jpg"]
    located = locate_lists("ijba", folder)
    assert require_kind(located, real, True) == "real"
    assert require_kind(located, rendered, False) == "synthetic"  # embeddings need no marker
    with pytest.raises(UserError, match="the two are never mixed"):
        require_kind(located, real + rendered, True)
    with pytest.raises(UserError, match=r"lost their COMPLETE.json; use data='synthetic'"):
        require_kind(located, rendered, True)
    (folder / "COMPLETE.json").write_text(json.dumps({"fingerprint": "synthetic-lfw-v1-s0"}))
    located = locate_lists("ijba", folder)
    assert located.rendering == "synthetic-ijba-unknown"
    with pytest.raises(UserError, match=r"holds rendered faces by its COMPLETE\.json"):
        require_kind(located, real, True)
