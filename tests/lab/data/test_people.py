"""Errors on held-out people, by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from facebench.lab.data.crops import TrainingCrops
from facebench.lab.data.people import balanced_error, held_out_figures, true_matches, write_held_out
from facebench.lab.data.sources import TrainingData
from facebench.lab.learning.losses import Supervision


def test_the_balanced_error_weighs_both_kinds_alike() -> None:
    mated, others = np.array([0.9, 0.8, 0.05, 0.7]), np.array([0.1] * 90 + [0.75] * 10)
    # At 0.7: one of four is missed, a tenth is taken.
    assert balanced_error(mated, others) == pytest.approx((0.25 + 0.1) / 2)
    assert balanced_error(np.array([0.9]), np.array([0.1])) == 0
    assert balanced_error(np.array([0.1]), np.array([0.9])) == 0.5  # never worse than guessing


def test_true_matches_are_a_mean_over_people() -> None:
    others = np.linspace(0, 1, 10_001)  # the thousandth highest is at 0.999
    scores = np.array([2.0, 0.5, 0.5, 0.5, 2.0])
    people = np.array([0, 0, 0, 0, 1])
    assert true_matches(scores, people, others) == pytest.approx((0.25 + 1.0) / 2)


class Colour(nn.Module):
    """The mean colour of a face."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3))


def data(targets: bool = True) -> TrainingData:
    """Three people, each of an own colour, six faces each, and two of nobody."""
    labels = np.array([0, 1, 2] * 6 + [-1, -1])
    colours = np.eye(3)[labels] * 100 + 140
    images = np.broadcast_to(colours[:, None, None], (20, 128, 112, 3)).astype(np.uint8)
    means = ((colours - 127.5) / 128).astype(np.float32)
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    answers = means if targets else np.full((20, 1), np.nan, np.float32)
    return TrainingData([], TrainingCrops(images, labels, answers))


def supervision() -> Supervision:
    made = Supervision(3, 3, 1)
    with torch.no_grad():
        made.regressor.weight.copy_(torch.eye(3))
        made.regressor.bias.zero_()
    return made


def test_a_network_that_knows_all_colours(tmp_path: Path) -> None:
    found = write_held_out(tmp_path, Colour(), supervision(), data())
    for ending in ("", "_regressed", "_teacher"):
        assert found[f"error{ending}"] == 0 and found[f"true_matches{ending}"] == 1
    assert found["cosine_to_teacher"] == pytest.approx(1, abs=1e-5)
    assert json.loads((tmp_path / "held_out.json").read_text())["error"] == 0


def test_without_a_teacher_only_the_output_is_judged() -> None:
    assert set(held_out_figures(Colour(), supervision(), data(targets=False))) == {
        "error",
        "true_matches",
    }


def test_people_who_were_learned_from_take_no_part() -> None:
    """Their other faces are held out, too; here they look like somebody else."""
    whole = data()
    faces = whole.held_out.images.copy()
    faces[whole.held_out.labels == 1] = faces[0]
    mixed = replace(whole, held_out=replace(whole.held_out, images=faces))
    assert held_out_figures(Colour(), supervision(), mixed)["error"] > 0.1
    apart = replace(mixed, strangers=np.isin(whole.held_out.labels, [0, 2]))
    assert held_out_figures(Colour(), supervision(), apart)["error"] == 0


def test_a_network_that_knows_nothing_guesses() -> None:
    class Same(Colour):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) * 0 + 1

    assert held_out_figures(Same(), supervision(), data())["error"] == 0.5
