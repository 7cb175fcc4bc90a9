"""Every mistake that is planted in a small network is named, and a right one has none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facebench.base.errors import UserError
from facebench.models.doctor.diagnose import Diagnosis, card_of, diagnose
from facebench.models.embedders.base import unit
from facebench.models.embedders.options import ModelOptions
from facebench.similarity import Cosine
from tests.helpers.red_faces import RedNet, red_faces, write_onnx

COSINE = Cosine().pairs
RIGHT: dict[str, Any] = {"size": (112, 112), "colour": "rgb", "normalise": "arcface"}


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return red_faces(tmp_path_factory.mktemp("faces"))


def doctor(model: Any, faces: Path, score: Any = COSINE, **options: Any) -> Diagnosis:
    return diagnose(model, faces, score, options=ModelOptions(**(RIGHT | options)))


def causes(found: Diagnosis) -> list[str]:
    return [mistake.cause for mistake in found.mistakes]


def test_a_right_network_has_nothing_wrong(faces: Path) -> None:
    found = doctor(RedNet(), faces)
    assert (causes(found), found.cannot_tell, found.best) == ([], "", found.given)
    assert found.pairs == 80 and found.people and found.looked > 10 and not found.cut


@pytest.mark.parametrize(
    ("net", "options", "cause"),
    [
        (RedNet(2), {}, "red and blue exchanged"),
        (RedNet(), {"colour": "bgr"}, "red and blue exchanged"),
        (RedNet(own=True), {}, "normalised twice"),
        (
            RedNet(shares=True),
            {"normalise": None, "mean": (0.0,) * 3, "scale": (1.0,) * 3},
            "pixels of 0..255 where 0..1 was meant",
        ),
        (RedNet(probabilities=True), {}, "not the embedding"),
        (RedNet(negated=True), {}, "negated outputs"),
        (RedNet(batch=7), {}, "fixed batch"),
        (RedNet(drop=True), {}, "dropout in training mode"),
        (RedNet(norm=True), {}, "batch normalisation in training mode"),
        (RedNet(constant=True), {}, "ignores its input"),
    ],
)
def test_a_planted_mistake_is_named(
    faces: Path, net: nn.Module, options: dict[str, Any], cause: str
) -> None:
    assert causes(doctor(net, faces, **options)) == [cause]


def test_what_is_best_is_told_with_its_interval_and_its_card(faces: Path, tmp_path: Path) -> None:
    file = write_onnx(RedNet(2), tmp_path / "net.onnx")
    found = doctor(str(file), faces)
    given, best, *_ = found.shown
    assert best.trial.prepared.colour == "bgr" and found.best == best.trial
    assert best.told and best.difference is not None
    assert 0 < best.difference.interval.low < best.separation - given.separation
    assert 'colour = "bgr"' in card_of(str(file), found)


def test_two_mistakes_at_once_are_told_apart(faces: Path) -> None:
    found = doctor(RedNet(2, own=True), faces)
    assert sorted(causes(found)) == ["normalised twice", "red and blue exchanged"]


def test_a_graph_that_normalises_is_seen_in_the_file(faces: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    found = doctor(str(write_onnx(RedNet(own=True), tmp_path / "net.onnx")), faces)
    assert causes(found) == ["normalised twice"]
    assert "Sub, Div: mean 127.5, scale 128" in found.mistakes[0].text


def test_a_graph_that_takes_shares_is_seen_in_the_file(faces: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    file = write_onnx(RedNet(shares=True), tmp_path / "net.onnx")
    raw: dict[str, Any] = {"normalise": None, "mean": (0.0,) * 3, "scale": (1.0,) * 3}
    found = doctor(str(file), faces, **raw)
    assert causes(found) == ["pixels of 0..255 where 0..1 was meant"]
    assert "normalises pixels of 0 to 1" in found.mistakes[0].text


def test_a_fixed_batch_of_a_file_is_told(faces: Path, tmp_path: Path) -> None:
    file = write_onnx(RedNet(), tmp_path / "net.onnx", 4, fixed=True)
    found = doctor(str(file), faces)
    assert causes(found) == ["fixed batch"]
    assert "takes 4 faces at a time" in found.mistakes[0].text


class Both(nn.Module):
    """A network whose first output is no embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.net = RedNet()

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        return faces[:, 1, ::16, ::16].flatten(1), self.net(faces)


def test_another_output_is_the_embedding(faces: Path, tmp_path: Path) -> None:
    found = doctor(str(write_onnx(Both(), tmp_path / "net.onnx")), faces)
    assert causes(found) == ["not the embedding"]
    assert found.best.output == "b" and 'output = "b"' in card_of(str(tmp_path / "net.onnx"), found)
    assert any("is guessed to be the embedding" in one for one in found.guessed)


class Named(Both):
    """The same, with names."""

    def forward(self, faces: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        return dict(zip(("map", "embedding"), super().forward(faces), strict=True))


@pytest.mark.parametrize(("net", "right"), [(Both(), "1"), (Named(), "embedding")])
def test_another_output_of_a_module_is_the_embedding(
    faces: Path, net: nn.Module, right: str
) -> None:
    found = doctor(net, faces)
    assert (causes(found), found.best.output) == (["not the embedding"], right)
    assert any("is guessed to be the embedding" in one for one in found.guessed)
    assert causes(doctor(net, faces, output=right)) == []


def distances(
    vectors: NDArray[np.float32], left: NDArray[np.int64], right: NDArray[np.int64]
) -> NDArray[np.float64]:
    rows = unit(vectors)
    return np.linalg.norm(rows[left] - rows[right], axis=1).astype(np.float64)


def products(
    vectors: NDArray[np.float32], left: NDArray[np.int64], right: NDArray[np.int64]
) -> NDArray[np.float64]:
    return np.einsum("ij,ij->i", vectors[left], vectors[right]).astype(np.float64)


def test_distances_are_no_similarities(faces: Path) -> None:
    assert causes(doctor(RedNet(), faces, distances)) == ["distances for similarities"]


class Uneven(RedNet):
    """Embeddings whose length says nothing of who it is."""

    def forward(self, faces: Tensor) -> Tensor:
        loud = (faces[:, 2, 8, 8] * 4).exp()
        return super().forward(faces) * loud[:, None]


def test_products_need_embeddings_of_unit_length(faces: Path) -> None:
    assert causes(doctor(Uneven(), faces, products)) == ["outputs not normalised"]
    found = doctor(Uneven(), faces)
    assert causes(found) == [] and "cosine does not mind" in found.facts[0]


def test_of_random_weights_it_cannot_tell(faces: Path) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 7, 4), nn.ReLU(), nn.Conv2d(8, 16, 5, 4), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 32),
    )  # fmt: skip
    found = doctor(net, faces)
    assert causes(found) == [] and "its weights are random" in found.cannot_tell


def test_the_list_may_be_named_in_place_of_its_folder(faces: Path) -> None:
    assert causes(doctor(RedNet(), faces / "pairs.txt")) == []


def test_a_budget_that_ends_is_said(faces: Path) -> None:
    options = ModelOptions(**RIGHT)
    found = diagnose(RedNet(), faces, COSINE, options=options, budget=1e-9)
    tried, of, *_ = (word for word in found.cut.split() if word.isdecimal())
    assert found.cut == f"{tried} of {of} preparations were tried, on 60 of 80 pairs"
    assert (int(tried), found.looked, found.pairs) == (1, 1, 60) and int(of) > 10


def test_a_budget_that_is_not_reached_changes_nothing(faces: Path) -> None:
    options = ModelOptions(**RIGHT)
    one, other = (
        diagnose(RedNet(2), faces, COSINE, options=options, budget=budget) for budget in (1e5, 1e9)
    )
    assert not one.cut
    assert (one.best, one.mistakes, one.shown) == (other.best, other.mistakes, other.shown)


def test_an_alignment_without_its_file_is_refused(faces: Path) -> None:
    with pytest.raises(UserError, match="can be aligned by centre, none"):
        diagnose(
            RedNet(),
            faces,
            COSINE,
            options=ModelOptions(**RIGHT),
            align="landmarks",
        )
