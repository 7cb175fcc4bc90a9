"""Scores from elsewhere as a record: the same numbers as of embeddings, and as in Python."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import facebench
from facebench.base.errors import UserError
from facebench.evaluation.evaluate import evaluate_many
from facebench.protocols.cards import VerificationCard, load_protocol
from facebench.protocols.kinds.verification import prepare
from facebench.protocols.settings import Settings
from facebench.records.record import Record
from tests.helpers import open_sets as sets

QUICK: dict[str, Any] = {"draws": 20, "workers": 0, "progress": False}
CARD = """
name = "staff"
kind = "verification"
version = 1
title = "Staff"
source = "Us"
dataset = "staff"
folds = 10
"""


def pixels(faces: np.ndarray) -> np.ndarray:
    small = faces[:, ::16, ::16].astype(np.float32).reshape(len(faces), -1)
    return small - small.mean(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def modelled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Record]:
    """A folder like XQLFW's, and the record of a model there."""
    folder = tmp_path_factory.mktemp("xqlfw")
    sets.write_xqlfw(folder)
    options = facebench.ModelOptions(size=(112, 112))
    record = facebench.evaluate(pixels, "xqlfw", folder, options=options, align="none", **QUICK)
    return folder, record


def write_table(path: Path, folder: Path, record: Record, **extra: Callable[..., object]) -> Path:
    """The record's scores as a table; extra: further columns, of (row, comparisons, score)."""
    card = load_protocol("xqlfw")
    assert isinstance(card, VerificationCard) and record.table is not None
    found = prepare(card, folder, Settings(), images=False).comparisons
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image_a", "image_b", *extra])
        for row, score in enumerate(record.table.scores.tolist()):
            a, b = found.keys[found.left[row]], found.keys[found.right[row]]
            rows.writerow([b, a, *(of(row, found, score) for of in extra.values())])
    return path


def score(row: int, found: Any, value: float) -> str:
    return repr(value)


def same(row: int, found: Any, value: float) -> int:
    return int(found.mated[row])


def fold(row: int, found: Any, value: float) -> int:
    return int(found.folds[row])


def test_scores_give_the_statistics_of_the_embeddings_they_came_from(
    modelled: tuple[Path, Record], tmp_path: Path
) -> None:
    folder, whole = modelled
    table = write_table(tmp_path / "ours.csv", folder, whole, score=score)
    (record,) = evaluate_many([], ["xqlfw"], folder, scores=[table], **QUICK)
    assert record.statistics == whole.statistics and record.comparisons == whole.comparisons
    assert (record.model.id, record.similarity) == ("ours", "given")
    assert record.data == whole.data and record.alignment == "unknown (scores were given)"
    assert record.table is not None and whole.table is not None
    found = facebench.verification(
        record.table.scores, record.table.mated, record.table.folds,
        (record.table.left_subjects, record.table.right_subjects),
    )  # fmt: skip
    assert found["accuracy"] == record.statistics.headline


def test_a_table_that_says_what_is_mated_needs_nothing_else(
    modelled: tuple[Path, Record], tmp_path: Path
) -> None:
    folder, whole = modelled
    (tmp_path / "staff.toml").write_text(CARD)

    def negated(row: int, found: Any, value: float) -> str:
        return repr(-value)

    one = write_table(tmp_path / "one.csv", folder, whole, score=score, same=same, fold=fold)
    two = write_table(tmp_path / "two.csv", folder, whole, distance=negated)
    first, second = evaluate_many([], [str(tmp_path / "staff.toml")], scores=[one, two], **QUICK)
    assert first.statistics == second.statistics == whole.statistics
    assert (first.similarity, second.similarity) == ("given", "given(distances, negated)")
    assert first.data.name == "staff" and first.data.fingerprint == "staff-unseen"


def test_what_scores_cannot_do_is_told(modelled: tuple[Path, Record], tmp_path: Path) -> None:
    folder, whole = modelled
    table = write_table(tmp_path / "ours.csv", folder, whole, score=score)
    for protocol, settings, said in (
        ("xqlfw", {"similarity": "joint-bayesian"}, "joint-bayesian' has no effect on scores"),
        ("xqlfw", {"template": "int8"}, "has no effect on scores"),
        ("lfw-open", {}, "are of pairs of images, which the kind verification compares"),
    ):
        with pytest.raises(UserError, match=said):
            evaluate_many([], [protocol], folder, scores=[table], **QUICK, **settings)
    with pytest.raises(UserError, match="embeddings and scores need the list of pairs"):
        evaluate_many([], ["xqlfw"], scores=[table], **QUICK)
