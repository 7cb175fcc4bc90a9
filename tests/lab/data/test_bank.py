"""Banks: the same bytes from any number of workers, killed or not; what is in them and what not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import facebench.lab.data.bank as bank_module
from facebench.base.errors import UserError
from facebench.lab.data.augment import augment, centre_crop
from facebench.lab.data.bank import (
    BankPlan,
    bank_fingerprint,
    learned_from_bank,
    make_face,
    write_bank,
)
from facebench.lab.data.crops import UNLABELLED, Teacher, TrainingCrops

SHARD = 64


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank_module, "SHARD", SHARD)


def crops(count: int = 24, seed: int = 0) -> TrainingCrops:
    rng = np.random.default_rng(seed)
    targets = rng.normal(size=(count, 5)).astype(np.float32)
    targets /= np.linalg.norm(targets, axis=1, keepdims=True)
    labels = np.where(np.arange(count) % 3 == 0, UNLABELLED, np.arange(count) % 4)
    images = np.repeat(rng.integers(0, 256, (count, 16, 14, 3), dtype=np.uint8), 8, 1).repeat(8, 2)
    return TrainingCrops(images, labels.astype(np.int64), targets)


def embed(faces: np.ndarray) -> np.ndarray:
    """Means of stripes, which a mirror image leaves as they are: not scaled to unit length."""
    return (
        faces[:, :125].reshape(len(faces), 5, -1).mean(2, dtype=np.float64).astype(np.float32) + 1
    )


def write(folder: Path, faces: int = 3 * SHARD, workers: int = 1, **changes):
    plan = BankPlan(faces, 0.4, changes.get("seed", 1))
    made = changes.get("crops", crops())
    name, kept = changes.get("name", "toy"), changes.get("kept", True)
    return write_bank(folder, made, plan, lambda: Teacher(embed, name, kept), workers)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_any_number_of_workers_writes_the_same_bytes(tmp_path: Path) -> None:
    write(tmp_path / "one", workers=1)
    write(tmp_path / "three", workers=3)
    assert contents(tmp_path / "one") == contents(tmp_path / "three")
    assert len(contents(tmp_path / "one")) == 1 + 2 * 3


def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(tmp_path: Path, monkeypatch) -> None:
    write(tmp_path / "whole")
    written = []
    save = bank_module.write_atomically

    def failing(path: Path, data: bytes) -> None:
        written.append(path.name)
        if len(written) == 5:  # the card, the first part, faces of the second without answers
            raise KeyboardInterrupt
        save(path, data)

    monkeypatch.setattr(bank_module, "write_atomically", failing)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "stopped")
    monkeypatch.setattr(bank_module, "write_atomically", save)
    first = tmp_path / "stopped" / "answers-00000.npz"
    before = first.stat().st_mtime_ns
    write(tmp_path / "stopped")
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")
    assert first.stat().st_mtime_ns == before


def test_a_longer_bank_goes_on_where_a_shorter_one_ended(tmp_path: Path) -> None:
    short = write(tmp_path, faces=SHARD + 10)
    kept = contents(tmp_path)
    longer = write(tmp_path, faces=3 * SHARD)
    assert longer.fingerprint == short.fingerprint
    assert len(short.targets) == SHARD + 10 == len(short.faces) and len(longer.faces) == 3 * SHARD
    np.testing.assert_array_equal(longer.targets[: SHARD + 10], short.targets)
    changed = [name for name, data in contents(tmp_path).items() if kept.get(name, data) != data]
    assert changed == ["bank.json"]
    assert len(write(tmp_path, faces=SHARD).faces) == SHARD  # and a shorter one is a part of it
    assert '"faces": 192' in (tmp_path / "bank.json").read_text()


def test_the_answers_are_the_teachers_of_what_the_student_sees(tmp_path: Path) -> None:
    bank = write(tmp_path)
    for number in (0, 5, 2 * SHARD + 1):
        whole, sources = make_face(crops(), BankPlan(1, 0.4, 1), number)
        np.testing.assert_array_equal(bank.faces[number], centre_crop(whole))
        answer = embed(whole[None])[0]
        np.testing.assert_allclose(bank.targets[number], answer / np.linalg.norm(answer), atol=6e-4)
        assert tuple(bank.sources[number]) == sources


def test_views_show_every_crop_as_often_and_morphs_are_their_share(tmp_path: Path) -> None:
    bank = write(tmp_path, faces=120)  # 72 views of 24 crops: three passes
    views = bank.sources[:, 1] < 0
    assert views.sum() == 72
    assert (np.bincount(bank.sources[views, 0], minlength=24) == 3).all()
    for part in (bank.sources[:50], bank.sources[50:]):  # spread evenly
        assert abs((part[:, 1] >= 0).mean() - 0.4) < 0.03


def test_what_is_learned_of_a_bank(tmp_path: Path) -> None:
    bank, own = write(tmp_path), crops()
    views = np.flatnonzero(bank.sources[:, 1] < 0)
    everything = learned_from_bank(bank, own, "all")
    assert len(everything.images) == 3 * SHARD == len(everything.labels)
    morphs = bank.sources[:, 1] >= 0
    assert (everything.labels[morphs] == UNLABELLED).all()
    np.testing.assert_array_equal(everything.labels[views], own.labels[bank.sources[views, 0]])
    consistent = learned_from_bank(bank, own, "views")
    np.testing.assert_array_equal(consistent.images[7], bank.faces[int(views[7])])
    np.testing.assert_array_equal(consistent.targets, bank.targets[views])
    clean = learned_from_bank(bank, own, "clean")
    np.testing.assert_array_equal(clean.targets, own.targets[bank.sources[views, 0]])


def test_a_stored_face_is_mirrored_at_most(tmp_path: Path) -> None:
    face, rng = write(tmp_path).faces[3], np.random.default_rng(0)
    seen = [augment(face, rng) for _ in range(20)]
    mirrored = [np.array_equal(one, face[:, ::-1]) for one in seen]
    assert any(mirrored) and not all(mirrored)
    for one, turned in zip(seen, mirrored, strict=True):
        np.testing.assert_array_equal(one, face[:, ::-1] if turned else face)
    np.testing.assert_array_equal(centre_crop(face[None]), face[None])


@pytest.mark.parametrize("change", [{"seed": 2}, {"name": "another"}, {"crops": crops(seed=1)}])
def test_another_bank_is_refused_and_nothing_is_lost(tmp_path: Path, change) -> None:
    write(tmp_path)
    before = contents(tmp_path)
    with pytest.raises(UserError, match="another --bank"):
        write(tmp_path, **change)
    assert contents(tmp_path) == before


def test_one_pixel_changes_the_fingerprint() -> None:
    plan, one, other = BankPlan(8), crops(), crops()
    other.images[23, 127, 111, 2] ^= 1
    renamed = replace(one, key="elsewhere", labels=one.labels + 1)
    assert bank_fingerprint(renamed, plan, "toy") == bank_fingerprint(one, plan, "toy")
    assert bank_fingerprint(one, plan, "toy") == bank_fingerprint(crops(), plan, "toy")
    assert bank_fingerprint(one, plan, "toy") != bank_fingerprint(other, plan, "toy")


@pytest.mark.parametrize("name", ["faces-00001.npy", "answers-00001.npz"])
def test_a_damaged_part_is_named(tmp_path: Path, name: str) -> None:
    write(tmp_path)
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match=r"part 1 .* remove answers-00001.npz"):
        write(tmp_path)
    (tmp_path / "answers-00001.npz").unlink()
    write(tmp_path)


def test_a_teacher_that_knows_left_from_right_is_refused(tmp_path: Path) -> None:
    def half(faces: np.ndarray) -> np.ndarray:
        return faces[:, :, :56].reshape(len(faces), 4, -1).mean(2).astype(np.float32)

    with pytest.raises(UserError, match="--teacher-flip"):
        write_bank(tmp_path, crops(), BankPlan(SHARD), lambda: Teacher(half, "half"))


def test_a_teacher_that_no_hash_covers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="ONNX"):
        write(tmp_path / "bank", kept=False)
    assert not (tmp_path / "bank").exists()
