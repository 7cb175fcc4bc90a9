"""The IJB-A twin: its lists, its images, and that it can be stopped and continued."""

from __future__ import annotations

import csv
import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from facebench.faces.ijb.ijba import read_ijba_search, read_ijba_verification
from facebench.faces.synthetic import EVALUATION_IDENTITIES, TRAIN_IDENTITIES
from facebench.faces.twins import ijba as templates
from facebench.faces.twins.ijba import (
    ENROLLED,
    FIRST_IDENTITY,
    NON_MATED,
    SPLITS,
    SUBJECTS,
    TESTED,
    Shot,
    all_shots,
    list_files,
    shot_file,
    shot_jpeg,
    template_twin_fingerprint,
    write_template_twin,
)
from facebench.faces.twins.lfw import lfw_twin_structure, twin_identity


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    for name, text in list_files().items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_the_size() -> None:
    shots = all_shots()
    assert len(shots) == 1920 and len({shot_file(shot) for shot in shots}) == 1920
    assert len({shot.subject for shot in shots}) == SUBJECTS == 120


def test_the_reader_of_ijba_reads_the_lists(lists: Path) -> None:
    found = read_ijba_verification(lists, SPLITS)
    for split in found.splits:
        sizes = np.bincount(split.templates.row_template)
        assert sizes.min() == 1 and sizes.max() == 12
        assert len(np.unique(split.templates.subjects)) == TESTED
        assert np.count_nonzero(~split.mated) == NON_MATED
        assert np.count_nonzero(split.mated) == 6 * TESTED
        # The FAR 0.001 can be told from zero.
        assert NON_MATED * 0.001 >= 1
    for split in read_ijba_search(lists, SPLITS).splits:
        assert len(split.gallery) == ENROLLED
        mated = np.isin(split.probes.subjects, split.gallery.subjects)
        assert mated.sum() == 5 * ENROLLED
        assert (~mated).sum() == 8 * (TESTED - ENROLLED) >= 100  # FPIR 0.01 is resolvable


def test_no_medium_is_in_two_templates_that_are_compared(lists: Path) -> None:
    for path in [*lists.glob("*11*/*/verify_metadata_*"), *lists.glob("*1N*/*/search_probe_*")]:
        rows = list(csv.DictReader(path.open()))
        if "search_probe" in path.name:
            gallery = path.parent / path.name.replace("probe", "gallery")
            rows += [
                row | {"TEMPLATE_ID": "g" + row["TEMPLATE_ID"]}
                for row in csv.DictReader(gallery.open())
            ]
        owners = {(row["MEDIA_ID"], row["TEMPLATE_ID"]) for row in rows}
        assert max(Counter(medium for medium, _ in owners).values()) == 1


def test_training_people_are_not_tested_and_every_image_is_used(lists: Path) -> None:
    used: dict[str, set[str]] = {"11": set(), "1N": set()}
    for split in range(1, SPLITS + 1):
        for kind in used:
            folder = lists / f"IJB-A_{kind}_sets" / f"split{split}"
            people = {}
            for path in folder.glob("*.csv"):
                if "comparisons" not in path.name:
                    rows = list(csv.DictReader(path.open()))
                    people[path.name.split("_")[0]] = {row["SUBJECT_ID"] for row in rows}
                    if "train" not in path.name:
                        used[kind] |= {row["FILE"] for row in rows}
            tested = set().union(*(who for part, who in people.items() if part != "train"))
            assert len(people["train"]) == SUBJECTS - TESTED
            assert not people["train"] & tested
    # Both protocols use all images, so that a model embeds them once.
    assert used["11"] == used["1N"] == {shot_file(shot) for shot in all_shots()}


def test_its_people_are_in_no_other_set() -> None:
    own = range(FIRST_IDENTITY, FIRST_IDENTITY + SUBJECTS)
    assert own.start in EVALUATION_IDENTITIES and own.stop - 1 in EVALUATION_IDENTITIES
    assert own.start >= TRAIN_IDENTITIES.stop
    last = max(twin_identity(name) for name, _ in lfw_twin_structure().images)
    assert last < 1_300_000 < own.start  # the YouTube Faces twin begins at 1,300,000


def test_a_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    still, frame = Shot(3, 2, 0, False), Shot(3, 7, 4, True)
    for shot in (still, frame):
        assert shot_jpeg(0, shot) == shot_jpeg(0, shot) != shot_jpeg(1, shot)
    assert list_files(0) == list_files(0) != list_files(1)


def test_frames_of_a_video_differ_smoothly() -> None:
    images = [
        cv2.imdecode(np.frombuffer(shot_jpeg(0, Shot(5, 6, n, True)), np.uint8), 1).astype(float)
        for n in range(5)
    ]
    still = cv2.imdecode(np.frombuffer(shot_jpeg(0, Shot(5, 0, 0, False)), np.uint8), 1)
    steps = [np.abs(a - b).mean() for a, b in pairwise(images)]
    assert 0 < max(steps) < np.abs(images[0] - still).mean()
    assert images[0].shape == (128, 112, 3)


def test_it_can_be_stopped_and_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = tuple(shot for shot in all_shots() if shot.subject <= 2)
    monkeypatch.setattr(templates, "all_shots", lambda: few)
    folder = tmp_path / "twin"

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_template_twin(folder, workers=1, progress=stop)
    assert not (folder / "COMPLETE.json").exists() and (folder / "INCOMPLETE.json").exists()
    first = folder / "images" / shot_file(few[0])
    kept = first.stat().st_mtime_ns
    broken = folder / "images" / shot_file(few[1])
    whole = broken.read_bytes()
    broken.write_bytes(whole[:100])
    told: list[tuple[int, int]] = []
    write_template_twin(folder, workers=1, progress=lambda done, total: told.append((done, total)))
    assert told == [(16, 32), (32, 32)]
    assert first.stat().st_mtime_ns == kept and broken.read_bytes() == whole
    assert json.loads((folder / "COMPLETE.json").read_text())["fingerprint"] == (
        template_twin_fingerprint(0)
    )
    assert not (folder / "INCOMPLETE.json").exists()
    with pytest.raises(ValueError, match="holds another synthetic twin"):
        write_template_twin(folder, seed=1, workers=1)
