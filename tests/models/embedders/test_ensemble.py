"""Region networks alone and together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facebench.base.errors import UserError
from facebench.models.architectures.convnet import ConvNet
from facebench.models.cards.card import ModelCard, read_card
from facebench.models.cards.members import trained_hash, untrained_members
from facebench.models.cards.publish import publish_weights, write_card
from facebench.models.embedders.base import UNPINNED, Embedder, FlipRule, Preprocessing, unit
from facebench.models.embedders.ensemble import EnsembleEmbedder, RegionEmbedder
from facebench.models.embedders.options import ModelOptions
from facebench.models.regions import Region, cut
from facebench.models.sizes import cost_of
from facebench.models.zoo import load_model

FACES = np.random.default_rng(0).integers(0, 256, (4, 112, 112, 3), dtype=np.uint8)
LEFT = Region(box=(0, 14, 60, 84), size=(80, 80))
GREY = Region(box=(-8, 0, 104, 112), size=(80, 80), colour="grey")
MakeCard = Callable[..., ModelCard]


class Means(Embedder):
    """Mean colour of the left and of the right half: sees what was cut, and mirroring."""

    def __init__(self, size: tuple[int, int], flip: FlipRule = "none", digest: str = "a" * 64):
        self.id, self.weights_hash = "means", digest
        self.preprocessing = Preprocessing(size, flip=flip)

    def forward(self, faces: np.ndarray) -> np.ndarray:
        half = faces.shape[2] // 2
        sides = [faces[:, :, :half].mean((1, 2)), faces[:, :, half:].mean((1, 2))]
        return np.concatenate(sides, 1).astype(np.float32)


def test_a_region_network_mirrors_the_canvas_not_the_region() -> None:
    model = RegionEmbedder(Means((80, 80), "concat"), LEFT)
    assert model.preprocessing.size == (112, 112)
    got = model.embed(FACES)
    network = Means((80, 80))
    np.testing.assert_array_equal(got[:, :6], network.forward(cut(FACES, LEFT)))
    other = Region(box=(36, 14, 96, 84), size=(80, 80))  # the region's image in the mirror
    np.testing.assert_allclose(
        got[:, 6:], network.forward(cut(FACES, other)[:, :, ::-1]), atol=0.02
    )
    assert not np.allclose(got[:, 6:], network.forward(cut(FACES, LEFT)[:, :, ::-1]), atol=0.5)


def test_a_region_of_another_size_than_the_network() -> None:
    with pytest.raises(UserError, match="takes 112x96 faces, but its region gives 80x80"):
        RegionEmbedder(Means((112, 96)), LEFT)


@pytest.mark.parametrize("flip", ["none", "add", "normalised-add", "concat"])
def test_an_ensemble_is_its_members_unit_features_concatenated(flip: FlipRule) -> None:
    members = [RegionEmbedder(Means((80, 80), flip), region) for region in (LEFT, GREY)]
    ensemble = EnsembleEmbedder("both", members)
    got = ensemble.embed(FACES)
    want = np.concatenate([unit(member.embed(FACES)) for member in members], 1)
    np.testing.assert_array_equal(got, want)
    np.testing.assert_allclose(np.square(got).sum(1), 2, rtol=1e-5)
    # The cosine of concatenated unit features is the mean of the members' cosines.
    cosines = [unit(member.embed(FACES)) for member in members]
    mean = (cosines[0][0] @ cosines[0][1] + cosines[1][0] @ cosines[1][1]) / 2
    whole = unit(got)
    assert abs(whole[0] @ whole[1] - mean) < 1e-5
    plain = np.concatenate([unit(member.forward(FACES)) for member in members], 1)
    np.testing.assert_array_equal(ensemble.forward(FACES), plain)
    assert ensemble.embed(FACES[:0]).shape == (0, got.shape[1])


def test_the_hash_covers_weights_regions_and_their_order() -> None:
    def digest(*members: tuple[str, Region]) -> str:
        parts = [RegionEmbedder(Means((80, 80), digest=d * 64), r) for d, r in members]
        return EnsembleEmbedder("e", parts).weights_hash

    base = digest(("a", LEFT), ("b", GREY))
    assert len(base) == 64
    moved = LEFT.model_copy(update={"box": (0.0, 14.0, 61.0, 84.0)})
    others = [
        digest(("a", LEFT), ("c", GREY)),
        digest(("b", GREY), ("a", LEFT)),
        digest(("a", moved), ("b", GREY)),
        digest(("a", LEFT), ("b", GREY.model_copy(update={"colour": "red"}))),
    ]
    assert len({base, *others}) == 5
    flipped = [RegionEmbedder(Means((80, 80), "add", d * 64), r)
               for d, r in (("a", LEFT), ("b", GREY))]  # fmt: skip
    assert EnsembleEmbedder("e", flipped).weights_hash == base  # the flip rule is stated apart
    assert "flip=add" in EnsembleEmbedder("e", flipped).signature
    loose = RegionEmbedder(Means((80, 80), digest=UNPINNED), LEFT)
    loose.storable = False
    unpinned = EnsembleEmbedder("e", [loose, loose])
    assert unpinned.weights_hash == UNPINNED and not unpinned.storable


def test_members_with_different_flip_rules_are_refused() -> None:
    members = [RegionEmbedder(Means((80, 80), flip), LEFT) for flip in ("none", "add")]
    with pytest.raises(UserError, match="differ in canvas or flip rule"):
        EnsembleEmbedder("e", members)


def ensemble_card(**fields: Any) -> ModelCard:
    values = {
        "name": "pair",
        "title": "Two regions",
        "architecture": "ensemble",
        "members": [{"model": "one", "region": "left"}, {"model": "two", "region": "grey"}],
        "regions": {"left": LEFT, "grey": GREY},
    }
    return ModelCard.model_validate(values | fields)


@pytest.fixture
def region_zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_card: MakeCard) -> Path:
    """models/ with the members ``one``, ``two`` (trained) and their ensemble ``pair``."""
    folder = tmp_path / "models"
    for seed, (name, region) in enumerate((("one", LEFT), ("two", GREY))):
        write_card(make_card(name, region=region, sparsity={}), folder / f"{name}.toml")
        torch.manual_seed(seed)
        state = ConvNet(0.125, (80, 80)).state_dict()
        publish_weights(name, state, {}, {}, folder)
    write_card(ensemble_card(), folder / "pair.toml")
    monkeypatch.chdir(tmp_path)
    return folder


def test_cards_read_back(region_zoo: Path) -> None:
    assert read_card(region_zoo / "pair.toml").model_dump() == ensemble_card().model_dump()
    assert read_card(region_zoo / "one.toml").region == LEFT


def test_an_ensemble_of_the_zoo(region_zoo: Path) -> None:
    pair, one, two = (load_model(name) for name in ("pair", "one", "two"))
    assert pair.id == "pair" and pair.preprocessing.size == (112, 112)
    assert pair.preprocessing.flip == "add" and pair.storable
    got = pair.embed(FACES)
    np.testing.assert_array_equal(
        got, np.concatenate([unit(one.embed(FACES)), unit(two.embed(FACES))], 1)
    )
    assert one.weights_hash == read_card(region_zoo / "one.toml").sha256
    assert "region=0,14,60,84/112x112->80x80:rgb" in one.signature
    facts = cost_of(read_card(region_zoo / "pair.toml"))
    files = [region_zoo / "weights" / f"{name}.safetensors" for name in ("one", "two")]
    assert facts.bytes == sum(file.stat().st_size for file in files)
    single = sum(p.numel() for p in ConvNet(0.125, (80, 80)).parameters())
    assert facts.parameters == facts.kept == 2 * single


def test_cards_and_files_alone_give_the_hash_of_an_ensemble(region_zoo: Path) -> None:
    card = read_card(region_zoo / "pair.toml")
    assert trained_hash(card) == load_model("pair").weights_hash
    weights = region_zoo / "weights" / "two.safetensors"
    weights.write_bytes(weights.read_bytes() + b" ")
    assert trained_hash(card) is None  # not what its card says: only loading tells what is wrong


def test_options_of_an_ensemble(region_zoo: Path) -> None:
    plain = load_model("pair", ModelOptions(flip="none", precision="bfloat16"))
    assert plain.preprocessing.flip == "none" and plain.precision == "bfloat16"
    assert plain.weights_hash == load_model("pair").weights_hash
    assert plain.signature != load_model("pair").signature
    with pytest.raises(UserError, match="size= has no effect"):
        load_model("pair", ModelOptions(size=(112, 112)))


def test_a_member_that_sees_the_whole_face_by_itself(region_zoo: Path, make_card: MakeCard) -> None:
    """A network of the zoo without a region of its own is given the ensemble's."""
    card = read_card(region_zoo / "one.toml").model_copy(update={"region": None})
    write_card(card, region_zoo / "one.toml")
    assert load_model("one").preprocessing.size == (80, 80)
    own = load_model("one").embed(cut(FACES, LEFT))
    assert own.shape == (4, 64)
    plain = ModelOptions(flip="none")
    np.testing.assert_allclose(
        load_model("pair", plain).embed(FACES)[:, :64],
        unit(load_model("one", plain).embed(cut(FACES, LEFT))),
        rtol=1e-6,
    )


def test_members_without_weights_are_named(region_zoo: Path, make_card: MakeCard) -> None:
    write_card(make_card("two", region=GREY), region_zoo / "two.toml")
    with pytest.raises(UserError) as caught:
        load_model("pair")
    text = str(caught.value)
    assert "1 of its 2 members" in text and "'two'" in text and "\n" not in text
    assert "facebench.lab.regions --ensemble pair --only two" in text
    (region_zoo / "one.toml").unlink()
    assert untrained_members(read_card(region_zoo / "pair.toml")) == ["one", "two"]


def test_a_member_of_another_region(region_zoo: Path) -> None:
    other = {"left": LEFT.model_copy(update={"colour": "blue"}), "grey": GREY}
    write_card(ensemble_card(regions=other), region_zoo / "pair.toml")
    with pytest.raises(
        UserError, match=r"region 'left' is .*blue, but its member 'one' has learned"
    ):
        load_model("pair")


def test_an_ensemble_of_ensembles(region_zoo: Path) -> None:
    nested = [{"model": "pair", "region": "left"}, {"model": "two", "region": "grey"}]
    write_card(ensemble_card(name="deep", members=nested), region_zoo / "deep.toml")
    with pytest.raises(UserError, match="its member 'pair' is an ensemble itself"):
        load_model("deep")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"members": [{"model": "one", "region": "left"}]}, "at least two members"),
        ({"members": [{"model": "one", "region": "left"}] * 2, "regions": {"left": LEFT}}, "twice"),
        ({"regions": {"left": LEFT}}, "no region 'grey'"),
        ({"regions": {"left": LEFT, "grey": GREY, "red": LEFT}}, "no member sees .* 'red'"),
        ({"name": "one"}, "own member"),
        ({"weights": "a.safetensors"}, "those of an ensemble's members"),
        ({"preprocessing": {"flip": "add"}}, "those of an ensemble's members"),
        ({"architecture": "onnx"}, "belong to architecture 'ensemble'"),
        (
            {"regions": {"left": LEFT, "grey": Region(box=(0, 0, 96, 112), canvas=(224, 224))}},
            "same canvas",
        ),
    ],
)  # fmt: skip
def test_a_wrong_ensemble_card(fields: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ensemble_card(**fields)


def test_a_region_belongs_to_a_convnet_of_its_size(make_card: MakeCard) -> None:
    with pytest.raises(ValueError, match=r"region\.size and preprocessing\.size differ"):
        make_card("a", region=Region(box=(0, 0, 96, 112)))
    with pytest.raises(ValueError, match="region belongs to architecture 'convnet'"):
        ModelCard(name="a", title="a", architecture="onnx", region=LEFT)
