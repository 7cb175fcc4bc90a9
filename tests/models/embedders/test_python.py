"""Models that are Python code."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.models.embedders.base import UNPINNED
from facebench.models.embedders.options import ModelOptions
from facebench.models.zoo import load_model

CODE = """
    import numpy as np
    import torch
    from torch import nn
    from facebench.models.embedders.base import Embedder, Preprocessing

    class Net(nn.Module):
        input_size = (9, 8)
        def __init__(self, seed=0):
            super().__init__()
            torch.manual_seed(seed)
            self.f = nn.Linear(216, 4)
            self.d = nn.Dropout(0.5)
        def forward(self, x):
            return self.d(self.f(x.flatten(1)))

    class Mine(Embedder):
        id, weights_hash = "mine", "ff" * 32
        preprocessing = Preprocessing(size=(9, 8))
        def forward(self, faces):
            return faces.reshape(len(faces), -1).astype(np.float32)

    class Unready(Mine):
        preprocessing = None

    class Unhashed(Embedder):
        id, preprocessing = "unhashed", Preprocessing(size=(9, 8))
        forward = Mine.forward

    def net(): return Net()
    def other(): return Net(1)
    def mine(): return Mine()
    def function(): return lambda faces: faces.reshape(len(faces), -1).astype(float)
    def lists(): return lambda faces: [[1.0, 2.0]] * len(faces)
    def broken(): return lambda faces: 1 / 0
    def number(): return 3
    def fails(): raise ValueError("no\\nluck")
    def unready(): return Unready()
    def unhashed(): return Unhashed()
    def bare():
        net = nn.Flatten()
        net.input_size = (9, 8)
        return net
    needs = Net
    ready = Net()
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    name = "fb_user_models"
    (tmp_path / f"{name}.py").write_text(textwrap.dedent(CODE))
    (tmp_path / "fb_broken.py").write_text("import nothing_like_it\n")
    (tmp_path / "fb_syntax.py").write_text("def (:\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield name
    sys.modules.pop(name, None)


def faces(n: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, 9, 8, 3), dtype=np.uint8)


@pytest.mark.parametrize("factory", ["net", "needs", "ready"])
def test_a_torch_module_is_put_into_evaluation_mode(module: str, factory: str) -> None:
    model = load_model(f"{module}:{factory}")
    assert model.preprocessing.size == (9, 8)
    x = faces(3)
    out = model.embed(x)
    assert out.shape == (3, 4)
    np.testing.assert_array_equal(out, model.embed(x))


@pytest.mark.parametrize("factory", ["function", "unhashed", "bare"])
def test_what_no_hash_covers_is_unpinned(module: str, factory: str) -> None:
    size = {} if factory == "unhashed" else {"size": (9, 8)}
    model = load_model(f"{module}:{factory}", ModelOptions(**size))
    assert model.weights_hash == UNPINNED and "weights:unpinned " in model.signature
    assert factory == "unhashed" or not model.storable  # extraction heeds the hash, too
    mine = load_model(f"{module}:mine")
    assert mine.storable and mine.weights_hash == "ff" * 32


@pytest.mark.parametrize("factory", ["net", "function", "mine"])
@pytest.mark.parametrize(
    "option",
    [{"layout": "nhwc"}, {"output": "zz"}, {"device": "cuda:7"}, {"precision": "bfloat16"}],
)
def test_options_without_effect_are_refused(module: str, factory: str, option: Any) -> None:
    size = {} if factory == "mine" else {"size": (9, 8)}
    if factory == "net" and "precision" in option:
        assert load_model(f"{module}:net", ModelOptions(**option)).precision == "bfloat16"
        return
    name = next(iter(option))
    told = {"output": "no output 'zz'", "device": "device='cuda:7': this machine"}
    message = told.get(name) if factory == "net" else f"{name}= has no effect"
    with pytest.raises(UserError, match=message or "layout= has no effect") as caught:
        load_model(f"{module}:{factory}", ModelOptions(**size, **option)).embed(faces(2))
    assert "\n" not in str(caught.value)


def test_an_embedder_comes_as_it_is(module: str) -> None:
    model = load_model(f"{module}:mine")
    assert model.id == "mine" and model.embed(faces(2)).shape == (2, 216)
    with pytest.raises(UserError, match="size= has no effect: an Embedder of your own"):
        load_model(f"{module}:mine", ModelOptions(size=(9, 8)))


def test_a_function_gets_raw_faces(module: str) -> None:
    x = faces(2)
    model = load_model(f"{module}:function", ModelOptions(size=(9, 8), flip="concat"))
    out = model.embed(x)
    np.testing.assert_array_equal(out[:, :216], x.reshape(2, -1))
    np.testing.assert_array_equal(out[:, 216:], x[:, :, ::-1].reshape(2, -1))
    assert "mean=0,0,0 scale=1,1,1" in model.signature
    lists = load_model(f"{module}:lists", ModelOptions(size=(9, 8)))
    assert lists.embed(x).tolist() == [[1, 2], [1, 2]]
    with pytest.raises(UserError, match="mean= has no effect"):
        load_model(f"{module}:function", ModelOptions(size=(9, 8), mean=(1, 1, 1)))
    with pytest.raises(UserError, match="normalise= has no effect"):
        load_model(f"{module}:function", ModelOptions(size=(9, 8), normalise="half"))
    with pytest.raises(UserError, match="size of its input is not known"):
        load_model(f"{module}:function")
    with pytest.raises(UserError, match="failed on 2 faces: ZeroDivisionError"):
        load_model(f"{module}:broken", ModelOptions(size=(9, 8))).embed(x)


def test_a_card(module: str, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(
        f'name = "c"\ntitle = "t"\narchitecture = "python"\nweights = "{module}:function"\n'
        '[preprocessing]\nsize = [9, 8]\nflip = "add"\n'
    )
    model = load_model(str(tmp_path / "c.toml"))
    assert model.id == "c" and model.preprocessing.flip == "add"
    text = (tmp_path / "c.toml").read_text()
    for changed, field in (
        (text + 'colour = "bgr"\n', "colour"),
        (text.replace("[pre", 'layout = "nhwc"\n[pre'), "layout"),
        (text.replace("function", "net").replace("[pre", 'layout = "nchw"\n[pre'), "layout"),
        (text.replace("function", "mine"), "flip"),
    ):
        (tmp_path / "c.toml").write_text(changed)
        with pytest.raises(UserError, match=rf"c\.toml: field '{field}'"):
            load_model(str(tmp_path / "c.toml"))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("fb_user_models:nett", "has no 'nett'; did you mean 'net'"),
        ("fb_user_models:number", "returned a int"),
        ("fb_user_models:unready", "needs 'preprocessing', a Preprocessing, but Unready has none"),
        ("fb_user_models:fails", r"fails\(\) failed: ValueError: no luck"),
        ("fb_absent:net", "no module 'fb_absent' installed or in"),
        ("fb_broken:net", "importing 'fb_broken' failed: ModuleNotFoundError"),
        ("fb_syntax:net", "importing 'fb_syntax' failed: SyntaxError"),
        ("fb_user_models.inner:net", "no module|importing"),
    ],
)
def test_mistakes_are_one_line(module: str, spec: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        load_model(spec)
    assert "\n" not in str(caught.value)
