"""The rendered videos: smooth, deterministic, of people of their own, in the official layout."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from facebench.faces.synthetic.seeding import EVALUATION_IDENTITIES, TRAIN_IDENTITIES
from facebench.faces.twins import ytf as ytf_twin
from facebench.faces.twins.ijba import FIRST_IDENTITY
from facebench.faces.twins.lfw import lfw_twin_structure, twin_identity
from facebench.faces.twins.ytf import frame_capture, frame_jpeg, write_ytf_twin, ytf_twin_structure
from facebench.faces.ytf.frames import SyntheticYtf, YtfSource
from facebench.faces.ytf.lists import read_splits
from facebench.faces.ytf.locate import locate_ytf

WHO = 1_100_000


def pixels(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).astype(np.float64)


def test_structure(tmp_path: Path) -> None:
    twin = ytf_twin_structure()
    (tmp_path / "splits.txt").write_text(twin.splits)
    pairs = read_splits(tmp_path / "splits.txt")  # no pair twice, labels as the names
    assert len(pairs) == 400
    people: list[set[str]] = []
    for fold in range(1, 11):
        own = [pair for pair in pairs.pairs if pair.fold == fold]
        assert [pair.mated for pair in own] == [True] * 20 + [False] * 20
        people.append({p for pair in own for p in (pair.left_person, pair.right_person)})
    assert sum(map(len, people)) == len(set().union(*people)) == 180
    assert sorted(video.name for video in twin.videos) == pairs.videos()
    assert {video.frames for video in twin.videos} == set(range(16, 21))
    assert twin == ytf_twin_structure(0) != ytf_twin_structure(1)


def test_nobody_is_in_another_set() -> None:
    people = {twin_identity(video.person) for video in ytf_twin_structure().videos}
    lfw = {twin_identity(name) for name, _ in lfw_twin_structure().images}
    assert not people & lfw
    assert all(who in EVALUATION_IDENTITIES and who not in TRAIN_IDENTITIES for who in people)
    assert max(people) < FIRST_IDENTITY  # those of the IJB-A twin


def test_frames_are_the_same_bytes_always_and_all_different() -> None:
    first = [frame_jpeg(0, WHO, 1, frame, 6) for frame in range(6)]
    assert first == [frame_jpeg(0, WHO, 1, frame, 6) for frame in range(6)]
    assert len(set(first)) == 6
    assert frame_jpeg(0, WHO, 2, 0, 6) not in first
    assert frame_jpeg(1, WHO, 1, 0, 6) not in first
    with pytest.raises(ValueError, match="from 0 to 999"):
        frame_jpeg(0, WHO, 1000, 0, 6)


def test_motion_is_smooth_and_what_is_worn_stays() -> None:
    for video in range(4):
        path = [frame_capture(0, WHO, video, frame, 18) for frame in range(18)]
        yaws = np.array([how.yaw for how in path])
        assert np.abs(np.diff(yaws)).max() < 0.25
        assert np.ptp(yaws) > 0.02
        assert len({(how.glasses, how.hat, how.hand, tuple(how.cloth)) for how in path}) == 1
        lights = np.stack([how.light for how in path])
        np.testing.assert_allclose(np.linalg.norm(lights, axis=1), 1)
        assert all(4 <= how.jpeg <= 40 and how.resolution < 0.5 for how in path)


def test_neighbouring_frames_are_nearer_than_other_videos() -> None:
    frames = [pixels(frame_jpeg(0, WHO, 0, frame, 18)) for frame in (8, 9)]
    other = pixels(frame_jpeg(0, WHO, 1, 9, 18))
    assert np.abs(frames[0] - frames[1]).mean() < 0.7 * np.abs(other - frames[1]).mean()


@pytest.fixture
def small_twin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two folds of the smallest people; the whole twin takes a minute."""
    monkeypatch.setattr(ytf_twin, "FOLDS", 2)
    monkeypatch.setattr(ytf_twin, "_FRAMES", (1, 2))


def test_written_in_the_official_layout_and_taken_up_where_it_stopped(
    tmp_path: Path, small_twin: None
) -> None:
    folder = tmp_path / "twin"
    told: list[tuple[int, int]] = []
    write_ytf_twin(folder, workers=1, progress=lambda done, total: told.append((done, total)))
    source = YtfSource(folder)
    assert not source.framed
    assert told[-1] == (len(source.keys()), len(source.keys()))
    stamp = json.loads((folder / "COMPLETE.json").read_text())
    assert (stamp["fingerprint"], stamp["pairs"]) == ("synthetic-ytf-v1-s0", 80)
    before = source.fingerprint(source.keys())
    (folder / "COMPLETE.json").unlink()
    first, second = source.keys()[:2]
    (source.root / first).unlink()
    (source.root / second).write_bytes(b"\xff\xd8half")
    write_ytf_twin(folder, workers=1)
    assert source.fingerprint(source.keys()) == before
    with pytest.raises(ValueError, match="another synthetic twin"):
        write_ytf_twin(folder, seed=1, workers=1)


def test_located_where_nothing_is_installed(
    small_twin: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # An untouched twin has its plain name; a changed frame, or a missing one, has not.
    monkeypatch.setattr("facebench.faces.synthetic.pool.usable_cores", lambda: 1)
    located = locate_ytf(None)
    assert located.notice is not None and "no YouTube Faces videos are installed" in located.notice
    source = located.source
    assert isinstance(source, SyntheticYtf)
    assert (source.kind, located.aligned) == ("synthetic", True)
    keys = source.keys()
    contents = source.fingerprint(keys)
    names = {"synthetic-ytf-v1-s0": ("0" * 16, contents.rsplit("-", 1)[1])}
    monkeypatch.setattr(ytf_twin, "YTF_TWIN_CONTENTS", names)
    assert source.label(keys) == source.label(keys[:3]) == "synthetic-ytf-v1-s0"
    assert source.label(keys, contents) == "synthetic-ytf-v1-s0"
    copy = tmp_path / "copy"
    shutil.copytree(located.folder, copy)
    moved = locate_ytf(copy)
    assert moved.source.label(keys) == "synthetic-ytf-v1-s0"
    assert moved.notice is not None and moved.notice.startswith("SYNTHETIC FACES in")
    file = copy / "aligned_images_DB" / keys[0]
    file.write_bytes(file.read_bytes() + b"x")
    assert moved.source.label(keys).startswith("synthetic-ytf-v1-s0+")
    assert locate_ytf("synthetic").notice != located.notice


@pytest.mark.slow
def test_the_pinned_contents(tmp_path: Path) -> None:
    write_ytf_twin(tmp_path / "twin")
    source = SyntheticYtf(tmp_path / "twin", ytf_twin.ytf_twin_fingerprint())
    assert source.label(source.keys()) == source.rendering
