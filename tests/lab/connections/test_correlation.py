"""The correlation criterion against numpy.corrcoef and against the paper's counts."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from facebench.lab.connections.correlation import (
    layer_correlations,
    prune_layer,
    select_connections,
)
from facebench.models.architectures.convnet import ConvNet, to_input


@pytest.fixture(scope="module")
def small() -> tuple[ConvNet, np.ndarray]:
    torch.manual_seed(3)
    net = ConvNet(0.03125).eval()
    faces = np.random.default_rng(0).integers(0, 256, (40, 112, 96, 3), dtype=np.uint8)
    return net, faces


def _pairs(net: ConvNet, layer: str, faces: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    seen = {}
    handle = net.layer(layer).register_forward_hook(
        lambda _, i, o: seen.update(i=i[0].clone(), o=F.relu(o))
    )
    with torch.inference_mode():
        net(to_input(torch.from_numpy(faces)))
    handle.remove()
    return seen["i"], seen["o"]


def _corr(a: np.ndarray, b: np.ndarray) -> float:
    if a.std() < 1e-9 or b.std() < 1e-9:
        return 0.0
    return float(np.corrcoef(a.astype(np.float64), b.astype(np.float64))[0, 1])


def test_fully_connected_equals_corrcoef_in_uneven_batches(small) -> None:
    net, faces = small
    inputs, outputs = (x.numpy() for x in _pairs(net, "f", faces))
    got = layer_correlations(net, "f", [faces[:7], faces[7:30], faces[30:]])
    assert got.shape == tuple(net.f.weight.shape)
    for i in range(got.shape[0]):
        for k in range(got.shape[1]):
            assert got[i, k] == pytest.approx(_corr(outputs[:, i], inputs[:, k]), abs=1e-5)


def test_locally_connected_equals_corrcoef(small) -> None:
    net, faces = small
    inputs, outputs = (x.numpy() for x in _pairs(net, "5b", faces))
    got = layer_correlations(net, "5b", [faces[:20], faces[20:]])
    height, width = net.local5b.out_size
    rng = np.random.default_rng(1)
    for _ in range(200):
        y, x = rng.integers(height), rng.integers(width)
        out, channel = rng.integers(outputs.shape[1]), rng.integers(inputs.shape[1])
        dy, dx = rng.integers(3, size=2)
        expected = _corr(outputs[:, out, y, x], inputs[:, channel, y + dy, x + dx])
        k = channel * 9 + dy * 3 + dx
        assert got[y * width + x, out, k] == pytest.approx(expected, abs=1e-5)


def test_convolution_sums_magnitudes_over_positions(small) -> None:
    net, faces = small
    inputs, outputs = _pairs(net, "4b", faces)
    padded = F.pad(inputs, (1, 1, 1, 1)).numpy()
    got = layer_correlations(net, "4b", [faces])
    assert isinstance(net.conv4b, nn.Conv2d) and got.shape == tuple(net.conv4b.weight.shape)
    out, channel, dy, dx = 2, 5, 0, 2
    expected = sum(
        abs(_corr(outputs[:, out, y, x].numpy(), padded[:, channel, y + dy, x + dx]))
        for y in range(outputs.shape[2])
        for x in range(outputs.shape[3])
    )
    assert got[out, channel, dy, dx] == pytest.approx(expected, abs=1e-4)


@given(
    keep=st.sampled_from([Fraction(1, 2), Fraction(1, 8), Fraction(1, 32), Fraction(1, 7)]),
    shared=st.booleans(),
    lam=st.sampled_from([0.5, 0.75, 1.0]),
    seed=st.integers(0, 10_000),
)
@settings(max_examples=200, deadline=None)
def test_every_neuron_keeps_its_count(keep: Fraction, shared: bool, lam: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    correlations = rng.normal(size=(3, 4, 224)) if not shared else rng.random((6, 14, 4, 4))
    kept = select_connections(correlations, keep, rng, shared=shared, lam=lam)
    counts = kept.reshape(-1, 224).sum(1)
    if (keep * 224).denominator == 1:
        assert (counts == int(keep * 224)).all()
    else:
        assert (np.abs(counts - float(keep) * 224) < 1).all()


def test_shares_of_the_paper() -> None:
    """λ = 0.75 at S = 1/8: of 512 positive and 512 negative ones, 48 + 16 of each sign stay."""
    rng = np.random.default_rng(0)
    magnitude = rng.permutation(512) + 1.0
    row = np.concatenate([magnitude, -magnitude])[None]
    kept = select_connections(row, Fraction(1, 8), rng, shared=False)[0]
    for sign in (1, -1):
        chosen = row[0][kept & (np.sign(row[0]) == sign)]
        assert (np.abs(chosen) > 256).sum() == 48
        assert (np.abs(chosen) <= 256).sum() == 16


def test_highest_and_random_variants() -> None:
    rng = np.random.default_rng(0)
    row = rng.random((1, 400))
    highest = select_connections(row, Fraction(1, 4), rng, shared=True, lam=1.0)
    assert row[highest].min() >= np.median(row)
    drawn = [select_connections(row, Fraction(1, 4), rng, shared=True, lam=0.5) for _ in range(50)]
    mean_upper = np.mean([(row[kept] > np.median(row)).mean() for kept in drawn])
    assert mean_upper == pytest.approx(0.5, abs=0.02)


def test_rounding_has_no_bias() -> None:
    """Three of 768 per neuron (1/256-f at half width): each half gets its share on average."""
    rng = np.random.default_rng(0)
    row = np.concatenate([rng.random(384), -rng.random(384)])
    kept = select_connections(np.tile(row, (4000, 1)), Fraction(1, 256), rng, shared=False)
    assert (kept.sum(1) == 3).all()
    upper = np.abs(row) > np.where(row > 0, np.median(row[row > 0]), np.median(-row[row < 0]))
    assert kept[:, upper].sum() / 4000 == pytest.approx(2.25, abs=0.05)


def test_silent_neurons_count_as_uncorrelated() -> None:
    net = ConvNet(0.03125).eval()
    with torch.no_grad():
        net.f.bias[0] = -1e6
    faces = np.random.default_rng(0).integers(0, 256, (6, 112, 96, 3), dtype=np.uint8)
    assert (layer_correlations(net, "f", [faces])[0] == 0).all()


def test_prune_layer_names_the_module(small) -> None:
    net, faces = small
    name, mask = prune_layer(net, "5b", Fraction(1, 8), [faces], np.random.default_rng(0))
    assert name == "local5b" and mask.shape == net.local5b.weight.shape
    assert mask.sum() == mask.numel() // 8


@pytest.mark.parametrize("keep", [Fraction(0), Fraction(1), Fraction(3, 2)])
def test_impossible_sparsity(keep: Fraction) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        select_connections(np.ones((1, 8)), keep, np.random.default_rng(0), shared=True)


def test_one_face_has_no_correlation(small) -> None:
    net, faces = small
    with pytest.raises(ValueError, match="at least two"):
        layer_correlations(net, "f", [faces[:1]])
