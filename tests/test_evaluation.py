"""facebench.evaluate from Python."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import facebench
from facebench.errors import UserError
from facebench.evaluation import SettingKeywords, Settings, evaluate_many
from facebench.nets.embedder import Embedder, Preprocessing

QUICK: dict[str, Any] = {"workers": 0, "draws": 10, "progress": False}


class Grey(Embedder):
    """Mean-free 14 x 12 blocks of the face; counts the faces that it was given."""

    def __init__(self, id: str = "grey", precision: str = "float32") -> None:
        self.id, self.weights_hash, self.precision = id, "12" * 32, precision
        self.preprocessing = Preprocessing()
        self.seen = 0

    def forward(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.seen += len(faces)
        blocks = faces.reshape(len(faces), 14, 8, 12, 8, 3).mean(axis=(2, 4, 5), dtype=np.float32)
        flat = blocks.reshape(len(faces), -1)
        return flat - flat.mean(axis=1, keepdims=True)


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Eight people of two images in LFW's layout, 2 folds of 4 + 4 pairs."""
    rng = np.random.default_rng(0)
    names = [f"Person_{letter}" for letter in "ABCDEFGH"]
    for name in names:
        base = cv2.resize(rng.integers(0, 255, (6, 6, 3), dtype=np.uint8), (250, 250))
        (tmp_path / "lfw" / name).mkdir(parents=True)
        for number in (1, 2):
            image = np.clip(base + rng.normal(0, 20, base.shape), 0, 255).astype(np.uint8)
            cv2.imwrite(str(tmp_path / "lfw" / name / f"{name}_{number:04d}.jpg"), image)
    lines = ["2\t4"]
    for fold in (0, 4):
        own = names[fold : fold + 4]
        lines += [f"{name}\t1\t2" for name in own]
        lines += [f"{own[i]}\t1\t{own[(i + 1) % 4]}\t2" for i in range(4)]
    (tmp_path / "pairs.txt").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_evaluate_returns_the_record_of_the_command(faces: Path) -> None:
    record = facebench.evaluate(Grey(), "lfw", faces, **QUICK)
    assert isinstance(record, facebench.Record)
    assert record.model.id == "grey" and record.model.dimension == 168
    assert record.comparisons.total == 16 and record.comparisons.subjects == 8
    assert record.data.kind == "real" and record.data.notice is None
    assert record.alignment.startswith("centre-crop")
    assert record.run.seconds["network"] > 0
    path = facebench.save_record(record, faces / "records")
    assert facebench.read_record(path) == record


def test_a_second_run_takes_the_store_and_has_the_same_digest(faces: Path) -> None:
    first, second, without = Grey(), Grey(), Grey()
    digests = {
        facebench.evaluate(first, "lfw", faces, **QUICK).digest(),
        facebench.evaluate(second, "lfw", faces, **QUICK).digest(),
        facebench.evaluate(without, "lfw", faces, store=False, **QUICK).digest(),
    }
    assert len(digests) == 1
    assert (first.seen, second.seen, without.seen) == (16, 0, 16)


def test_a_changed_image_changes_fingerprint_and_signature(faces: Path) -> None:
    before = facebench.evaluate(Grey(), "lfw", faces, **QUICK)
    path = faces / "lfw" / "Person_A" / "Person_A_0001.jpg"
    path.write_bytes((faces / "lfw" / "Person_B" / "Person_B_0001.jpg").read_bytes())
    after = facebench.evaluate(Grey(), "lfw", faces, **QUICK)
    assert before.data.fingerprint != after.data.fingerprint
    assert before.signature != after.signature


def test_many_models_in_order(faces: Path) -> None:
    records = evaluate_many([Grey("a"), Grey("b", "bfloat16")], ["lfw", "lfw"], faces, **QUICK)
    assert [record.model.id for record in records] == ["a", "b"]


def test_no_draws_no_bootstrap_intervals(faces: Path) -> None:
    statistics = facebench.evaluate(
        Grey(), "lfw", faces, draws=0, workers=0, progress=False
    ).statistics
    assert statistics.auc.interval is None and statistics.accuracy.interval is not None


def test_cards_of_the_working_directory_are_protocols(
    faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (faces / "protocols").mkdir()
    (faces / "protocols" / "mine.toml").write_text(
        'name = "mine"\nkind = "verification"\nversion = 3\ntitle = "Mine"\nsource = "me"\n'
        'dataset = "lfw"\ncomparisons = 16\nspread = "standard deviation"\ntargets = [0.5]\n'
    )
    monkeypatch.chdir(faces)
    record = facebench.evaluate(Grey(), "mine", faces, **QUICK)
    accuracy = record.statistics.accuracy
    assert "protocol:mine.v3|" in record.signature and accuracy.spread_kind == "standard deviation"
    assert accuracy.spread == pytest.approx(np.std(accuracy.per_fold, ddof=1))
    assert [point.target for point in record.statistics.tar_at_far] == [0.5]


def test_keywords_are_the_fields_of_settings() -> None:
    assert set(SettingKeywords.__annotations__) == {f.name for f in dataclasses.fields(Settings)}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"rule": "exakt"}, "did you mean 'exact'"),
        ({"on_missing": "ignore"}, "unknown --on-missing 'ignore'"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        Settings(**settings)


def test_nothing_to_evaluate() -> None:
    with pytest.raises(UserError, match="at least one model"):
        evaluate_many([], ["lfw"])
