"""The regression head as a metric: mirrored faces, the published network, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from facebench.base.errors import UserError
from facebench.lab.learning.loop import load_checkpoint, save_checkpoint
from facebench.lab.learning.losses import JointSupervision, Supervision
from facebench.lab.learning.normalised import NormalisedConvNet
from facebench.lab.metrics.projection import fit_projection, projection_of
from facebench.models.cards.card import read_card
from facebench.models.cards.publish import publish_weights
from facebench.models.embedders.base import Preprocessing
from facebench.models.embedders.torch import TorchEmbedder
from facebench.models.zoo import load_model
from facebench.similarity.learned import ProjectionSimilarity, load_metric

WIDTH, SIZE = 0.03125, (80, 80)
CARD = f"""name = "tiny"
title = "A tiny network"
architecture = "convnet"
width = {WIDTH}
[sparsity]
f = "1/2"
[preprocessing]
size = [80, 80]
flip = "add"
"""


def faces(count: int = 5) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *SIZE, 3), dtype=np.uint8)


def trained() -> tuple[NormalisedConvNet, Supervision, torch.Tensor]:
    """A network whose normalisation is not the identity, its supervision, a mask of half of f."""
    torch.manual_seed(0)
    net = NormalisedConvNet(WIDTH, SIZE)
    for module in net.modules():
        if isinstance(module, (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            torch.nn.init.normal_(module.bias, 0.3, 0.2)
    mask = torch.zeros_like(net.f.weight)
    mask[:, ::2] = 1
    return net.eval(), Supervision(net.features, 7, 3), mask


@pytest.fixture
def published(tmp_path: Path) -> tuple[Path, Path]:
    """A card with weights, and the checkpoint that they were taken from."""
    net, supervision, mask = trained()
    with torch.no_grad():
        net.f.weight.mul_(mask)
    checkpoint, card = tmp_path / "final.pt", tmp_path / "tiny.toml"
    save(checkpoint, net, supervision, mask)
    card.write_text(CARD)
    publish_weights("tiny", net.folded().state_dict(), {"f": mask}, {"images": 40}, tmp_path)
    return card, checkpoint


def save(path: Path, net, supervision, mask) -> None:
    state = {"net": net.state_dict(), "supervision": supervision.state_dict()}
    save_checkpoint({**state, "masks": {"f": mask.to(torch.bool)}}, path)


@pytest.mark.parametrize("flip", ["none", "add"])
def test_it_is_the_cosine_of_the_regression_output(flip: str) -> None:
    """Under ``add``: of the sum of the outputs for the face and for the mirrored face."""
    net, supervision, _ = trained()
    x = torch.from_numpy(faces()).permute(0, 3, 1, 2).float().sub(127.5).div(128)
    with torch.no_grad():
        outputs = supervision.regressor(net(x))
        if flip == "add":
            outputs = outputs + supervision.regressor(net(x.flip(3)))
        expected = F.normalize(outputs, dim=1)
    preprocessing = Preprocessing(SIZE, flip=flip)  # type: ignore[arg-type]
    embedder = TorchEmbedder("tiny", net.folded(), "ab" * 32, preprocessing)
    similarity = ProjectionSimilarity.of(projection_of(supervision, embedder.preprocessing.flip))
    left, right = np.triu_indices(5)
    found = similarity.pairs(embedder.embed(faces()), left, right)
    cosines = (expected @ expected.T).numpy()[left, right]
    np.testing.assert_allclose(found, cosines, atol=1e-5)


def test_trap_the_bias_of_two_faces_is_twice_that_of_one() -> None:
    _, supervision, _ = trained()
    torch.nn.init.normal_(supervision.regressor.bias, 0, 2)
    one, two = projection_of(supervision, "none"), projection_of(supervision, "add")
    np.testing.assert_array_equal(one.weight, two.weight)
    np.testing.assert_array_equal(2 * one.bias, two.bias)
    x = np.abs(np.random.default_rng(0).standard_normal((6, one.dimension)))
    # A face that is its own mirrored image scores the same with and without it.
    np.testing.assert_allclose(two.project(2 * x).rows, one.project(x).rows, atol=1e-14)
    assert np.abs(one.project(2 * x).rows - one.project(x).rows).max() > 0.01


def test_of_joint_supervision_and_of_a_state() -> None:
    net, _, _ = trained()
    supervision = JointSupervision(net, 7, 3, earlier=())
    found = projection_of(supervision.state_dict())
    np.testing.assert_array_equal(found.weight, supervision.regressor.weight.detach().numpy())
    np.testing.assert_array_equal(found.bias, projection_of(supervision).bias)


def test_what_has_no_projection() -> None:
    _, supervision, _ = trained()
    for flip in ("concat", "normalised-add"):
        with pytest.raises(UserError, match=f"flip {flip} have no projection"):
            projection_of(supervision, flip)  # type: ignore[arg-type]
    for without in (Supervision(8, 1, 3), {}):
        with pytest.raises(UserError, match="no teacher taught the network"):
            projection_of(without)


def test_of_a_published_network(published: tuple[Path, Path], tmp_path: Path) -> None:
    card, checkpoint = published
    embedder = load_model(str(card))
    fitted = fit_projection(read_card(card), embedder, checkpoint)
    expected = projection_of(load_checkpoint(checkpoint)["supervision"], "add")
    np.testing.assert_array_equal(fitted.model.weight, expected.weight)
    np.testing.assert_array_equal(fitted.model.bias, expected.bias)
    assert fitted.facts.weights_hash == embedder.weights_hash
    assert fitted.facts.preprocessing.endswith("flip=add") and fitted.facts.images == 40
    path = fitted.attach(read_card(card))
    attached = read_card(card)
    assert path == tmp_path / "weights" / "tiny.projection.safetensors"
    assert attached.metric is None and attached.projection is not None
    assert attached.projection.images == 40 and attached.projection.identities is None
    found = load_metric(path, attached.projection.sha256)
    found.require(embedder.weights_hash, embedder.preprocessing.signature)
    fitted.write(tmp_path / "m")
    assert (tmp_path / "m").read_bytes() == path.read_bytes()


def test_another_checkpoint_is_refused(published: tuple[Path, Path], tmp_path: Path) -> None:
    card_path, checkpoint = published
    card, embedder = read_card(card_path), load_model(str(card_path))

    def refused(path: Path, message: str) -> None:
        with pytest.raises(UserError, match=message) as caught:
            fit_projection(card, embedder, path)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)

    refused(tmp_path / "absent.pt", "no such checkpoint")
    other = tmp_path / "other.pt"
    other.write_bytes(b"no checkpoint")
    refused(other, "not a checkpoint")
    save_checkpoint({"step": 3}, other)
    refused(other, "of a finished training")
    saved = load_checkpoint(checkpoint)
    saved["net"]["local5a.weight"] *= 1.01
    save_checkpoint(saved, other)
    refused(other, "its network is not tiny, local5a.weight differs")
    net = NormalisedConvNet(2 * WIDTH, SIZE)
    save(other, net, Supervision(net.features, 7, 3), torch.ones_like(net.f.weight))
    refused(other, "structure of tiny")
