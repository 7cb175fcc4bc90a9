"""State dicts as training programs leave them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from facebench.base.errors import UserError
from facebench.models.counting.state import plain_state
from facebench.models.weights.brought import brought_bytes
from facebench.models.weights.checkpoint import load_state, state_in
from facebench.models.weights.packed import packed_bytes
from tests.helpers.brought import dense, masked, removed, save_torchscript, tied

State = dict[str, Tensor]


def named(start: str) -> Callable[[State], State]:
    return lambda state: {f"{start}{name}": value for name, value in state.items()}


def same(net: nn.Module, other: nn.Module) -> bool:
    mine, theirs = plain_state(net), plain_state(other)
    return all(torch.equal(mine[name], theirs[name]) for name in mine)


def zeroed(net: nn.Module) -> nn.Module:
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
    return net


@pytest.mark.parametrize(
    "saved",
    [
        lambda s: s,
        named("module."),
        named("_orig_mod."),
        lambda s: named("module.")(named("_orig_mod.")(s)),
        lambda s: {"state_dict": s, "epoch": 3},
        lambda s: {"model": named("module.")(s), "best": torch.tensor(0.5)},
        lambda s: {"checkpoint": 1, "state_dict": named("model.")(s)},
        lambda s: {"model": {"state_dict": named("model.backbone.")(s)}},
    ],
)
def test_whatever_a_training_program_puts_around_it(
    saved: Callable[[State], Any], tmp_path: Path
) -> None:
    torch.save(saved(dict(dense().state_dict())), tmp_path / "ckpt.pt")
    net = zeroed(dense())
    assert load_state(net, state_in(tmp_path / "ckpt.pt"), "ckpt.pt") == ()
    assert same(net, dense())


def test_masks_beside_weights_and_the_other_way_round() -> None:
    for source in (masked(), removed()):
        for made in (dense, masked):
            net = made()
            load_state(net, source.state_dict(), "state")
            assert same(net, removed())


def test_safetensors_packed_weights_and_ties(tmp_path: Path) -> None:
    safetensors.torch.save_file(dense().state_dict(), tmp_path / "plain.safetensors")
    net = zeroed(dense())
    load_state(net, state_in(tmp_path / "plain.safetensors"), "plain")
    assert same(net, dense())
    net = tied()
    for part in (net.first, net.last, net.one, net.two):
        part.half().float()  # as the file has them
    (tmp_path / "packed.safetensors").write_bytes(brought_bytes(plain_state(net)))
    state = state_in(tmp_path / "packed.safetensors")
    assert torch.equal(state["one.weight"], state["two.weight"])
    again = zeroed(tied())
    load_state(again, state, "packed")
    assert same(again, net)
    del state["two.weight"]  # as others save it
    load_state(zeroed(tied()), state, "packed")


def test_ties_to_what_is_not_there_are_one_line(tmp_path: Path) -> None:
    data = packed_bytes({"one.weight": torch.ones(2, 2)}, {}, metadata={"tied": {"two": "no"}})
    (tmp_path / "packed.safetensors").write_bytes(data)
    with pytest.raises(UserError, match="its tied tensors are not in it"):
        state_in(tmp_path / "packed.safetensors")


def test_what_the_network_has_no_place_for_is_said() -> None:
    state = dense().state_dict() | {"head.weight": torch.ones(3, 8)}
    assert load_state(dense(), state, "c.pt") == (
        "c.pt: the network has no place for head.weight, which were left out",
    )


@pytest.mark.parametrize(
    ("saved", "message"),
    [
        ({"state_dict": {"x": 1}}, "holds no state dict but x"),
        ([torch.ones(2)], "holds a list, not a state dict"),
        ({"args": argparse.Namespace(), "model": {}}, r"more than tensors \(argparse.Namespace\)"),
        ({"x": torch.ones(1).expand(10**12)}, "x has more numbers than the file"),
        (dense(), "more than tensors .*nothing is unpickled"),
    ],
)
def test_other_files_are_one_line(saved: Any, message: str, tmp_path: Path) -> None:
    torch.save(saved, tmp_path / "ckpt.pt")
    with pytest.raises(UserError, match=message) as caught:
        state_in(tmp_path / "ckpt.pt")
    assert "\n" not in str(caught.value)


def test_damaged_files_and_programs_are_one_line(tmp_path: Path) -> None:
    for name in ("a.pt", "a.safetensors"):
        (tmp_path / name).write_bytes(b"\x80\x02 no weights \x00" * 3)
        with pytest.raises(UserError, match=r"state dict that torch.save wrote|not safetensors"):
            state_in(tmp_path / name)
    save_torchscript(dense(), tmp_path / "script.pt")
    with pytest.raises(UserError, match="is a TorchScript program"):
        state_in(tmp_path / "script.pt")


def test_weights_of_another_network_are_one_line() -> None:
    state = dict(dense().state_dict())
    with pytest.raises(UserError, match=r"3.weight is \(8, 15\), the network's is \(8, 16\)"):
        load_state(dense(), state | {"3.weight": torch.ones(8, 15)}, "c.pt")
    del state["3.weight"]
    with pytest.raises(UserError, match=r"the network's 3.weight are not among its 3 tensors"):
        load_state(dense(), state, "c.pt")
