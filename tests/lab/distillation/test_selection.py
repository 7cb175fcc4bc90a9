"""Statistics of neurons and the choice among them, against brute force and by hand."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facebench.lab.distillation.selection import (
    DISTURBANCES,
    Energy,
    by_mean_field,
    by_merit,
    exchanged,
    greedily,
    intraclass_correlation,
    neuron_statistics,
    nuisance_share,
    select_neurons,
    squared_correlation,
)


def problem(seed: int, neurons: int, count: int, weight: float = 1.0) -> Energy:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(12, neurons)) @ rng.normal(size=(neurons, neurons))
    return Energy(rng.uniform(-0.2, 0.8, neurons), squared_correlation(x), count, weight)


def slow_energy(energy: Energy, chosen: tuple[int, ...]) -> float:
    """The docstring's double sum, term by term."""
    k, total = len(chosen), 0.0
    for i in chosen:
        total -= energy.merit[i] / k
        for j in chosen:
            if i != j:
                total += energy.redundancy_weight / (k * (k - 1)) * energy.correlation[i, j]
    return total


def best_of_all(energy: Energy) -> float:
    choices = combinations(range(len(energy.merit)), energy.count)
    return min(slow_energy(energy, chosen) for chosen in choices)


@given(st.integers(0, 10**6), st.integers(2, 8), st.data())
@settings(max_examples=30, deadline=None)
def test_the_choice_is_as_good_as_exact_search(seed: int, neurons: int, data) -> None:
    energy = problem(seed, neurons, data.draw(st.integers(1, neurons)), data.draw(
        st.sampled_from([0.0, 0.5, 1.0, 5.0])))  # fmt: skip
    found = select_neurons(energy)
    assert list(found.neurons) == sorted(set(found.neurons)) and len(found.neurons) == energy.count
    assert found.energy == pytest.approx(slow_energy(energy, tuple(found.neurons)), abs=1e-12)
    # No exchange of one neuron helps, and no start was better.
    for out in found.neurons:
        for into in set(range(neurons)) - set(found.neurons):
            other = tuple(sorted((set(found.neurons) - {out}) | {into}))
            assert slow_energy(energy, other) >= found.energy - 1e-9
    for start in (by_merit, greedily, by_mean_field):
        assert found.energy <= energy.of(start(energy)) + 1e-12
    if energy.count <= 2:
        assert found.energy == pytest.approx(best_of_all(energy), abs=1e-12)


def test_exact_search_is_met_nearly_always() -> None:
    met = 0
    for seed in range(30):
        energy = problem(seed, 9, 4, weight=2.0)
        met += select_neurons(energy).energy < best_of_all(energy) + 1e-9
    assert met >= 28


def test_redundant_twins_are_not_both_chosen() -> None:
    correlation = np.zeros((4, 4))
    correlation[0, 1] = correlation[1, 0] = 1.0
    merit = np.array([0.9, 0.8, 0.5, -np.inf])
    assert list(select_neurons(Energy(merit, correlation, 2)).neurons) == [0, 2]
    assert list(select_neurons(Energy(merit, correlation, 2, 0.1)).neurons) == [0, 1]
    assert list(select_neurons(Energy(merit, correlation, 3)).neurons) == [0, 1, 2]
    with pytest.raises(ValueError, match="4 of 3"):
        Energy(merit, correlation, 4)


def test_exchanges_mend_a_bad_start() -> None:
    energy = problem(3, 8, 3)
    worst = np.argsort(energy.merit)[:3].astype(np.int64)
    assert energy.of(exchanged(energy, np.sort(worst))) < energy.of(worst)


def test_mean_field_without_redundancy_is_the_order_of_merit() -> None:
    energy = Energy(np.array([0.1, 0.7, -0.3, 0.6, -np.inf]), np.zeros((5, 5)), 2)
    assert list(by_mean_field(energy)) == [1, 3] == list(greedily(energy)) == list(by_merit(energy))


def test_intraclass_correlation_by_hand() -> None:
    # Identities {1, 3}, {7, 9}: MS between = 2·(3² + 3²) = 36, within = (2 + 2)/2 = 2, n0 = 2,
    # variance (36 - 2)/2 = 17, share 17/19. The second neuron is the same within as between.
    x = np.array([[1, 0], [3, 2], [7, 0], [9, 2]], np.float32)
    found = intraclass_correlation(x, np.array([4, 4, 6, 6]))
    np.testing.assert_allclose(found, [17 / 19, 0.0])
    # {0, 0, 6}, {6}: means 2 and 6, 3; n0 = (4 - 10/4)/1 = 1.5; between 3·1 + 9 = 12, within
    # (4 + 4 + 16)/2 = 12: none.
    assert intraclass_correlation(x[:, :1] * 0 + [[0], [0], [6], [6]], np.array([0, 0, 0, 1])) == 0
    for labels in ([0, 0, 0, 0], [0, 1, 2, 3]):
        with pytest.raises(ValueError, match="two identities"):
            intraclass_correlation(x, np.array(labels))


@given(st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_intraclass_correlation_is_that_of_the_sums(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.concatenate([[0, 0, 1], rng.integers(0, 4, 12)])
    x = (rng.normal(size=(5, 3))[labels] + rng.normal(size=(15, 3))).astype(np.float32)
    for neuron, found in enumerate(intraclass_correlation(x, labels)):
        groups = [x[labels == label, neuron].astype(float) for label in np.unique(labels)]
        n, g = 15, len(groups)
        between = sum(len(v) * (v.mean() - x[:, neuron].mean()) ** 2 for v in groups) / (g - 1)
        within = sum(((v - v.mean()) ** 2).sum() for v in groups) / (n - g)
        size = (n - sum(len(v) ** 2 for v in groups) / n) / (g - 1)
        s2 = max(0.0, (between - within) / size)
        assert found == pytest.approx(s2 / (s2 + within), abs=1e-5)


def test_correlations_are_numpys_and_dead_neurons_have_none() -> None:
    x = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    x[:, 3] = 0.5
    found = squared_correlation(x)
    expected = np.corrcoef(x[:, :3].T.astype(float)) ** 2 - np.eye(3)
    np.testing.assert_allclose(found[:3, :3], expected, atol=1e-9)
    assert (found[3] == 0).all() and (found[:, 3] == 0).all()


def test_nuisance_is_zero_for_the_blind_and_one_for_chance() -> None:
    rng = np.random.default_rng(0)
    clean = rng.normal(size=(4000, 2)).astype(np.float32)
    other = np.stack([clean[:, 0], rng.normal(size=4000)], 1).astype(np.float32)
    share = nuisance_share(clean, other, np.ones(2))
    assert share[0] == 0 and share[1] == pytest.approx(1, abs=0.1)


def test_disturbances_change_the_face_and_keep_its_shape() -> None:
    crops = np.random.default_rng(0).integers(0, 256, (2, 128, 112, 3), dtype=np.uint8)
    for name, disturb in DISTURBANCES.items():
        other = disturb(crops)
        assert other.shape == crops.shape and other.dtype == np.uint8 and (other != crops).any()
        grey = np.full_like(crops, 100)
        mean = disturb(grey).mean()
        assert {"brighter": mean > 100, "darker": mean < 100}.get(name, mean == 100), name
    np.testing.assert_array_equal(DISTURBANCES["mirrored"](crops)[:, :, 0], crops[:, :, -1])
    np.testing.assert_array_equal(DISTURBANCES["moved"](crops)[:, 3:, 3:], crops[:, :-3, :-3])


def test_a_neuron_of_identity_beats_one_of_brightness() -> None:
    """Three neurons: who it is, how bright the picture is, and one that never changes."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(10), 6)
    crops = np.empty((60, 128, 112, 3), np.uint8)
    crops[..., 0] = rng.integers(60, 200, 60)[:, None, None]  # light
    crops[..., 1:] = (20 * labels)[:, None, None, None]

    def neurons(faces):
        red = faces[..., 0].mean((1, 2))
        blue = np.digitize(faces[:, 0, 0, 2], [40, 120])
        return np.stack([blue, red, np.ones(len(faces))], 1).astype(np.float32)

    found = neuron_statistics(neurons(crops), labels, crops[::4], neurons)
    assert found.discriminability[0] > 0.99 and found.discriminability[1] < 0.2
    assert found.nuisance["darker"][1] > 0.2 and found.nuisance["mirrored"][1] == 0
    assert list(found.lives) == [True, True, False]
    merit = found.merit(1.0)
    assert merit[0] > merit[1] and merit[2] == -np.inf
    chosen = select_neurons(Energy(merit, found.correlation, 1))
    assert list(chosen.neurons) == [0]
