"""What a record says of a model's size."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from facebench.base.errors import UserError
from facebench.evaluation.candidate import candidate_of, candidate_of_embeddings
from facebench.models.architectures.convnet import ConvNet
from facebench.models.architectures.shapes import module_name
from facebench.models.cards.publish import publish_weights

CARD = """
name = "half4b"
title = "Half of 4b"
architecture = "convnet"
width = 0.125
[sparsity]
4b = "1/2"
[preprocessing]
size = [112, 96]
flip = "add"
"""


def publish_half4b(folder: Path) -> ConvNet:
    """The network of `CARD` with random weights, half of its layer 4b dropped, in its models."""
    (folder / "models").mkdir()
    (folder / "models" / "half4b.toml").write_text(CARD)
    torch.manual_seed(0)
    net = ConvNet(0.125, (112, 96))
    weight = net.layer("4b").weight
    mask = (torch.arange(weight.numel()) % 2 == 0).reshape(weight.shape)
    publish_weights("half4b", net.state_dict(), {module_name("4b"): mask}, {}, folder / "models")
    return net


def test_kept_parameters_are_counted_in_the_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = publish_half4b(tmp_path)
    weight = net.layer("4b").weight
    monkeypatch.chdir(tmp_path)
    facts = candidate_of("half4b").facts
    total = sum(parameter.numel() for parameter in net.parameters())
    assert facts.parameters == total
    assert facts.kept_parameters == total - weight.numel() // 2
    assert facts.compression_ratio == facts.kept_parameters / total
    file = tmp_path / "models" / "weights" / "half4b.safetensors"
    assert facts.bytes == file.stat().st_size
    assert facts.weights_hash == hashlib.sha256(file.read_bytes()).hexdigest()
    assert facts.flip == "add" and "flip" not in facts.preprocessing


def test_embeddings_are_pinned_with_their_names(tmp_path: Path) -> None:
    np.save(tmp_path / "mine.npy", np.ones((2, 3), np.float32))
    hashes = set()
    for names in ("a\nb\n", "b\na\n"):
        (tmp_path / "names.txt").write_text(names)
        facts = candidate_of_embeddings(tmp_path / "mine.npy", tmp_path / "names.txt").facts
        assert (facts.id, facts.dimension, facts.kept_parameters) == ("mine", 3, None)
        hashes.add(facts.weights_hash)
    assert len(hashes) == 2


def test_a_model_that_is_not_there() -> None:
    with pytest.raises(UserError, match="unknown model 'nothing'"):
        candidate_of("nothing")
