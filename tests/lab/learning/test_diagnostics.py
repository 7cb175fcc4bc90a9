"""Each diagnostic against a loop over neurons, pairs or thresholds."""

from __future__ import annotations

import itertools
import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facebench.lab.connections.correlation import select_connections
from facebench.lab.learning.diagnostics import (
    input_correlations,
    layer_inputs,
    least_error,
    mean_absolute_correlation,
    rank_distance,
    rank_frequencies,
    rankings,
    verification_error,
    write_diagnostics,
)
from facebench.reports.facts import Diagnostics
from tests.lab.connections.test_criteria import activations, brute_correlations


@pytest.mark.parametrize("layer", ["f", "5b", "4b"])
def test_mean_correlation_on_kept_connections(tiny, layer: str) -> None:
    net, faces, _ = tiny
    r = brute_correlations(net, layer, faces)
    mask = np.random.default_rng(0).random(r.shape) < 0.3
    positions = 10 * 10 if layer == "4b" else 1  # 80 / 8
    got = mean_absolute_correlation(net, layer, mask, lambda: iter([faces[:5], faces[5:]]))
    assert got == pytest.approx(np.abs(r)[mask].mean() / positions, abs=1e-6)


def test_correlation_among_the_inputs_of_a_common_neuron(tiny) -> None:
    net, faces, _ = tiny
    inputs, outputs = activations(net, "5b", faces)
    mask = np.random.default_rng(1).random(tuple(net.local5b.weight.shape)) < 0.2
    found = []
    for place in range(outputs.shape[2] * outputs.shape[3]):
        y, x = divmod(place, outputs.shape[3])
        window = inputs[:, :, y : y + 3, x : x + 3].reshape(len(faces), -1)
        for kept in mask[place]:
            for j, k in itertools.combinations(np.flatnonzero(kept), 2):
                if np.ptp(window[:, j]) > 0 and np.ptp(window[:, k]) > 0:
                    found.append(np.corrcoef(window[:, j], window[:, k])[0, 1])
    magnitudes = np.abs(found)
    batches = layer_inputs(net, "5b", lambda: iter([faces[:7], faces[7:]]))
    expected = (np.mean(found), magnitudes.mean())
    assert input_correlations(mask, batches) == pytest.approx(expected, abs=1e-6)


def test_rankings_by_hand() -> None:
    weight = np.array([[0.5, -3.0, 2.0, 1.0, 0.1]])
    mask = np.array([[True, True, False, True, False]])
    # Positive ones by size: 2.0, 1.0, 0.5, 0.1; kept are the second and third.
    assert sorted(rankings(weight, mask)) == [0.375, 0.625]
    assert rankings(-weight, mask).tolist() == [0.5]
    assert rank_frequencies(rankings(weight, mask), 4) == [0.0, 0.5, 0.5, 0.0]


def test_random_selection_ranks_uniformly_and_magnitude_does_not() -> None:
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(200, 256))
    drawn = select_connections(rng.random(weight.shape), Fraction(1, 8), rng, shared=True)
    ranks = rankings(weight, drawn)
    assert rank_distance(ranks) < 0.04
    assert max(rank_frequencies(ranks)) < 0.08 and sum(rank_frequencies(ranks)) == pytest.approx(1)
    assert rank_distance(rankings(weight, weight > np.quantile(weight, 0.9))) > 0.7


@given(
    st.lists(st.integers(-3, 3), min_size=1, max_size=8),
    st.lists(st.integers(-3, 3), min_size=1, max_size=8),
)
@settings(max_examples=100, deadline=None)
def test_least_error_tries_every_threshold(mated: list[int], other: list[int]) -> None:
    thresholds = [-10.0, 10.0, *(v for v in (*mated, *other))]
    wrong = min(sum(s < t for s in mated) + sum(s >= t for s in other) for t in thresholds)
    got = least_error(np.array(mated, float), np.array(other, float))
    assert got == pytest.approx(wrong / (len(mated) + len(other)))


def test_verification_error_of_perfect_and_useless_features() -> None:
    labels = np.repeat(np.arange(10), 4)
    perfect = np.eye(10)[labels]
    rng = np.random.default_rng(0)
    assert verification_error(perfect, labels, rng, 200) == 0.0
    useless = np.random.default_rng(1).normal(size=(40, 64))
    assert 0.3 < verification_error(useless, labels, rng, 500) <= 0.5
    assert np.isnan(verification_error(perfect, np.arange(40), rng, 5))
    assert np.isnan(verification_error(perfect, np.full(40, -1), rng, 5))


def test_written_diagnostics_are_what_reports_read_and_add_up(tmp_path) -> None:
    write_diagnostics("m", {"training_error": 0.25, "held_out_error": float("nan")}, "a", tmp_path)
    path = write_diagnostics("m", {"rank_frequencies": [0.5, 0.5]}, "b", tmp_path)
    assert path == tmp_path / "diagnostics" / "m.json"
    read = Diagnostics.model_validate(json.loads(path.read_text()))
    assert read.model == "m" and read.source == "b"
    assert read.values == {"training_error": 0.25, "rank_frequencies": (0.5, 0.5)}
