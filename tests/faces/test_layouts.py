from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from ijb_folders import write_ijba, write_ijbc

from facebench.errors import UserError
from facebench.faces.layouts import check_dataset


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
        "images that are truncated: 1 (Person_A/Person_A_0001.jpg)",
    ]


def test_lfw_in_a_flat_folder(small_lfw: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for file in (*(small_lfw / "lfw").rglob("*.jpg"), small_lfw / "pairs.txt"):
        (flat / file.name).write_bytes(file.read_bytes())
    expected = [finding.text for finding in check_dataset("lfw", small_lfw)]
    assert [finding.text for finding in check_dataset("lfw", flat)] == expected
    (flat / "Person_A_0001.jpg").write_bytes(b"")
    assert wrong("lfw", flat)[1:] == ["images that are truncated: 1 (Person_A/Person_A_0001.jpg)"]


def test_bin(tmp_path: Path, encode) -> None:
    path = tmp_path / "calfw.bin"
    images = [encode(seed, 112, 112) for seed in range(20)]
    path.write_bytes(pickle.dumps((images, [True] * 10)))
    assert wrong("calfw", path) == []
    path.write_bytes(pickle.dumps(([*images[:-1], images[0][:-5]], [True] * 10)))
    assert wrong("calfw", tmp_path) == ["images that are truncated: 1 (000019)"]


def test_registered_sets_say_how_to_get_them() -> None:
    for name in ("ytf", "ijba"):
        with pytest.raises(UserError, match=rf"https://.*facebench data check {name} --data"):
            check_dataset(name)
    with pytest.raises(UserError, match="there is no folder"):
        check_dataset("ytf", "/absent")
    with pytest.raises(UserError, match="did you mean 'ijba'"):
        check_dataset("ijb-a")


def test_youtube_faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video = tmp_path / "frame_images_DB" / "A_Person" / "0"
    video.mkdir(parents=True)
    (video.parent / "2").mkdir()
    (video / "0.123.jpg").write_bytes(b"x")
    (tmp_path / "splits.txt").write_text(
        "split number, pair number, first name, second name, is same\n"
        "1, 1, A_Person/0, A_Person/2, 1\n"
    )
    assert wrong("ytf", tmp_path) == [
        "frame_images_DB: 2 videos of 1 people (complete: 3425 of 1595)",
        "frame_images_DB: videos without a frame: 1 (A_Person/2)",
        "splits.txt: 1 pairs (complete: 5000)",
    ]
    (video.parent / "2" / "2.1.jpg").write_bytes(b"x")
    for name, value in (("YTF_VIDEOS", 2), ("YTF_PEOPLE", 1), ("YTF_PAIRS", 1)):
        monkeypatch.setattr(f"facebench.faces.layouts.{name}", value)
    assert wrong("ytf", tmp_path) == []
    (tmp_path / "splits.txt").unlink()
    assert wrong("ytf", tmp_path) == ["splits.txt cannot be read"]


def test_the_shared_list_of_youtube_faces_is_whole(shared_data: Path, tmp_path: Path) -> None:
    text = (shared_data / "protocols" / "ytf_splits.txt").read_text()
    (tmp_path / "splits.txt").write_text(text)
    assert "splits.txt: 5000 pairs (complete: 5000)" not in wrong("ytf", tmp_path)


def test_ijba(tmp_path: Path) -> None:
    write_ijba(tmp_path, splits=10)
    assert wrong("ijba", tmp_path) == []
    texts = [finding.text for finding in check_dataset("ijba", tmp_path)]
    assert "IJB-A_11_sets: 80 comparisons in 10 splits" in texts
    assert "IJB-A_1N_sets: 40 probes in 10 splits" in texts
    (tmp_path / "images/img/3.jpg").unlink()
    (tmp_path / "IJB-A_1N_sets/split4/search_probe_4.csv").unlink()
    comparisons = tmp_path / "IJB-A_11_sets/split7/verify_comparisons_7.csv"
    comparisons.write_text("10,11\n10,77\n")
    assert wrong("ijba", tmp_path) == [
        f"{comparisons}:2: template 77 has no face in verify_metadata_7.csv; complete one of the "
        "two lists",
        "IJB-A_1N_sets: absent lists: 1 (split4/search_probe_4.csv)",
        "0 faces named, without image: none",
    ]
    comparisons.write_text("10,11\n10,21\n")
    assert wrong("ijba", tmp_path)[-1] == "8 faces named, without image: 1 (img/3.jpg)"


def test_ijbc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_ijbc(tmp_path / "IJBC")
    assert wrong("ijbc", folder) == ["3 comparisons of 3 templates (published: 15,658,489)"]
    monkeypatch.setattr("facebench.faces.ijb_check.COMPARISONS", {"ijbc": 3, "ijbb": 3})
    assert wrong("ijbc", tmp_path) == []
    (folder / "loose_crop/2.jpg").unlink()
    points = folder / "meta/ijbc_name_5pts_score.txt"
    points.write_text("".join(points.read_text().splitlines(keepends=True)[1:]))
    assert wrong("ijbc", folder) == [
        "faces without landmarks: 1 (1.jpg)",
        "5 faces named, without image: 1 (2.jpg)",
    ]
    assert wrong("ijbb", folder) == ["there is no meta/ijbb_face_tid_mid.txt"]
