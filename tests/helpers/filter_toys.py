"""A network small enough for brute force, and a curve."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facebench.lab.filters.curve import Curve, Point

SIZE = (16, 12)


class Toy(nn.Module):
    """Stem, depthwise convolution, residual block, two convolutions side by side, embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 12, 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(12)
        self.deep = nn.Conv2d(12, 12, 3, padding=1, groups=12, bias=False)
        self.deep_norm = nn.BatchNorm2d(12)
        self.slope = nn.PReLU(12)
        self.down = nn.Conv2d(12, 10, 1, bias=False)
        self.down_norm = nn.BatchNorm2d(10)
        self.inner = nn.Conv2d(10, 8, 3, padding=1, bias=False)
        self.inner_norm = nn.BatchNorm2d(8)
        self.outer = nn.Conv2d(8, 10, 1, bias=False)
        self.outer_norm = nn.BatchNorm2d(10)
        self.one = nn.Conv2d(10, 5, 1)
        self.three = nn.Conv2d(10, 6, 3, padding=1)
        self.embedding = nn.Linear(11, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.stem(x)))
        x = self.slope(self.deep_norm(self.deep(x)))
        x = self.down_norm(self.down(x))
        y = torch.relu(self.inner_norm(self.inner(x)))
        x = torch.relu(x + self.outer_norm(self.outer(y)))
        x = torch.cat([torch.relu(self.one(x)), torch.relu(self.three(x))], 1)
        return self.embedding(x.mean((2, 3)))


def stir(net: nn.Module, seed: int = 1) -> nn.Module:
    """Give batch normalisations and biases values as after training."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                module.running_mean.normal_(generator=generator)
                module.running_var.uniform_(0.5, 2, generator=generator)
                module.weight.normal_(generator=generator)
                module.bias.normal_(generator=generator)
            elif isinstance(module, nn.Conv2d) and module.bias is not None:
                module.bias.normal_(generator=generator)
    return net.eval()


def example(criterion: str = "taylor") -> Curve:
    curve = Curve(f"net_{criterion}", criterion, "toys", layers={"a": 8, "b": 16, "c": 64})
    whole = Point("net", 0, 0, 88, 1000, 50_000, 8.0, 7.5, 9.0, 1, {"lfw": 0.97})
    curve = curve.with_point(whole, {"a": 0.0, "b": 0.0, "c": 0.0})
    lfw = {"lfw": 0.95}, {"lfw": (0.94, 0.96)}
    half = Point(f"net_{criterion}_50", 5, 44, 88, 400, 20_000, 4.0, 3.9, 4.5, 1, *lfw)
    curve = curve.with_point(half, {"a": 0.25, "b": 0.5, "c": 0.53125})
    return curve.with_point(Point(f"net_{criterion}_20", 2, 18, 88, 800, 40_000), {"c": 0.28125})
