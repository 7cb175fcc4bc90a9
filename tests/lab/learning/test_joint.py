"""Joint identification-verification: the losses by hand, earlier layers, pairs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from facebench.base.errors import UserError
from facebench.lab.data.augment import make_pair_batch
from facebench.lab.data.crops import TrainingCrops
from facebench.lab.learning.losses import EARLIER, JointSupervision, contrastive
from facebench.lab.learning.normalised import NormalisedConvNet
from facebench.models.architectures.convnet import ConvNet


def test_contrastive_loss_by_hand() -> None:
    x = torch.tensor([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    y = torch.tensor([[3.0, 4.0], [0.3, 0.4], [3.0, 4.0]])
    same = torch.tensor([True, False, False])
    # ½·25, ½·(2 - 0.5)², and nothing for two persons five apart.
    assert contrastive(x, y, same, 2.0).item() == pytest.approx((12.5 + 1.125 + 0) / 3)


def test_two_equal_faces_of_two_persons_have_a_derivative() -> None:
    x = torch.zeros(1, 4, requires_grad=True)
    contrastive(x, torch.zeros(1, 4), torch.tensor([False]), 1.0).backward()
    assert x.grad is not None and torch.isfinite(x.grad).all()


@pytest.mark.parametrize("kind", [ConvNet, NormalisedConvNet])
def test_losses_are_summed_over_the_layers(kind) -> None:
    torch.manual_seed(0)
    net = kind(0.03125, (80, 80), dropout=(0.0, 0.0))
    supervision = JointSupervision(net, 4, 3)
    assert set(supervision.branches) == set(EARLIER)
    net.train()
    x, labels = torch.randn(4, 3, 80, 80), torch.tensor([0, 0, 1, 2])
    features = net(x)
    seen = dict(supervision._seen)
    losses = supervision(features, torch.full((4, 4), float("nan")), labels)
    identity = F.cross_entropy(supervision.classifier(features), labels)
    pairs = contrastive(features[::2], features[1::2], torch.tensor([True, False]), 1.0)
    for layer in EARLIER:
        maps = F.relu(seen[layer])
        maps = F.max_pool2d(maps, 2) if layer != "5b" else maps
        branch = F.relu(supervision.branches[layer](maps.flatten(1)))
        identity = identity + F.cross_entropy(supervision.heads[layer](branch), labels)
        pairs = pairs + contrastive(branch[::2], branch[1::2], torch.tensor([True, False]), 1.0)
    assert losses["identity"].item() == pytest.approx(identity.item(), rel=1e-5)
    assert losses["verification"].item() == pytest.approx(pairs.item(), rel=1e-5)
    assert losses["regression"].item() == 0.0


def test_earlier_layers_alone_reach_the_first_convolution() -> None:
    net = ConvNet(0.03125, (80, 80), dropout=(0.0, 0.0))
    supervision = JointSupervision(net, 1, 2, earlier=("2b",))
    features = net(torch.randn(2, 3, 80, 80)).detach()
    losses = supervision(features, torch.full((2, 1), float("nan")), torch.tensor([0, 1]))
    losses["identity"].backward()
    assert net.conv1a.weight.grad is not None and net.conv1a.weight.grad.abs().sum() > 0
    assert net.conv3a.weight.grad is None


def crops(labels: list[int]) -> TrainingCrops:
    images = np.zeros((len(labels), 128, 112, 3), np.uint8)
    images[:] = np.arange(len(labels), dtype=np.uint8)[:, None, None, None]
    return TrainingCrops(images, np.array(labels), np.full((len(labels), 1), np.nan, np.float32))


def test_pairs_are_pairs_and_depend_on_seed_and_step_alone() -> None:
    source = crops([0, 0, 0, 1, 1, -1, 2, 2])
    batches = [make_pair_batch([(source, 64)], 3, step) for step in (0, 1)]
    first, again = batches[0], make_pair_batch([(source, 64)], 3, 0)
    assert np.array_equal(first.faces, again.faces) and len(first.labels) == 128
    assert not np.array_equal(first.labels, batches[1].labels)
    same = first.labels[::2] == first.labels[1::2]
    assert 16 < same.sum() < 48  # 64 draws with one half
    assert (first.labels >= 0).all()


def test_pairs_of_one_person_differ_in_the_image_and_sources_do_not_meet() -> None:
    unchanged = make_pair_batch(
        [(crops([0, 0, 1, 1]), 8), (crops([0, 0, 1, 1]), 8)], 0, 0, lambda crop, rng: crop
    )
    values, labels = unchanged.faces[:, 0, 0, 0], unchanged.labels
    for i in range(0, len(labels), 2):
        assert values[i] != values[i + 1]
        assert (labels[i] < 2) == (labels[i + 1] < 2)
    assert labels[16:].min() >= 2


def test_one_person_makes_no_pairs() -> None:
    with pytest.raises(UserError, match="two identities"):
        make_pair_batch([(crops([0, 0, -1]), 2)], 0, 0)
