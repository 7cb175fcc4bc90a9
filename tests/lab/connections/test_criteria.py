"""Every criterion's selection against a brute-force one on a tiny network (acceptance 5)."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from facebench.base.errors import UserError
from facebench.lab.connections.criteria import (
    CRITERIA,
    brp,
    check_criterion,
    magnitude,
    obd,
    remove,
    scratch,
    second_derivatives,
    whole,
)
from facebench.models.architectures.convnet import to_input

STEP = 1e-7  # small enough that no neuron switches on the way
LAYERS = ("f", "5b", "5a", "4b")


def activations(net, layer: str, faces) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and rectified outputs of a layer, float64, by an own hook."""
    seen = {}
    handle = net.layer(layer).register_forward_hook(
        lambda _m, i, o: seen.update(i=i[0].clone(), o=F.relu(o))
    )
    with torch.no_grad():
        net(to_input(torch.from_numpy(faces)))
    handle.remove()
    return seen["i"].double().numpy(), seen["o"].double().numpy()


def brute_correlations(net, layer: str, faces) -> np.ndarray:
    """numpy.corrcoef, connection by connection."""
    inputs, outputs = activations(net, layer, faces)
    weight = net.layer(layer).weight
    if layer == "f":
        pairs = [(outputs[:, i], inputs.reshape(len(faces), -1)) for i in range(len(weight))]
        return np.stack([[corr(a, b[:, k]) for k in range(b.shape[1])] for a, b in pairs])
    if layer == "4b":
        inputs = np.pad(inputs, ((0, 0), (0, 0), (1, 1), (1, 1)))
    height, width = outputs.shape[2:]
    per_place = []
    for y in range(height):
        for x in range(width):
            window = inputs[:, :, y : y + 3, x : x + 3].reshape(len(faces), -1)
            rows = [
                [corr(outputs[:, i, y, x], window[:, k]) for k in range(window.shape[1])]
                for i in range(outputs.shape[1])
            ]
            per_place.append(rows)
    found = np.array(per_place)
    return np.abs(found).sum(0).reshape(weight.shape) if layer == "4b" else found


def corr(a: np.ndarray, b: np.ndarray) -> float:
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


@pytest.mark.parametrize("name, lam", [("correlation", 0.75), ("random", 0.5), ("highest", 1.0)])
@pytest.mark.parametrize(
    "layer, keep", [("f", "1/4"), ("5b", "1/8"), ("5a", "1/32"), ("4b", "1/2")]
)
def test_correlation_keeps_the_shares_of_brute_force_rankings(
    tiny, make_task, name: str, lam: float, layer: str, keep: str
) -> None:
    net, faces, _ = tiny
    mask = CRITERIA[name](make_task(layer, keep))
    r = brute_correlations(net, layer, faces)
    share = Fraction(keep)
    connections = mask[0].size if layer in ("f", "4b") else mask.shape[2]
    r, mask = r.reshape(-1, connections), mask.reshape(-1, connections)
    assert mask.sum() == share * mask.size
    for row, kept in zip(r, mask, strict=True):
        assert abs(kept.sum() - float(share) * connections) < 1
        signs = [np.ones(connections, bool)] if layer == "4b" else [row >= 0, row < 0]
        for group in signs:
            order = np.flatnonzero(group)[np.argsort(-np.abs(row[group]), kind="stable")]
            middle = (len(order) + 1) // 2
            upper, lower = kept[order[:middle]].sum(), kept[order[middle:]].sum()
            wanted = float(share) * len(order)
            # Where half of all is kept, λ asks for more than a half has: the other gives it.
            from_upper = min(lam * wanted, middle)
            assert abs(upper - from_upper) <= 1 and abs(lower - (wanted - from_upper)) <= 1


def test_correlations_are_numpys_to_the_last_digits(tiny, make_task) -> None:
    net, faces, _ = tiny
    from facebench.lab.connections.moments import layer_correlations

    for layer in LAYERS:
        got = layer_correlations(net, layer, [faces[:5], faces[5:]])
        assert np.allclose(got, brute_correlations(net, layer, faces), atol=1e-6), layer


def test_float32_sums_are_as_good(tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large layers (4b at full width) sum in float32."""
    net, faces, _ = tiny
    import facebench.lab.connections.moments as moments

    monkeypatch.setattr(moments, "_DOUBLE_ENTRIES", 0)
    got = moments.layer_correlations(net, "5b", [faces[:5], faces[5:]])
    assert np.allclose(got, brute_correlations(net, "5b", faces), atol=2e-5)


@pytest.mark.parametrize("layer, keep", [("f", "1/7"), ("5b", "1/128"), ("4b", "1/2")])
def test_magnitude_is_brute_force(tiny, make_task, layer: str, keep: str) -> None:
    net, share = tiny[0], Fraction(keep)
    mask, weight = magnitude(make_task(layer, keep)), net.layer(layer).weight.detach().numpy()
    positive = sorted((w for w in weight.ravel() if w >= 0), reverse=True)
    negative = sorted(w for w in weight.ravel() if w < 0)
    total = whole(share, weight.size)
    above = int(float(share) * len(positive) + 0.5)
    expected = {*positive[:above], *negative[: total - above]}
    assert mask.sum() == total
    assert set(weight[mask].tolist()) == expected
    assert abs((total - above) - float(share) * len(negative)) <= 1


def test_magnitude_of_a_layer_that_is_sparse_already(make_task) -> None:
    before = magnitude(make_task("5b", "1/4"))
    mask = magnitude(make_task("5b", "1/16", before=before))
    assert mask.sum() == mask.size // 16 and not (mask & ~before).any()


@pytest.mark.parametrize("name", ["correlation", "random", "highest", "obd"])
def test_dropped_connections_stay_dropped(make_task, name: str) -> None:
    before = CRITERIA["correlation"](make_task("5a", "1/4"))
    mask = CRITERIA[name](make_task("5a", "1/16", before=before))
    assert mask.sum() == mask.size // 16 and not (mask & ~before).any()


@pytest.mark.parametrize("layer", ["f", "5b", "5a", "4b"])
def test_second_derivatives_are_finite_differences(tiny, make_task, layer: str) -> None:
    """The cross-entropy is log Σ exp z - z_y, and z is linear in a weight while no neuron switches:
    the difference of the slopes of log Σ exp z over a small step is the second derivative.
    """
    net, faces, head = tiny
    net, head = net.double(), head.double()
    try:
        double_input = to_input(torch.from_numpy(faces)).double()
        import facebench.lab.connections.criteria as module

        original = module.to_input
        module.to_input = lambda x: original(x).double()
        try:
            exact = second_derivatives(make_task(layer, "1/2"), draws=None)
        finally:
            module.to_input = original
        weight = net.layer(layer).weight
        places = [np.unravel_index(i, weight.shape) for i in np.argsort(-exact.ravel())[:300:60]]
        for place in places:
            slopes, start = [], weight[place].item()
            for step in (-STEP, STEP):
                with torch.no_grad():
                    weight[place] = start + step
                loss = head(net(double_input)).logsumexp(1).mean()
                slopes.append(torch.autograd.grad(loss, weight)[0][place].item())
            with torch.no_grad():
                weight[place] = start
            second = (slopes[1] - slopes[0]) / (2 * STEP)
            assert exact[place] == pytest.approx(second, rel=1e-3, abs=1e-7)
    finally:
        net.float(), head.float()


def test_drawn_classes_are_right_on_average(make_task) -> None:
    exact = second_derivatives(make_task("f", "1/2"), draws=None)
    drawn = np.mean(
        [second_derivatives(make_task("f", "1/2", seed=s), draws=40) for s in range(5)], axis=0
    )
    assert np.corrcoef(exact.ravel(), drawn.ravel())[0, 1] > 0.98
    assert drawn.sum() == pytest.approx(exact.sum(), rel=0.1)


@pytest.mark.parametrize("layer, keep", [("f", "1/4"), ("4b", "1/2")])
def test_obd_keeps_the_largest_saliencies(make_task, layer: str, keep: str) -> None:
    """Derivatives face by face and class by class with autograd, then a plain sort."""
    task = make_task(layer, keep)
    import facebench.lab.connections.criteria as module

    brute = np.zeros(task.weight.shape)
    weight = task.net.layer(layer).weight
    faces = np.concatenate(list(task.held_out()))
    rng = np.random.default_rng(0)  # the task's: the same classes are drawn
    position = 0
    for batch in task.held_out():
        log_p = task.logits(task.net(to_input(torch.from_numpy(batch)))).log_softmax(1)
        for classes, factor in module._classes(log_p.detach(), module.DRAWS, rng):
            for i in range(len(batch)):
                loss = -log_p[i, classes[i]]
                (slope,) = torch.autograd.grad(loss, weight, retain_graph=True)
                brute += factor[i].item() * slope.double().numpy() ** 2
        position += len(batch)
    assert position == len(faces)
    saliency = brute / len(faces) * task.weight.astype(np.float64) ** 2
    count = whole(task.keep, saliency.size)
    mask = obd(task)
    assert mask.sum() == count
    bar = np.sort(saliency.ravel())[-count]
    apart = np.abs(saliency - bar) > 1e-5 * bar  # float32 sums may exchange neighbours
    assert np.array_equal(mask[apart], (saliency >= bar)[apart])


def test_brp_removes_below_a_tenth_of_the_mean_until_s(make_task) -> None:
    """Learning is a toy: all weights shrink by a constant, as an L1 penalty makes them."""
    seen = []
    task = make_task("f", "1/8")
    state = task.weight.astype(np.float64)

    def learn(kept, penalty, number):
        seen.append((kept.copy(), penalty))
        state[...] = np.sign(state) * np.maximum(np.abs(state) - 0.02, 0) * kept
        return state.astype(np.float32)

    object.__setattr__(task, "learn", learn)
    mask = brp(task)
    expected, weight = np.ones(task.weight.shape, bool), task.weight.astype(np.float64)
    while expected.sum() > expected.size // 8:
        weight = np.sign(weight) * np.maximum(np.abs(weight) - 0.02, 0) * expected
        left = {
            place
            for place in zip(*np.nonzero(expected), strict=True)
            if abs(np.float32(weight[place])) >= 0.1 * np.abs(weight.astype("f4"))[expected].mean()
        }
        if len(left) < expected.size // 8:
            places = sorted(zip(*np.nonzero(expected), strict=True), key=lambda p: -abs(weight[p]))
            left = set(places[: expected.size // 8])
        expected = np.zeros_like(expected)
        for place in left:
            expected[place] = True
    assert np.array_equal(mask, expected) and mask.sum() == mask.size // 8
    penalties = [penalty for _, penalty in seen]
    assert penalties == sorted(penalties) and len(seen) > 2


def test_brp_removal_by_hand() -> None:
    weight = np.array([1.0, -1.0, 0.05, -0.2, 0.0])
    kept = np.array([True, True, True, True, False])
    # The mean of |w| over the four kept is 0.5625: only 0.05 is below a tenth of it.
    assert remove(weight, kept, 1).tolist() == [True, True, False, True, False]
    assert remove(weight, kept, 4).tolist() == kept.tolist()


def test_scratch_has_the_masks_and_none_of_the_weights(tiny) -> None:
    import copy

    net = copy.deepcopy(tiny[0])
    mask = torch.rand(net.local5b.weight.shape) < 0.1
    old = net.local5b.weight.detach().clone()
    scratch(net, {"local5b": mask}, seed=5)
    assert (net.local5b.weight[~mask] == 0).all()
    assert not torch.isclose(net.local5b.weight[mask], old[mask]).any()
    again = copy.deepcopy(tiny[0])
    scratch(again, {"local5b": mask}, seed=5)
    assert torch.equal(net.f.weight, again.f.weight)
    assert net.conv4b.weight.std().item() == pytest.approx((2 / 72) ** 0.5, rel=0.1)


def test_criteria_say_what_they_need(make_task) -> None:
    for name, field in (("correlation", "faces"), ("obd", "logits"), ("brp", "learn")):
        with pytest.raises(ValueError, match="needs"):
            CRITERIA[name](make_task("f", "1/4", **{field: None}))
    with pytest.raises(UserError, match="did you mean 'magnitude'"):
        check_criterion("magnitud")
