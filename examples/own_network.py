"""A torch module on a list of pairs, beside a network that is here.

Run: python examples/own_network.py FOLDER, where FOLDER has LFW's layout and a pairs.txt. Without
it the synthetic twin of LFW is rendered, which takes a minute.
"""

from __future__ import annotations

import sys

import torch
from torch import Tensor, nn

import facebench


class Pixels(nn.Module):
    """Stands in for your own: small grey faces, mixed at random. Float32 N×3×H×W → float32 N×64."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(14 * 12, 64, bias=False)

    def forward(self, faces: Tensor) -> Tensor:
        """Embeddings of faces that are (pixel - mean) / scale, as the options say."""
        small = nn.functional.adaptive_avg_pool2d(faces.mean(1, keepdim=True), (14, 12)).flatten(1)
        return self.mix(small - small.mean(1, keepdim=True))


def main(data: str) -> None:
    """Print both accuracies, and whether they are told apart."""
    torch.manual_seed(0)
    options = facebench.ModelOptions(size=(112, 96), normalise="half")
    mine = facebench.evaluate(Pixels(), "lfw", data, name="pixels", options=options)
    theirs = facebench.evaluate("sparse_012", "lfw", data)
    for record in (mine, theirs):
        accuracy = record.statistics.accuracy
        print(f"{record.model.id}: {100 * accuracy.value:.2f} ± {100 * accuracy.spread:.2f}%")
    print(facebench.compare(theirs, [mine]).to_frame().head(1).to_string(index=False))


if __name__ == "__main__":  # the processes that read faces import this file
    main(sys.argv[1] if len(sys.argv) > 1 else "synthetic")
