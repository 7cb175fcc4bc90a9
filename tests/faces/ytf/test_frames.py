from __future__ import annotations

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.faces.align.aligners import LFW_MEAN_LANDMARKS, CentreCrop, LandmarkAligner
from facebench.faces.align.template import template
from facebench.faces.ytf.align import LabelledBoxAligner, box_matrix, ytf_aligner
from facebench.faces.ytf.frames import YtfSource
from facebench.faces.ytf.lists import Box
from facebench.faces.ytf.locate import locate_ytf
from tests.helpers.ijb_folders import write_ijba
from tests.helpers.ytf_folders import VIDEOS, write_ytf


@pytest.mark.parametrize("framed", [False, True])
def test_frames_of_a_video_are_in_the_order_of_time(tmp_path: Path, framed: bool) -> None:
    source = YtfSource(write_ytf(tmp_path, framed))
    assert source.framed == framed
    assert source.videos() == list(VIDEOS)
    start = "0." if framed else "aligned_detect_0."
    expected = [f"Al_Gore/0/{start}{number}.jpg" for number in (9, 10, 100)]
    assert source.frames("Al_Gore/0") == expected
    keys = source.keys()
    assert keys == sorted(keys) and len(keys) == 18
    videos = [key.rsplit("/", 1)[0] for key in keys]  # sorted, a video's frames are together
    assert [v for n, v in enumerate(videos) if n == 0 or videos[n - 1] != v] == list(VIDEOS)
    assert source.read(keys[0]).shape == ((90, 120, 3) if framed else (100, 100, 3))
    assert source.missing(["Al_Gore/0/none.jpg", keys[0]]) == ["Al_Gore/0/none.jpg"]
    assert source.frames("Nobody/0") == []


def test_the_folder_itself_may_be_named(tmp_path: Path) -> None:
    whole = YtfSource(write_ytf(tmp_path, framed=True))
    inside = YtfSource(tmp_path / "frame_images_DB")
    assert (inside.keys(), inside.framed) == (whole.keys(), True)
    assert whole.fingerprint(whole.keys()) == inside.fingerprint(inside.keys())
    assert locate_ytf(tmp_path / "frame_images_DB").pairs == locate_ytf(tmp_path).pairs


def test_the_aligned_frames_go_before_the_whole_ones(tmp_path: Path) -> None:
    write_ytf(tmp_path, framed=True)
    write_ytf(tmp_path)
    assert YtfSource(tmp_path).root.name == "aligned_images_DB"


def test_a_folder_without_videos(tmp_path: Path) -> None:
    (tmp_path / "aligned_images_DB" / "A" / "0").mkdir(parents=True)
    with pytest.raises(UserError, match="no videos in the layout of YouTube Faces"):
        YtfSource(tmp_path)
    with pytest.raises(UserError, match=r"is not there.*needs a registration"):
        locate_ytf(tmp_path / "absent")
    write_ytf(tmp_path / "b")
    (tmp_path / "b" / "splits.txt").unlink()
    with pytest.raises(UserError, match=r"no splits\.txt"):
        locate_ytf(tmp_path / "b")


def test_another_data_set_is_not_asked_for_its_splits(tmp_path: Path) -> None:
    """IJB-A's images/img and images/frame have the form of Person/video."""
    ijba = write_ijba(tmp_path / "ijba", splits=1) or tmp_path / "ijba"
    what = rf"{ijba} is not YouTube Faces: it holds neither frame_images_DB/ nor aligned_images_DB/"
    with pytest.raises(UserError, match=rf"{what}, nor .*\(Person/0\)") as caught:
        locate_ytf(ijba)
    assert "splits.txt" not in str(caught.value)
    ytf = write_ytf(tmp_path / "ytf")
    with pytest.raises(UserError, match=rf"{what}, nor .*splits\.txt names"):
        locate_ytf(ijba, pairs=ytf / "splits.txt")


def test_people_in_a_folder_of_another_name_are_found_by_their_list(tmp_path: Path) -> None:
    people = write_ytf(tmp_path).joinpath("aligned_images_DB").rename(tmp_path / "people")
    assert len(locate_ytf(people).pairs) == 4
    assert locate_ytf(people).source.has_video("Al_Gore/0")
    (tmp_path / "splits.txt").unlink()
    with pytest.raises(UserError, match=r"no splits\.txt"):  # numbered videos: it may be
        locate_ytf(people)


def test_a_changed_frame_changes_the_fingerprint(tmp_path: Path) -> None:
    source = YtfSource(write_ytf(tmp_path))
    before = source.fingerprint(source.keys())
    path = source.root / source.keys()[3]
    path.write_bytes(path.read_bytes() + b"x")
    assert source.fingerprint(source.keys()) != before


def test_a_box_is_taken_about_its_centre_and_grown_as_lfw_was() -> None:
    """A box of 250 / 2.2 pixels is an LFW image: its mean landmarks reach the template."""
    box = Box(400, 300, 250 / 2.2, 250 / 2.2)
    points = np.asarray(LFW_MEAN_LANDMARKS) + np.array([400 - 125, 300 - 125])
    crop = np.column_stack([points, np.ones(5)]) @ box_matrix(box, (112, 96)).T
    np.testing.assert_allclose(crop, template((112, 96)), atol=2.0)
    np.testing.assert_allclose(crop.mean(0), template((112, 96)).mean(0), atol=1e-9)


def test_labelled_boxes_are_the_rule_for_whole_frames(tmp_path: Path) -> None:
    located = locate_ytf(write_ytf(tmp_path, framed=True))
    keys = located.source.keys()
    aligner = ytf_aligner("auto", located, keys)
    assert isinstance(aligner, LabelledBoxAligner)
    assert aligner.signature.startswith("labelled-box(")
    key = "Al_Gore/0/0.9.jpg"
    image = np.zeros((90, 120, 3), np.uint8)
    image[44:47, 51:54] = 255  # the centre of that frame's box: x 52, y 45
    crop = pickle.loads(pickle.dumps(aligner))(key, image, (112, 96))
    assert crop is not None and crop.shape == (112, 96, 3)
    y, x = np.argwhere(crop[..., 0] > 200).mean(0)
    assert abs(x - 48) < 3 and abs(y - 72) < 14
    with pytest.raises(UserError, match="whole frames, in which the face is not at a known place"):
        ytf_aligner("centre", located, keys)


def test_a_changed_box_changes_the_signature(tmp_path: Path) -> None:
    located = locate_ytf(write_ytf(tmp_path, framed=True))
    before = ytf_aligner("auto", located, located.source.keys()).signature
    file = located.source.root / "Cy_Young.labeled_faces.txt"
    file.write_text(file.read_text().replace(",45,", ",46,", 1))
    other = locate_ytf(tmp_path)
    assert ytf_aligner("auto", other, other.source.keys()).signature != before


def test_frames_without_a_box_are_told_or_counted(tmp_path: Path) -> None:
    located = locate_ytf(write_ytf(tmp_path, framed=True))
    file = located.source.root / "Bo_Derek.labeled_faces.txt"
    file.write_text("\n".join(file.read_text().splitlines()[1:]) + "\n")
    keys = located.source.keys()
    with pytest.raises(UserError, match=r"1 \(Bo_Derek/3/3\.9\.jpg\) of 18 frames have no row"):
        ytf_aligner("auto", located, keys)
    counting = ytf_aligner("auto", located, keys, on_missing="count")
    image = np.zeros((90, 120, 3), np.uint8)
    assert counting("Bo_Derek/3/3.9.jpg", image, (112, 96)) is None
    file.unlink()
    with pytest.raises(UserError, match="cannot read the list"):
        ytf_aligner("auto", located, keys)


def test_aligned_frames_are_cut_as_lfw_images_are(tmp_path: Path) -> None:
    located = locate_ytf(write_ytf(tmp_path))
    keys = located.source.keys()
    aligner = ytf_aligner("auto", located, keys)
    assert isinstance(aligner, CentreCrop)
    points = "\t".join(f"{x / 2.5} {y / 2.5}".replace(" ", "\t") for x, y in LFW_MEAN_LANDMARKS)
    (tmp_path / "landmarks.txt").write_text("".join(f"{key}\t{points}\n" for key in keys))
    by_points = ytf_aligner("auto", locate_ytf(tmp_path), keys)
    assert isinstance(by_points, LandmarkAligner)
    image = cv2.GaussianBlur(located.source.read(keys[0]), (5, 5), 2)
    a, b = by_points(keys[0], image, (112, 96)), aligner(keys[0], image, (112, 96))
    assert a is not None
    assert np.abs(a.astype(int) - b).max() <= 2
    (tmp_path / "landmarks.txt").write_text(f"{keys[0]}\t{points}\n")
    with pytest.raises(UserError, match=r"17 .* have no row in the landmarks file"):
        ytf_aligner("auto", locate_ytf(tmp_path), keys)


def test_photographs_and_rendered_videos_are_never_mixed(tmp_path: Path) -> None:
    rows = ("1, 1, Synth_100001/0, Synth_100001/1, 1", "1, 2, Synth_100001/0, Al_Gore/0, 0")
    write_ytf(tmp_path / "a", rows=rows)
    with pytest.raises(UserError, match="never mixed"):
        locate_ytf(tmp_path / "a")
    write_ytf(tmp_path / "b", rows=rows[:1])
    with pytest.raises(UserError, match=r"lost their COMPLETE\.json"):
        locate_ytf(tmp_path / "b")
    write_ytf(tmp_path / "c")
    (tmp_path / "c" / "COMPLETE.json").write_text('{"fingerprint": "synthetic-ytf-v1-s0"}')
    with pytest.raises(UserError, match="rendered videos by its COMPLETE"):
        locate_ytf(tmp_path / "c")
