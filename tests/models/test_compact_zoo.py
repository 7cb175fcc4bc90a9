"""Compact networks as models of the zoo: cards, publishing, loading by name, listing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from facebench.base.errors import UserError
from facebench.cli.commands.models import app
from facebench.models.architectures import registry
from facebench.models.architectures.base import CompactNet, parameters
from facebench.models.architectures.convnet import to_input
from facebench.models.architectures.published import published_parameters
from facebench.models.architectures.registry import ARCHITECTURES, build
from facebench.models.cards.card import ModelCard, find_card, read_card, shape_of
from facebench.models.cards.publish import publish_compact, publish_weights, write_card
from facebench.models.cards.trained import compact_network_of, network_of
from facebench.models.embedders.options import ModelOptions
from facebench.models.sizes import compact_report
from facebench.models.zoo import load_model, load_network

SIZE = (64, 64)
FACES = np.random.default_rng(1).integers(0, 256, (2, *SIZE, 3), dtype=np.uint8)


def pruned_squeezenet(keep: int = 5) -> CompactNet:
    """SqueezeNet of width 1/8 whose first fire module squeezes to fewer than its 8 channels."""
    torch.manual_seed(0)
    net = build("squeezenet1_1", 12, SIZE, width=0.125)
    fire = net.get_submodule("features.3")
    for name, dimension in (("squeeze", 0), ("expand1x1", 1), ("expand3x3", 1)):
        layer = fire.get_submodule(name)
        layer.weight = torch.nn.Parameter(layer.weight.detach().narrow(dimension, 0, keep))
    fire.squeeze.bias = torch.nn.Parameter(fire.squeeze.bias.detach()[:keep])  # type: ignore
    return net


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory's models/ with ``mobile``, and ``squeezed`` that has fewer filters."""
    folder = tmp_path / "models"
    torch.manual_seed(0)
    mobile = build("mobilenet_v2", 12, SIZE, width=0.25)
    mobile(torch.randn(4, 3, *SIZE))  # gives the normalisation statistics
    publish_compact("mobile", mobile, {"data": "none", "images": 4}, folder)
    removed = {"parent": "mobile", "filters_removed": 0.25, "licence": "for tests"}
    publish_compact("squeezed", pruned_squeezenet(), {"recipe": "by hand"}, folder, **removed)  # type: ignore[arg-type]
    monkeypatch.chdir(tmp_path)
    return folder


def test_the_types_of_cards_know_the_architectures() -> None:
    assert set(registry._NETS) == set(ARCHITECTURES)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_shipped_cards_state_the_size_of_the_network(architecture: str) -> None:
    card = find_card(architecture)
    assert card.architecture == architecture and card.width == 1.0 and card.source
    published = published_parameters(architecture)
    assert published.parameters is None or f"{published.counted:,}" in card.notes
    with torch.device("meta"):
        count = parameters(build(*shape_of(card)))
    assert f"{count:,}" in card.notes
    if card.weights is None:
        assert compact_report(card).total == count == compact_report(card).kept
        with pytest.raises(UserError, match=f"'{architecture}' has no trained weights yet"):
            load_model(architecture)


def test_a_network_loads_by_name_as_it_was_published(models: Path) -> None:
    card = read_card(models / "mobile.toml")
    assert card.embedding == 12 and card.width == 0.25 and card.filters_removed is None
    assert card.source and card.source.paper.startswith("Sandler") and card.training.images == 4
    net = load_network("mobile")
    assert all(parameter.requires_grad for parameter in net.parameters())
    torch.manual_seed(0)
    mobile = build("mobilenet_v2", 12, SIZE, width=0.25)
    mobile(torch.randn(4, 3, *SIZE))
    for name, tensor in mobile.state_dict().items():
        want = tensor.half().float() if tensor.is_floating_point() else tensor
        assert torch.equal(net.state_dict()[name], want), name
    assert net.state_dict()["features.0.1.num_batches_tracked"] == 1
    model = load_model("mobile")
    assert model.weights_hash == card.sha256 and model.preprocessing.flip == "add"
    with torch.no_grad():
        inputs = [to_input(torch.from_numpy(f.copy())) for f in (FACES, FACES[:, :, ::-1])]
        want = sum(net.eval()(x) for x in inputs)
    np.testing.assert_allclose(model.embed(FACES), want.numpy(), rtol=1e-3, atol=1e-4)


def test_a_network_with_fewer_filters_loads_by_name(models: Path) -> None:
    net = load_network("squeezed")
    assert net.get_submodule("features.3.squeeze").out_channels == 5
    assert load_model("squeezed").embed(FACES).shape == (2, 12)
    report = compact_report(read_card(models / "squeezed.toml"))
    with torch.device("meta"):
        whole = parameters(build("squeezenet1_1", 12, SIZE, width=0.125))
    assert report.total == whole and report.kept == parameters(net) < whole
    lost = {layer.name for layer in report.layers if layer.kept < layer.total}
    assert lost == {"features.3"}


def test_publishing_again_keeps_the_cards_words(models: Path) -> None:
    path = models / "squeezed.toml"
    path.write_text(path.read_text().replace("by hand", "x").replace("less 25%", "minus 25%"))
    card = publish_compact("squeezed", pruned_squeezenet(3), {"recipe": "longer"}, models)
    assert card.licence == "for tests" and card.parent == "mobile" and "minus 25%" in card.title
    assert card.training.recipe == "longer" and card.filters_removed == 0.25
    assert load_network("squeezed").get_submodule("features.3.squeeze").out_channels == 3
    with pytest.raises(UserError, match="is of architecture squeezenet1_1, the network to publish"):
        publish_compact("squeezed", build("mobilenet_v2", 12, SIZE, 0.125), {}, models)


def test_what_does_not_fit_is_not_written(models: Path) -> None:
    broken = build("squeezenet1_1", 12, SIZE, width=0.125)
    with torch.no_grad():
        broken.embedding.bias.fill_(float("inf"))  # type: ignore[operator,union-attr]
    uneven = pruned_squeezenet()
    uneven.get_submodule("features.3.expand3x3").weight = torch.nn.Parameter(torch.ones(8, 4, 3, 3))
    cases = [
        (broken, {}, "NaN or infinite"),
        (pruned_squeezenet(), {}, r"filters_removed = 0.3"),
        (uneven, {"filters_removed": 0.1}, "not the weights of a squeezenet1_1 with fewer"),
        (pruned_squeezenet(), {"filters_removed": 1.5}, "filters_removed"),
        (build("squeezenet1_1", 12, SIZE, 0.125), {"licens": "x"}, "did you mean 'licence'"),
    ]
    for net, fields, message in cases:
        with pytest.raises(UserError, match=message):
            publish_compact("new", net, {}, models, **fields)  # type: ignore[arg-type]
    assert not (models / "new.toml").exists()
    assert not (models / "weights" / "new.safetensors").exists()
    with pytest.raises(UserError, match="publish_compact writes the weights of squeezenet1_1"):
        publish_weights("squeezed", {}, {}, {}, models)


def test_a_card_that_does_not_belong_to_its_weights(models: Path) -> None:
    path = models / "squeezed.toml"
    text = path.read_text()
    cases = [
        ("embedding = 12", "embedding = 13", "its embedding has 12 values, the card says 13"),
        ("filters_removed = 0.25\n", "", r"features.3.squeeze.weight is \(5, 8, 1, 1\)"),
        ('architecture = "squeezenet1_1"', 'architecture = "resnet50"', "lack 'conv1.weight'"),
        ("embedding = 12\n", "", "a squeezenet1_1 needs embedding and preprocessing.size"),
        ("[64, 64]", "[64, 63]", "64x63 is too small for squeezenet1_1"),
        ('architecture = "squeezenet1_1"', 'architecture = "onnx"', "belong to architecture"),
        ("embedding = 12", 'embedding = 12\n[sparsity]\nf = "1/2"\n[metric]', "metric|sparsity"),
    ]
    for old, new, message in cases:
        assert old in text
        path.write_text(text.replace(old, new))
        with pytest.raises(UserError, match=message) as caught:
            load_model("squeezed")
        assert "\n" not in str(caught.value) and "squeezed" in str(caught.value)


def test_options_and_other_kinds_are_refused(models: Path) -> None:
    with pytest.raises(UserError, match="takes 64x64 faces"):
        load_model("mobile", ModelOptions(size=(112, 96)))
    with pytest.raises(UserError, match="output= has no effect"):
        load_model("mobile", ModelOptions(output="x"))
    with pytest.raises(UserError, match="'mobile' is mobilenet_v2, not a convnet"):
        network_of(find_card("mobile"))
    card = {"name": "odd", "title": "t", "architecture": "convnet", "width": 0.125,
            "preprocessing": {"size": (80, 80)}}  # fmt: skip
    write_card(ModelCard.model_validate(card), models / "odd.toml")
    with pytest.raises(UserError, match="'odd' is convnet, not one of squeezenet1_1"):
        compact_network_of(find_card("odd"))
    with pytest.raises(ValueError, match="embedding and filters_removed belong to"):
        ModelCard.model_validate(card | {"embedding": 4})


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "140"})
    assert result.exit_code == 0, result.output
    return result.output


def test_they_are_listed_with_parameters_and_bytes(models: Path) -> None:
    rows = {row["name"]: row for row in json.loads(run("--format", "json"))}
    squeezed, mobile = rows["squeezed"], rows["mobile"]
    assert squeezed["structure"] == "squeezenet1_1 less 25% of its filters"
    assert squeezed["parameters"] == parameters(load_network("squeezed"))
    assert squeezed["bytes"] == (models / "weights" / "squeezed.safetensors").stat().st_size
    assert mobile["structure"] == "mobilenet_v2" and mobile["compression_ratio"] == 1.0
    assert rows["resnet50"]["parameters"] == 23_770_304 and set(ARCHITECTURES) <= set(rows)
    shown = json.loads(run("show", "squeezed", "--format", "json"))
    assert 0 < shown["compression_ratio"] < 1 and shown["parent"] == "mobile"
    assert shown["signature"] == load_model("squeezed").signature
    assert sum(layer["kept"] for layer in shown["layers"]) == squeezed["parameters"]
    text = run("show", "squeezed")
    assert "features.3" in text and "for tests" in text
