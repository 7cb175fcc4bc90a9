from __future__ import annotations

from pathlib import Path

import pytest

from facebench.faces.ytf import check as ytf_check
from facebench.faces.ytf.check import check_ytf
from tests.helpers.ytf_folders import write_ytf


@pytest.fixture
def whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with whole and aligned frames that is complete."""
    for name, value in (("VIDEOS", 6), ("PEOPLE", 4), ("PAIRS", 4)):
        monkeypatch.setattr(ytf_check, name, value)
    write_ytf(tmp_path)
    return write_ytf(tmp_path, framed=True)


def wrong(folder: Path) -> list[str]:
    return [text for ok, text in check_ytf(folder) if not ok]


def test_a_complete_folder_says_none_where_nothing_is_absent(whole: Path) -> None:
    texts = [text for _, text in check_ytf(whole)]
    assert wrong(whole) == []
    assert texts == [
        "folders of frames: 2 (frame_images_DB, aligned_images_DB)",
        "frame_images_DB: 6 videos of 4 people (complete: 6 of 4)",
        "frame_images_DB: videos without a frame: none",
        "frame_images_DB: frames that are truncated: none",
        "frame_images_DB: people without *.labeled_faces.txt: none",
        "frame_images_DB: *.labeled_faces.txt that cannot be read: none",
        "frame_images_DB: frames without a row in *.labeled_faces.txt: none",
        "aligned_images_DB: 6 videos of 4 people (complete: 6 of 4)",
        "aligned_images_DB: videos without a frame: none",
        "aligned_images_DB: frames that are truncated: none",
        "splits.txt: 4 pairs (complete: 4)",
        "videos of the pairs that are absent: none",
    ]
    assert wrong(whole / "frame_images_DB") == []  # as --data of an evaluation may name it


def test_counts_and_absent_videos(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    for file in (whole / "aligned_images_DB/Di_Cook/0").iterdir():
        file.unlink()
    for root in ("frame_images_DB", "aligned_images_DB"):
        (whole / root / "Bo_Derek").rename(whole / root / "Bo_Peep")
    assert [text for text in wrong(whole) if "labeled" not in text] == [
        "frame_images_DB: 6 videos of 4 people (complete: 3425 of 1595)",
        "aligned_images_DB: 6 videos of 4 people (complete: 3425 of 1595)",
        "aligned_images_DB: videos without a frame: 1 (Di_Cook/0)",
        "splits.txt: 4 pairs (complete: 5000)",
        "videos of the pairs that are absent: 1 (Bo_Derek/3)",
    ]
    (whole / "splits.txt").unlink()
    assert wrong(whole)[-1] == "there is no splits.txt"


def test_truncated_frames_are_found(whole: Path) -> None:
    told: list[tuple[int, int]] = []
    for root, key in (
        ("frame_images_DB", "Al_Gore/1/1.10.jpg"),
        ("aligned_images_DB", "Cy_Young/2/aligned_detect_2.9.jpg"),
    ):
        file = whole / root / key
        file.write_bytes(file.read_bytes()[:-9])
    assert wrong(whole) == [
        "frame_images_DB: frames that are truncated: 1 (Al_Gore/1/1.10.jpg)",
        "aligned_images_DB: frames that are truncated: 1 (Cy_Young/2/aligned_detect_2.9.jpg)",
    ]
    list(check_ytf(whole, lambda done, total: told.append((done, total))))
    assert told[-1] == (36, 36) and sorted(told) == told


def test_the_boxes_are_read(whole: Path) -> None:
    root = whole / "frame_images_DB"
    (root / "Bo_Derek.labeled_faces.txt").unlink()
    damaged, short = root / "Cy_Young.labeled_faces.txt", root / "Al_Gore.labeled_faces.txt"
    damaged.write_text(damaged.read_text().replace(",45,", ",x,", 1))
    short.write_text("".join(short.read_text().splitlines(keepends=True)[1:]))
    assert wrong(whole) == [
        "frame_images_DB: people without *.labeled_faces.txt: 1 (Bo_Derek)",
        f"frame_images_DB: *.labeled_faces.txt that cannot be read: 1 ({damaged}, line 1: "
        "x, y, width and height must be numbers)",
        "frame_images_DB: frames without a row in *.labeled_faces.txt: 1 (Al_Gore/0/0.9.jpg)",
    ]


def test_a_folder_of_something_else_has_one_line(tmp_path: Path) -> None:
    (tmp_path / "images" / "img").mkdir(parents=True)
    assert list(check_ytf(tmp_path)) == [
        (
            False,
            "no YouTube Faces here: neither frame_images_DB/ nor aligned_images_DB/, nor "
            "splits.txt",
        )
    ]


def test_the_shared_list_is_whole(shared_data: Path, tmp_path: Path) -> None:
    text = (shared_data / "protocols" / "ytf_splits.txt").read_text()
    (tmp_path / "splits.txt").write_text(text)
    assert (True, "splits.txt: 5000 pairs (complete: 5000)") in list(check_ytf(tmp_path))
