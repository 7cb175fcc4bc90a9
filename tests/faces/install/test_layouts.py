from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from facebench.base.errors import UserError
from facebench.base.storage import data_folder
from facebench.faces.install.installed import check_dataset, is_readable
from tests.helpers.ijb_folders import write_ijba, write_ijbc
from tests.helpers.ytf_folders import write_ytf


def wrong(name: str, data: Path) -> list[str]:
    return [finding.text for finding in check_dataset(name, data) if not finding.ok]


def test_lfw(small_lfw: Path) -> None:
    texts = [finding.text for finding in check_dataset("lfw", small_lfw)]
    assert "4 pairs in 2 folds" in texts
    assert any(text.startswith("fingerprint lfw-") for text in texts)
    assert wrong("lfw", small_lfw) == ["8 images of 4 people (all of LFW: 13233 of 5749)"]
    file = small_lfw / "lfw/Person_A/Person_A_0001.jpg"
    file.write_bytes(file.read_bytes()[:-9])
    (small_lfw / "lfw/Person_D/Person_D_0002.jpg").unlink()
    assert wrong("lfw", small_lfw)[1:] == [
        "images of the pairs that are absent: 1 (Person_D/Person_D_0002.jpg)",
        "images that are truncated or cannot be read: 1 (Person_A/Person_A_0001.jpg)",
    ]


def test_lfw_in_a_flat_folder(small_lfw: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for file in (*(small_lfw / "lfw").rglob("*.jpg"), small_lfw / "pairs.txt"):
        (flat / file.name).write_bytes(file.read_bytes())
    expected = [finding.text for finding in check_dataset("lfw", small_lfw)]
    assert [finding.text for finding in check_dataset("lfw", flat)] == expected
    (flat / "Person_A_0001.jpg").write_bytes(b"")
    assert wrong("lfw", flat)[1:] == [
        "images that are truncated or cannot be read: 1 (Person_A/Person_A_0001.jpg)"
    ]


@pytest.mark.parametrize("kind", ["folder", "link to nothing"])
def test_what_is_no_image_under_its_name_is_told(small_lfw: Path, kind: str) -> None:
    file = small_lfw / "lfw/Person_A/Person_A_0001.jpg"
    file.unlink()
    if kind == "folder":
        file.mkdir()
    else:
        file.symlink_to("/nowhere")
    told = "1 (Person_A/Person_A_0001.jpg)"
    assert wrong("lfw", small_lfw)[-1] == f"images that are truncated or cannot be read: {told}"


def test_bin(tmp_path: Path, encode) -> None:
    path = tmp_path / "calfw.bin"
    images = [encode(seed, 112, 112) for seed in range(20)]
    path.write_bytes(pickle.dumps((images, [True] * 10)))
    assert wrong("calfw", path) == []
    path.write_bytes(pickle.dumps(([*images[:-1], images[0][:-5]], [True] * 10)))
    assert wrong("calfw", tmp_path) == ["images that are truncated or cannot be read: 1 (000019)"]


def test_registered_sets_say_how_to_get_them() -> None:
    for name in ("ytf", "ijba"):
        with pytest.raises(UserError, match=rf"https://.*facebench data check {name} --data"):
            check_dataset(name)
    with pytest.raises(UserError, match="there is no folder"):
        check_dataset("ytf", "/absent")
    with pytest.raises(UserError, match="did you mean 'ijba'"):
        check_dataset("ijb-a")


def test_another_folder_has_one_line_and_not_sixty_absent_lists(tmp_path: Path) -> None:
    write_ytf(tmp_path / "ytf")
    assert wrong("ijba", tmp_path / "ytf") == [
        "no IJB-A lists here: neither IJB-A_11_sets/ nor IJB-A_1N_sets/"
    ]
    (tmp_path / "ytf/IJB-A_1N_sets").mkdir()  # begun, and then every absent list counts
    assert len(wrong("ijba", tmp_path / "ytf")) > 1


@pytest.mark.parametrize("name", ["ytf", "ijba", "ijbb", "ijbc"])
def test_registered_sets_in_the_data_folder_are_checked(name: str) -> None:
    where = data_folder() / name
    with pytest.raises(UserError, match=rf"unpack into {where}, or: .* check {name} --data"):
        check_dataset(name)
    where.mkdir(parents=True)
    assert not is_readable(name, where)
    assert [finding.ok for finding in check_dataset(name)] == [False]
    if name == "ytf":
        write_ytf(where)
    elif name == "ijba":
        write_ijba(where, splits=10)
    else:
        write_ijbc(where / "IJBC")
    assert is_readable(name, where) == (name != "ijbb")
    assert check_dataset(name) == check_dataset(name, where)


def test_ijba(tmp_path: Path) -> None:
    write_ijba(tmp_path, splits=10)
    small, also = wrong("ijba", tmp_path)  # as the published lists are, but for their number
    assert small.startswith("IJB-A_11_sets: 80 comparisons in 10 splits; NOT THE PUBLISHED LIST")
    assert also.startswith("IJB-A_1N_sets: 40 probes in 10 splits; NOT THE PUBLISHED LIST")
    (tmp_path / "images/img/3.jpg").unlink()
    (tmp_path / "IJB-A_1N_sets/split4/search_probe_4.csv").unlink()
    comparisons = tmp_path / "IJB-A_11_sets/split7/verify_comparisons_7.csv"
    comparisons.write_text("10,11\n10,77\n")
    assert wrong("ijba", tmp_path) == [
        f"{comparisons}, line 2: template 77 has no face in verify_metadata_7.csv; complete one "
        "of the two lists",
        "IJB-A_1N_sets: absent lists: 1 (split4/search_probe_4.csv)",
        "0 faces named, without image: none",
    ]
    comparisons.write_text("10,11\n10,21\n")
    assert wrong("ijba", tmp_path)[-1] == "8 faces named, without image: 1 (img/3.jpg)"


def test_ijbc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_ijbc(tmp_path / "IJBC")
    assert wrong("ijbc", folder) == ["3 comparisons of 3 templates (published: 15,658,489)"]
    monkeypatch.setattr("facebench.faces.ijb.check.COMPARISONS", {"ijbc": 3, "ijbb": 3})
    assert wrong("ijbc", tmp_path) == []
    (folder / "loose_crop/2.jpg").unlink()
    points = folder / "meta/ijbc_name_5pts_score.txt"
    points.write_text("".join(points.read_text().splitlines(keepends=True)[1:]))
    assert wrong("ijbc", folder) == [
        "faces without landmarks: 1 (1.jpg)",
        "5 faces named, without image: 1 (2.jpg)",
    ]
    assert wrong("ijbb", folder) == ["there is no meta/ijbb_face_tid_mid.txt"]
