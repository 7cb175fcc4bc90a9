"""The precision that is measured: the faster one, once for a folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

import facebench.lab.learning.precision as precision
from facebench.lab.laboratory.work_folder import precision_words

FACES = torch.zeros(4, 3, 8, 8)


def rates(monkeypatch: pytest.MonkeyPatch, **given: float) -> list[str]:
    asked: list[str] = []

    def told(net: nn.Module, faces: torch.Tensor, name: str, other: float) -> float:
        asked.append(name)
        return given[name]

    monkeypatch.setattr(precision, "faces_per_second", told)
    return asked


@pytest.mark.parametrize("faster, slower", [("float32", "bfloat16"), ("bfloat16", "float32")])
def test_the_faster_one_is_chosen_and_stays(tmp_path: Path, monkeypatch, faster, slower) -> None:
    asked = rates(monkeypatch, **{faster: 150.26, slower: 66.0})
    net, lines = nn.Conv2d(3, 4, 3), []
    assert precision.settled(tmp_path, net, FACES, lines.append) == faster
    assert sorted(asked) == ["bfloat16", "float32"] and "150" in lines[0] and "66" in lines[0]
    written = json.loads((tmp_path / "precision.json").read_text())
    assert written["faces_per_second"] == {faster: 150.3, slower: 66.0}
    # On a machine where it is slower, a training that goes on keeps it.
    asked = rates(monkeypatch, **{faster: 1.0, slower: 2.0})
    assert precision.settled(tmp_path, net, FACES, lines.append) == faster and not asked
    log = tmp_path / "log.csv"
    assert precision_words("auto", log) == precision_words(faster)
    assert precision_words("auto", None) == "auto" and precision_words("float32", log) == "float32"


def test_measuring_leaves_the_network_alone() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    assert precision.faces_per_second(net, torch.randn(4, 3, 8, 8), "bfloat16") > 0
    assert not net.training and all(p.grad is None for p in net.parameters())
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_a_precision_of_at_most_half_the_speed_is_measured_twice_only() -> None:
    class Counted(nn.Linear):
        passes = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            Counted.passes += 1
            return super().forward(x)

    for other, passes in ((0.0, 6), (float("inf"), 2)):
        Counted.passes = 0
        precision.faces_per_second(Counted(4, 4), torch.randn(2, 4), "float32", other)
        assert Counted.passes == passes


def test_strided_depthwise_layers_stay_in_float32() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 8, 1),
        nn.Conv2d(8, 8, 3, 2, 1, groups=8),
        nn.Conv2d(8, 8, 3, 1, 1, groups=8),
        nn.Conv2d(8, 8, 3, 2, 1, groups=2),
    )
    kinds: list[torch.dtype] = []
    for layer in net:
        layer.register_forward_hook(lambda _, __, output: kinds.append(output.dtype))
    low, full = torch.bfloat16, torch.float32
    for precision_name, expected in (("bfloat16", [low, full, low, low]), ("float32", [full] * 4)):
        with precision.computing_in(precision_name, net, "cpu"):
            net(FACES).float().sum().backward()
        assert kinds == expected and all(p.grad is not None for p in net.parameters())
        kinds.clear()
    # Outside nothing is left of it, also after an error within.
    with pytest.raises(RuntimeError), precision.computing_in("bfloat16", net, "cpu"):
        net(FACES[:, :2])
    net(FACES)
    assert kinds[-4:] == [full] * 4 and all("forward" not in vars(layer) for layer in net)
