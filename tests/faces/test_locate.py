from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from facebench.base.errors import UserError
from facebench.base.storage import cache_folder, data_folder
from facebench.faces.lfw.rendered import SyntheticSource
from facebench.faces.locate import installed_at, locate, locate_images
from facebench.faces.twins import lfw as twin


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch, small_twin: Path) -> list[Path]:
    """The twin is the small folder; the list says where it was written."""
    written: list[Path] = []

    def write(folder: Path, seed: int = 0, workers: int | None = None,
              progress: Callable[[int, int], None] | None = None) -> None:  # fmt: skip
        written.append(folder)
        shutil.copytree(small_twin, folder)
        (folder / "COMPLETE.json").write_text(
            json.dumps({"fingerprint": twin.twin_fingerprint(seed)})
        )
        if progress is not None:
            progress(8, 8)

    monkeypatch.setattr(twin, "write_lfw_twin", write)
    return written


def write_bin(path: Path, encode) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    images = [encode(seed, 112, 112) for seed in range(20)]
    path.write_bytes(pickle.dumps((images, [True, False] * 5)))
    return path


def test_a_folder_of_real_images(small_lfw: Path) -> None:
    located = locate("lfw", small_lfw)
    assert located.source.name == "lfw" and located.source.kind == "real"
    assert located.folder == small_lfw and len(located.pairs) == 4
    assert located.notice is None and located.landmarks is None and not located.aligned
    (small_lfw / "landmarks.txt").write_text("x")
    assert locate("lfw", str(small_lfw)).landmarks == small_lfw / "landmarks.txt"


def test_the_list_may_lie_beside_the_people_or_be_named(small_lfw: Path, tmp_path: Path) -> None:
    assert len(locate("lfw", small_lfw / "lfw").pairs) == 4
    other = tmp_path / "mine.txt"
    other.write_text("1\t1\nPerson_A\t1\t2\nPerson_A\t1\tPerson_B\t1\n")
    assert len(locate("lfw", small_lfw, pairs=other).pairs) == 2
    (small_lfw / "pairs.txt").unlink()
    with pytest.raises(UserError, match=r"no pairs\.txt or pairs\.csv in .*official list.*pairs="):
        locate("lfw", small_lfw)


def test_a_set_of_ones_own_is_a_folder_with_a_list(small_lfw: Path) -> None:
    located = locate("staff", small_lfw)
    assert (located.source.name, len(located.pairs)) == ("staff", 4)
    assert locate("staff", small_lfw, pairs=small_lfw / "pairs.txt").keys() == located.keys()
    with pytest.raises(
        UserError, match=r"no images of 'staff' are installed; put them into .*data="
    ):
        locate("staff")
    with pytest.raises(UserError, match=r"'lwf'; did you mean 'lfw'"):
        locate("lwf", "synthetic")


@pytest.mark.parametrize("name", ["lfw", "lfw_funneled"])
def test_one_folder_is_one_however_it_is_spelt(
    small_lfw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder = small_lfw / name
    (small_lfw / "lfw").rename(folder)
    (small_lfw / "landmarks.txt").write_text("x")
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "mine"
    link.symlink_to(folder)
    monkeypatch.chdir(folder)
    found = [
        (located.landmarks, len(located.pairs), located.source.label(located.keys()))
        for spelt in (".", f"../{name}", folder, link, link / ".." / name)
        for located in (locate("lfw", spelt),)
    ]
    assert len(set(found)) == 1
    assert found[0][0] == (small_lfw / "landmarks.txt" if name == "lfw" else None)
    everything = {locate_images("lfw", spelt).landmarks for spelt in (".", folder, link)}
    assert everything == {found[0][0]}
    monkeypatch.chdir(folder / "Person_A")
    assert locate("lfw", "..").landmarks == found[0][0]


def test_landmarks_of_the_original_are_not_taken_for_funneled_images(small_lfw: Path) -> None:
    (small_lfw / "landmarks.txt").write_text("x")
    (small_lfw / "lfw").rename(small_lfw / "lfw_funneled")
    assert locate("lfw", small_lfw).landmarks is None


def test_bin_files_by_name_in_a_folder_or_installed(tmp_path: Path, encode) -> None:
    path = write_bin(tmp_path / "sets" / "cfp_fp.bin", encode)
    for data in (path, path.parent):
        located = locate("cfp-fp", data)
        assert located.source.name == "cfp-fp" and located.aligned
        assert located.folder == path.parent and len(located.pairs) == 10
    assert installed_at("cfp-fp") is None
    with pytest.raises(UserError, match=r"cfp_fp\.bin"):
        locate("cfp-fp")
    write_bin(data_folder() / "cfp_fp.bin", encode)
    assert locate("cfp-fp").folder == data_folder()
    with pytest.raises(UserError, match="holds its own pairs"):
        locate("cfp-fp", path, pairs=path)


def test_what_cannot_be_located_is_said(tmp_path: Path, small_lfw: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'cfp-fp'"):
        locate("cfp-pf")
    with pytest.raises(UserError, match="there is no folder or file"):
        locate("lfw", tmp_path / "absent")
    with pytest.raises(UserError, match=r"neither a folder nor .* goes with pairs="):
        locate("lfw", small_lfw / "pairs.txt")
    (tmp_path / "lfw.zip").touch()
    with pytest.raises(UserError, match=r"neither a folder nor .*; unpack it and name"):
        locate("lfw", tmp_path / "lfw.zip")
    with pytest.raises(UserError, match="twin of lfw only"):
        locate("calfw", "synthetic")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="layout of LFW"):
        locate("lfw", tmp_path / "empty")


def test_without_real_data_the_twin_comes_with_a_notice(rendered: list[Path]) -> None:
    seen: list[tuple[int, int]] = []
    located = locate("lfw", seed=3, progress=lambda done, total: seen.append((done, total)))
    fingerprint = twin.twin_fingerprint(3)
    folder = cache_folder() / "synthetic" / fingerprint
    assert rendered == [folder] == [located.folder] and seen == [(8, 8)]
    assert isinstance(located.source, SyntheticSource) and located.aligned
    assert (located.source.kind, located.source.name) == ("synthetic", "synthetic-lfw")
    assert located.source.rendering == fingerprint
    assert located.notice is not None and located.notice.startswith("SYNTHETIC FACES: no LFW")
    assert "facebench data get lfw" in located.notice and "never compared" in located.notice
    locate("lfw", seed=3)
    assert len(rendered) == 1
    assert pickle.loads(pickle.dumps(located.source)).rendering == fingerprint


def test_installed_images_go_before_the_twin(rendered: list[Path], small_lfw: Path) -> None:
    (data_folder() / "lfw").mkdir(parents=True)
    assert locate("lfw").source.kind == "synthetic"  # an empty folder is not installed
    shutil.copytree(small_lfw, data_folder() / "lfw", dirs_exist_ok=True)
    assert locate("lfw").source.kind == "real"
    chosen = locate("lfw", "synthetic")
    assert chosen.source.kind == "synthetic" and "SYNTHETIC" in str(chosen.notice)


def test_a_twin_named_as_a_folder_is_never_real(rendered: list[Path]) -> None:
    folder = locate("lfw", "synthetic").folder
    for data in (folder, folder / "lfw"):
        located = locate("lfw", data)
        assert located.source.kind == "synthetic" and located.aligned
        assert located.source.label([]).startswith(twin.twin_fingerprint(0))
        assert "SYNTHETIC FACES" in str(located.notice)


def test_rendered_faces_without_their_marker_are_refused(small_twin: Path) -> None:
    (small_twin / "COMPLETE.json").unlink()
    with pytest.raises(UserError, match="synthetic faces that are not complete"):
        locate("lfw", small_twin)


def test_photographs_and_rendered_faces_are_never_in_one_list(
    small_lfw: Path, small_twin: Path, tmp_path: Path
) -> None:
    shutil.copytree(small_twin / "lfw", small_lfw / "lfw", dirs_exist_ok=True)
    mixed = tmp_path / "mixed.txt"
    mixed.write_text(f"1\t1\nPerson_A\t1\t2\nPerson_A\t1\t{twin.twin_name(2)}\t1\n")
    with pytest.raises(
        UserError, match=r"mixed\.txt names synthetic faces \(Synth_00002.*Person_A"
    ):
        locate("lfw", small_lfw, pairs=mixed)
    assert locate("lfw", small_lfw).source.kind == "real"  # its list names photographs only
    with pytest.raises(UserError, match="not complete or lost"):
        locate("lfw", small_lfw, pairs=small_twin / "pairs.txt")
    shutil.copy(small_twin / "COMPLETE.json", small_lfw)
    with pytest.raises(UserError, match="the list names photographs; the two are never mixed"):
        locate("lfw", small_lfw)


def test_images_in_folders_are_no_set_that_circulates_as_a_bin_file(
    small_lfw: Path, small_twin: Path
) -> None:
    for name in ("agedb-30", "cfp-fp", "cfp-ff", "calfw", "cplfw"):
        with pytest.raises(UserError, match=rf"{name} is read from its \.bin file.*pairs="):
            locate(name, small_lfw)
        assert len(locate(name, small_lfw, pairs=small_lfw / "pairs.txt").pairs) == 4
    with pytest.raises(UserError, match="twin of lfw only"):
        locate("calfw", small_twin, pairs=small_twin / "pairs.txt")


def test_a_bin_file_is_not_taken_for_another_set(tmp_path: Path, encode) -> None:
    path = write_bin(tmp_path / "agedb_30.bin", encode)
    with pytest.raises(UserError, match="by its name agedb-30 and not lfw; choose -p agedb-30"):
        locate("lfw", path)
    path = path.rename(tmp_path / "mine.bin")
    assert locate("lfw", path).source.name == "lfw"


def test_a_flat_folder_gives_what_the_layout_of_lfw_gives(small_lfw: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for file in (small_lfw / "lfw").rglob("*.jpg"):
        shutil.copy(file, flat)
    with pytest.raises(UserError, match=r"no pairs\.txt"):
        locate("lfw", flat)
    expected, found = locate("lfw", small_lfw), locate("lfw", flat, pairs=small_lfw / "pairs.txt")
    keys = expected.pairs.keys()
    assert found.pairs == expected.pairs and found.source.missing(keys) == []
    assert found.source.fingerprint(keys) == expected.source.fingerprint(keys)
    assert found.source.keys() == expected.source.keys()
    shutil.copy(small_lfw / "pairs.txt", flat)
    assert locate("lfw", flat).pairs == expected.pairs


def test_a_full_disk_and_a_foreign_twin_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for error, message in ((OSError(28, "No space left on device"), "No space left"),
                           (ValueError("holds another synthetic twin"), "another")):  # fmt: skip

        def fail(*_: object, error: Exception = error, **__: object) -> None:
            raise error

        monkeypatch.setattr(twin, "write_lfw_twin", fail)
        with pytest.raises(UserError, match=message):
            locate("lfw")


@pytest.mark.slow
def test_the_twin_that_is_really_rendered_has_its_bare_name() -> None:
    located = locate("lfw", "synthetic")
    keys = located.pairs.keys()
    assert (len(located.pairs), len(keys), located.pairs.folds) == (6000, 7701, 10)
    assert located.source.read(keys[0]).shape == (128, 112, 3)
    assert keys == located.source.keys()
    assert isinstance(located.source, SyntheticSource)
    assert located.source.label(keys) == twin.twin_fingerprint(0)
