"""The hash of a module that a factory made: other numbers, another hash."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from facebench.models.embedders.pinned import module_hash

FACTORY = """
import torch
from torch import nn
from fb_blocks import scaled

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.f = nn.Linear(4, 2)
    def forward(self, x):
        return scaled(self.f(x))

def net(): return Net().eval()
"""
BLOCKS = "def scaled(x): return 2 * x\n"
ASK = """
import sys; sys.path.append("."); import fb_factory
from pathlib import Path
from facebench.models.embedders.pinned import module_hash
print(module_hash(fb_factory.net(), "fb_factory", [Path.cwd()]))
"""


def hash_of(net: nn.Module) -> str | None:
    return module_hash(net, "nowhere", [])


def linear(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


def test_equal_modules_have_one_hash() -> None:
    assert hash_of(linear()) == hash_of(linear())
    assert len(hash_of(linear()) or "") == 64


def test_weights_buffers_types_names_and_structure_are_in_it() -> None:
    def nudged(name: str) -> nn.Module:
        net = linear()
        with torch.no_grad():
            net.state_dict()[name].view(-1)[0] += 1e-6
        return net

    named = nn.Sequential()
    for name, part in zip("ab", linear(), strict=True):
        named.add_module(name, part)
    padded = [nn.Conv2d(1, 1, 3, padding=padding) for padding in (0, 1)]
    padded[1].load_state_dict(padded[0].state_dict())
    others = [
        linear(1),
        nudged("0.weight"),
        nudged("1.running_mean"),
        linear().half(),
        linear().to(torch.bfloat16),
        named,
        *padded,
    ]
    hashes = {hash_of(net) for net in [linear(), *others]}
    assert None not in hashes and len(hashes) == len(others) + 1


def test_numbers_that_are_no_parameters_are_in_it() -> None:
    found = set()
    for value in (1.0, 2.0):
        for kept in (torch.full((2,), value), np.full(2, value)):
            net = linear()
            net.shift = kept
            found.add(hash_of(net))
        net = linear()
        net.register_buffer("loose", torch.full((2,), value), persistent=False)
        found.add(hash_of(net))
    assert len(found) == 6


@pytest.mark.parametrize("net", [nn.Flatten(), nn.LazyLinear(3)])
def test_nothing_and_what_has_no_bytes_yet_have_none(net: nn.Module) -> None:
    assert hash_of(net) is None


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("fb_factory.py", "scaled(self.f(x))", "scaled(-self.f(x))"),
        ("fb_blocks.py", "2 * x", "3 * x"),
    ],
)
def test_the_code_is_in_it_with_what_it_imports(
    tmp_path: Path, file: str, before: str, after: str
) -> None:
    def asked() -> str:
        command = [sys.executable, "-c", ASK]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    (tmp_path / "fb_factory.py").write_text(FACTORY)
    (tmp_path / "fb_blocks.py").write_text(BLOCKS)
    first = asked()
    assert first == asked() and len(first) == 64
    text = (tmp_path / file).read_text()
    (tmp_path / file).write_text(text.replace(before, after) + "# changed\n")
    assert asked() != first
