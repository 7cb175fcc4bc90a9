"""From a plain network to a normalised one and back."""

from __future__ import annotations

import numpy as np
import torch

from facebench.lab.learning.normalised import NormalisedConvNet, unfolded
from facebench.models.architectures.convnet import ConvNet, to_input


def test_unfolded_computes_the_same_in_both_modes_and_folds_back() -> None:
    torch.manual_seed(0)
    plain = ConvNet(0.03125, (80, 80), dropout=(0.0, 0.0)).eval()
    faces = np.random.default_rng(0).integers(0, 256, (24, 80, 80, 3), dtype=np.uint8)
    net = unfolded(plain, [faces[:10], faces[10:]])
    assert isinstance(net, NormalisedConvNet)
    x = to_input(torch.from_numpy(faces))
    with torch.no_grad():
        wanted = plain(x)
        assert torch.allclose(net.eval()(x), wanted, atol=1e-4)
        assert torch.allclose(net.folded()(x), wanted, atol=1e-4)
        # The statistics are those of these faces, so training mode computes the same on them.
        assert torch.allclose(net.train()(x), wanted, rtol=1e-2, atol=1e-2)
