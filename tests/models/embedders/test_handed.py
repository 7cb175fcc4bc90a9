"""Torch modules and functions that a program hands over."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils import prune

from facebench.base.errors import UserError
from facebench.models.embedders.base import UNPINNED, Embedder, Preprocessing
from facebench.models.embedders.options import ModelOptions
from facebench.models.zoo import load_model

SIZE = ModelOptions(size=(9, 8))
FACES = np.random.default_rng(0).integers(0, 256, (3, 9, 8, 3), dtype=np.uint8)


class Net(nn.Module):
    """Defined in a file: here."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.f, self.d = nn.Linear(216, 4), nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.d(self.f(x.flatten(1)))


def flat(faces: NDArray[np.uint8]) -> NDArray[np.float64]:
    return faces.reshape(len(faces), -1).astype(float)


def by_hand(net: Net) -> NDArray[np.float32]:
    """Prepared by the defaults: (pixel - 127.5) / 128, channels first."""
    x = (FACES.astype(np.float32) - 127.5) / 128
    with torch.no_grad():
        return net.f(torch.from_numpy(x.transpose(0, 3, 1, 2).copy()).flatten(1)).numpy()


def test_a_module_is_embedded_as_it_is_and_left_as_it_was() -> None:
    net = Net().train()
    embedder = load_model(net, SIZE)
    np.testing.assert_allclose(embedder.embed(FACES), by_hand(net), rtol=1e-5)
    assert net.training and net.d.training
    before = embedder.embed(FACES)
    with torch.no_grad():
        net.f.weight.zero_()
    assert (embedder.embed(FACES) == before).all()  # of the module when it was loaded


def test_a_module_is_known_by_its_weights_and_kept() -> None:
    one, same, other = (load_model(Net(seed), SIZE) for seed in (0, 0, 1))
    assert one.weights_hash == same.weights_hash != other.weights_hash
    assert one.storable and one.id == "Net" and len(one.weights_hash) == 64


def test_its_own_size_and_name_count_unless_others_are_given() -> None:
    net = Net()
    net.input_size = (9, 8)
    assert load_model(net).preprocessing.size == (9, 8)
    assert load_model(net, name="pruned 3").id == "pruned 3"
    with pytest.raises(UserError, match=r"model Net: the size .*=ModelOptions\(size="):
        load_model(Net())


def test_a_function_prepares_faces_itself_and_is_not_kept() -> None:
    embedder = load_model(flat, SIZE)
    assert (embedder.embed(FACES) == flat(FACES)).all()
    assert (embedder.id, embedder.weights_hash, embedder.storable) == ("flat", UNPINNED, False)
    mirrored = load_model(flat, ModelOptions(size=(9, 8), flip="add")).embed(FACES)
    assert (mirrored == flat(FACES) + flat(FACES[:, :, ::-1])).all()


@pytest.mark.parametrize(
    ("function", "name"),
    [(lambda faces: flat(faces), "lambda"), (functools.partial(flat), "partial")],
)
def test_functions_without_a_name_have_one(function: Any, name: str) -> None:
    assert load_model(function, SIZE).id == name


def test_an_embedder_stays_itself_but_for_its_name() -> None:
    class Mine(Embedder):
        id, preprocessing = "mine", Preprocessing(size=(9, 8))

        def forward(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
            return flat(faces).astype(np.float32)

    mine = Mine()
    assert load_model(mine) is mine
    assert load_model(mine, name="other").id == "other" and mine.id == "mine"


@pytest.fixture
def notebook() -> Iterator[type[Net]]:
    """A class whose code lies in no file."""
    scope: dict[str, Any] = {"Net": Net, "__name__": "no_file"}
    sys.modules["no_file"] = type(sys)("no_file")
    exec("class Typed(Net):\n    pass", scope)
    yield scope["Typed"]
    del sys.modules["no_file"]


def test_code_that_lies_in_no_file_pins_nothing(notebook: type[Net]) -> None:
    embedder = load_model(notebook(), SIZE)
    assert (embedder.weights_hash, embedder.storable) == (UNPINNED, False)


def test_another_code_is_another_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    hashes = []
    for line in ("x.flatten(1)", "2 * x.flatten(1)"):
        code = (
            "from torch import nn\nclass N(nn.Linear):\n"
            f"    def forward(self, x): return super().forward({line})\n"
        )
        (tmp_path / "own_net.py").write_text(code)
        sys.modules.pop("own_net", None)
        importlib.invalidate_caches()
        torch.manual_seed(0)
        hashes.append(load_model(importlib.import_module("own_net").N(216, 4), SIZE).weights_hash)
    assert len(set(hashes)) == 2 and UNPINNED not in hashes


def test_hooks_pin_nothing_but_those_of_torchs_pruning() -> None:
    pruned, hooked = Net(), Net()
    prune.l1_unstructured(pruned.f, "weight", amount=0.5)
    hooked.f.register_forward_hook(lambda *_: None)
    embedder = load_model(pruned, SIZE)
    assert embedder.weights_hash not in (UNPINNED, load_model(Net(), SIZE).weights_hash)
    np.testing.assert_allclose(embedder.embed(FACES), by_hand(pruned), rtol=1e-5)
    assert load_model(hooked, SIZE).weights_hash == UNPINNED


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (Net, r"Net is a class; pass what it makes, Net\(\)"),
        ({"f.weight": torch.zeros(1)}, "a dict is no model"),
        (None, "a NoneType is no model"),
        (lambda faces: 1 / 0, "model lambda"),
    ],
)
def test_what_is_no_model_is_refused_in_one_line(model: Any, says: str) -> None:
    with pytest.raises(UserError, match=says) as caught:
        load_model(model, SIZE).embed(FACES)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("model", [Net(), flat])
def test_programs_are_refused_where_only_data_is_trusted(model: Any) -> None:
    with pytest.raises(UserError, match="is a program"):
        load_model(model, ModelOptions(size=(9, 8), untrusted=True))


def test_functions_heed_no_colour() -> None:
    with pytest.raises(UserError, match="prepares faces and runs itself"):
        load_model(flat, ModelOptions(size=(9, 8), colour="bgr"))


def test_what_cannot_be_copied_is_refused() -> None:
    net = Net()
    net.kept = (x for x in ())  # generators cannot be
    with pytest.raises(UserError, match="Net cannot be copied to be evaluated"):
        load_model(net, SIZE)
