"""Every way of losing a mask that we know of, tried on a network that must not lose it."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from facebench.models.architectures.convnet import ConvNet
from facebench.models.sparsity.masks import apply_masks, freeze, masks_of
from facebench.models.weights.packed import load_packed
from tests.helpers.packed import save_packed

Tiny = tuple[ConvNet, dict[str, Tensor]]
SIZE = (80, 80)
FACES = torch.randn(2, 3, *SIZE, generator=torch.Generator().manual_seed(1))


@pytest.fixture(params=["training", "frozen"])
def masked(request: pytest.FixtureRequest, tiny: Tiny) -> Tiny:
    net, masks = tiny
    apply_masks(net, masks)
    if request.param == "frozen":
        freeze(net)
        net(FACES)  # the masked weights are remembered from here on
    return net, masks


def assert_masked(
    net: nn.Module, masks: dict[str, Tensor], dtype: torch.dtype | None = None
) -> None:
    """Dropped weights are exact zeros in what the layer shows, saves and computes with."""
    state = net.state_dict()
    for name, mask in masks.items():
        layer = net.get_submodule(name)
        assert not layer.weight[~mask].any(), name  # NaN counts as true
        assert not state[f"{name}.weight"][~mask].any(), name
        assert layer.weight[mask].any(), name
        assert dtype is None or layer.weight.dtype == dtype
    reference = ConvNet(0.125, SIZE).to(dtype or torch.float32).eval()
    reference.load_state_dict(state)
    faces = FACES.to(dtype or torch.float32)
    for grad in (False, True):
        with torch.set_grad_enabled(grad):
            torch.testing.assert_close(net.eval()(faces), reference(faces))


def test_masking_changes_dropped_weights_only(tiny: Tiny) -> None:
    net, masks = tiny
    before = copy.deepcopy(net.state_dict())
    apply_masks(net, masks)
    for name, tensor in net.state_dict().items():
        mask = masks.get(name.removesuffix(".weight")) if name.endswith(".weight") else None
        want = before[name] if mask is None else torch.where(mask, before[name], 0.0)
        assert torch.equal(tensor, want)
    assert set(net.state_dict()) == set(before)
    assert all(torch.equal(masks_of(net)[name], mask) for name, mask in masks.items())


@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
        lambda p: torch.optim.Adam(p, lr=0.1),
        lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.5),
    ],
    ids=["sgd", "adam", "adamw"],
)
def test_optimiser_steps(tiny: Tiny, make: Callable[..., torch.optim.Optimizer]) -> None:
    net, masks = tiny
    apply_masks(net, masks)
    optimiser = make(net.parameters())
    before = {name: net.get_submodule(name).weight.detach().clone() for name in masks}
    for _ in range(3):
        optimiser.zero_grad()
        net.train()(FACES).square().mean().backward()
        optimiser.step()
    assert_masked(net, masks)
    assert all(not torch.equal(net.get_submodule(n).weight, before[n]) for n in masks)


def test_a_momentum_that_was_built_up_before_masking(tiny: Tiny) -> None:
    net, masks = tiny
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    net(FACES).mean().backward()
    optimiser.step()
    apply_masks(net, masks)
    optimiser.step()
    assert_masked(net, masks)


def test_gradients_of_dropped_weights_are_zero(tiny: Tiny) -> None:
    net, masks = tiny
    apply_masks(net, masks)
    net.train()(FACES).sum().backward()
    for name, mask in masks.items():
        grad = net.get_submodule(name).parametrizations.weight.original.grad
        assert not grad[~mask].any() and grad[mask].any()


def fill_weight(net: nn.Module, name: str) -> None:
    net.get_submodule(name).weight.data.fill_(1)
    with torch.no_grad():
        net.get_submodule(name).weight.fill_(1)
    with torch.inference_mode():
        net.get_submodule(name).weight.fill_(1)


def assign(net: nn.Module, name: str) -> None:
    layer = net.get_submodule(name)
    layer.weight = torch.ones_like(layer.weight)


def fill_parameters(net: nn.Module, _: str) -> None:
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(1)


def fill_parameter_data(net: nn.Module, _: str) -> None:
    for parameter in net.parameters():
        parameter.data.add_(1)


def drop_to_nan(net: nn.Module, _: str) -> None:
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if "parametrizations" in name:
                mask = net.get_submodule(name.split(".parametrizations")[0]).parametrizations
                parameter[~mask.weight[0].kept] = float("nan")


@pytest.mark.parametrize(
    "change", [fill_weight, assign, fill_parameters, fill_parameter_data, drop_to_nan]
)
def test_changes_in_place(masked: Tiny, change: Callable[[nn.Module, str], None]) -> None:
    net, masks = masked
    for name in masks:
        change(net, name)
    if change is fill_parameter_data and net.f.parametrizations.weight[0].frozen:
        freeze(net)  # torch does not count such changes
    assert_masked(net, masks)


def test_a_frozen_network_sees_counted_changes(tiny: Tiny) -> None:
    net, masks = tiny
    apply_masks(net, masks)
    freeze(net)
    before = net(FACES)
    with torch.no_grad():
        net.f.parametrizations.weight.original.mul_(2)
    torch.testing.assert_close(net(FACES) - net.f.bias.relu(), 2 * (before - net.f.bias.relu()))


def test_a_frozen_network_does_not_mask_again_without_need(tiny: Tiny) -> None:
    net, masks = tiny
    apply_masks(net, masks)
    freeze(net)
    with torch.inference_mode():
        net(FACES)
        first = net.f.parametrizations.weight[0]._clean
        net(FACES)
    assert net.f.parametrizations.weight[0]._clean is first is not None


@pytest.mark.parametrize("assign", [False, True])
def test_loading_a_dense_state(masked: Tiny, assign: bool) -> None:
    net, masks = masked
    dense = ConvNet(0.125, SIZE).state_dict()
    net.load_state_dict(dense, assign=assign)
    assert_masked(net, masks)
    torch.testing.assert_close(net.f.weight, torch.where(masks["f"], dense["f.weight"], 0.0))
    assert "f.weight" in dense and len(dense) == len(net.state_dict())


def test_loading_the_state_of_another_mask(
    masked: Tiny, make_masks: Callable[..., dict[str, Tensor]]
) -> None:
    net, masks = masked
    other = ConvNet(0.125, SIZE)
    apply_masks(other, make_masks(other, {"f": 0.9, "5b": 0.9, "4b": 0.9}, seed=9))
    net.load_state_dict(other.state_dict())
    assert_masked(net, masks)


def test_a_state_dict_round_trip_through_a_file(masked: Tiny) -> None:
    net, masks = masked
    file = io.BytesIO()
    torch.save(net.state_dict(), file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    before = net(FACES)
    net.load_state_dict(state)
    assert torch.equal(net(FACES), before)
    assert_masked(net, masks)


def test_a_missing_weight_is_still_noticed(masked: Tiny) -> None:
    net, _ = masked
    state = net.state_dict()
    del state["f.weight"]
    with pytest.raises(RuntimeError, match="Missing"):
        net.load_state_dict(state)
    with pytest.raises(RuntimeError, match="Unexpected"):
        net.load_state_dict(net.state_dict() | {"f.extra": torch.zeros(1)})


def test_deep_copies(masked: Tiny) -> None:
    net, masks = masked
    twin = copy.deepcopy(net)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.fill_(1)
    assert_masked(twin, masks)
    assert not torch.equal(net.f.weight, twin.f.weight)  # the original is untouched
    assert_masked(net, masks)
    twin.load_state_dict(ConvNet(0.125, SIZE).state_dict())
    assert_masked(twin, masks)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_another_precision(masked: Tiny, dtype: torch.dtype) -> None:
    net, masks = masked
    net.to(dtype)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1)
    assert_masked(net, masks, dtype)


def test_half_and_back(masked: Tiny) -> None:
    net, masks = masked
    rounded = net.f.weight.detach().half().float()
    net.half()
    net.float()
    assert torch.equal(net.f.weight, rounded)
    assert_masked(net, masks)
    assert_masked(net.to(memory_format=torch.channels_last), masks)


def test_averaged_weights(tiny: Tiny) -> None:
    net, masks = tiny
    apply_masks(net, masks)
    average = torch.optim.swa_utils.AveragedModel(net)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(1)
    average.update_parameters(net)
    assert_masked(average.module, masks)


def test_pruning_further_never_brings_a_weight_back(
    masked: Tiny, make_masks: Callable[..., dict[str, Tensor]]
) -> None:
    net, masks = masked
    more = make_masks(net, {"f": 0.5, "5a": 0.5}, seed=4)
    apply_masks(net, more)
    want = masks | {"f": masks["f"] & more["f"], "local5a": more["local5a"]}
    assert_masked(net, want)
    assert all(torch.equal(masks_of(net)[name], mask) for name, mask in want.items())


def test_the_callers_mask_is_not_shared(tiny: Tiny) -> None:
    net, masks = tiny
    apply_masks(net, masks)
    before = {name: mask.clone() for name, mask in masks.items()}
    for mask in masks.values():
        mask.fill_(True)
    masks_of(net)["f"].fill_(True)
    assert_masked(net, before)


def test_a_training_network_packs_and_loads_with_its_masks(masked: Tiny, tmp_path: object) -> None:
    net, masks = masked
    path = tmp_path / "w.safetensors"  # type: ignore[operator]
    save_packed(path, net.state_dict(), masks_of(net), "float32")
    loaded = load_packed(path)
    other = ConvNet(0.125, SIZE)
    other.load_state_dict(loaded.state)
    apply_masks(other, loaded.masks)
    assert_masked(other, masks)
    torch.testing.assert_close(other.eval()(FACES), net.eval()(FACES))


def test_masks_of_0_and_1_and_masks_that_fit_nothing(tiny: Tiny) -> None:
    net, masks = tiny
    apply_masks(net, {"f": masks["f"].float()})
    assert torch.equal(masks_of(net)["f"], masks["f"])
    with pytest.raises(ValueError, match="no layer 'locl5a' to mask; did you mean 'local5a'"):
        apply_masks(net, {"locl5a": masks["f"]})
    with pytest.raises(ValueError, match="local5a: mask"):
        apply_masks(net, {"local5a": masks["f"]})
